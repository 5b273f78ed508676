"""Settings, checked and frozen; where they come from is not known here."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime
from math import inf, isinf
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from cogny_source.errors import ConfigError
from cogny_source.timestamps import parse_instant
from cogny_source.windows import BEGINNING

# The start date that loads all rows.
EVERYTHING = "all"
BASE_URL = "https://api.cogny.com/v1"
DEVELOPMENT_PREFIX = "sk_test_"
STANDARD_REQUESTS_PER_MINUTE = 100.0
Contents = Literal["new", "all", "never"]
# The variables of the key: of this connector, as its other variables are named, and of dlt.
KEY, DLT_KEY = "COGNY_API_KEY", "SOURCES__COGNY__API_KEY"
TIMEOUTS = ("connect_timeout_seconds", "read_timeout_seconds")
NOT_NEGATIVE = (
    "reserve_requests",
    "overlap_seconds",
    "lookback_hours",
    "lookback_every_hours",
    "scrub_share",
    "max_deletion_share",
    "max_deletion_rows",
    "destination_wait_seconds",
)
BOUNDS = (
    "max_wait_seconds",
    "max_outage_seconds",
    "max_answer_megabytes",
    "chunk_rows",
    "workers",
    "contents_per_run",
)
MOST_MEGABYTES = 1_000_000
PLAIN_URL = "base_url must be a plain URL such as https://api.cogny.com/v1"
MISSING_KEY = (
    "No API key. Set it in the environment: export COGNY_API_KEY=sk_live_...  (or SOURCES__COGNY__API_KEY)\n"
    'or in .dlt/secrets.toml:  [sources.cogny]  api_key = "sk_live_..."  (see .dlt/secrets.toml.example)\n'
    "or try the connector without a key: add --sandbox."
)


@dataclass(frozen=True)
class Settings:
    """The connector's settings.

    Attributes:
        api_key: The key; hidden from `repr`.
        base_url: The API's URL, without a slash at its end; https, or http on this machine.
        auth_header: The header that carries the key.
        requests_per_minute: The pace until a header says otherwise; None for unlimited.
        reserve_requests: The most requests of a window that are left to the account's other users.
        start_date: Rows created before it are left out; None for the date that the dataset was loaded with, or all rows
            if there is none.
        overlap_seconds: How far before the watermark an incremental pass begins.
        lookback_hours: How far before the watermark a second look begins, for changes that became visible late; 0 for
            no second look.
        lookback_every_hours: Hours between second looks.
        scrub_share: The share of the rate limit for comparing rows that did not change; 0 for no scrub.
        max_deletion_share: The largest share of a table's live rows that a census marks deleted without a person's
            consent.
        max_deletion_rows: A census may always mark fewer rows than this.
        connect_timeout_seconds: Time-out of connecting.
        read_timeout_seconds: Time-out of each read of an answer; the whole answer may take five times as long.
        max_wait_seconds: The longest wait, and the longest total wait of one request for 429 answers; the run ends
            instead of waiting longer.
        max_outage_seconds: The longest outage of the API; requests are retried until then, then the run ends.
        max_answer_megabytes: The largest answer, decompressed; after a larger one the list is read with smaller pages.
        chunk_rows: About how many rows are loaded and committed at once.
        workers: The most readers of a long first load; latency and rate limit decide how many are used.
        history: Whether each version of a ticket or report is kept in its table of versions.
        contents: Which contents of reports a sync fetches: `new` for reports completed since the first sync, and the
            day before it, `all` or `never`.
        contents_per_run: The most contents that one run fetches.
        destination_wait_seconds: How long to wait for a database that another process holds.
        key_source: Where the key was found, such as `COGNY_API_KEY`; None if a program gave it.
    """

    api_key: str = field(repr=False)
    base_url: str = BASE_URL
    auth_header: Literal["bearer", "x-api-key"] = "bearer"
    requests_per_minute: float | None = STANDARD_REQUESTS_PER_MINUTE
    reserve_requests: int = 10
    start_date: datetime | None = None
    overlap_seconds: float = 60.0
    lookback_hours: float = 48.0
    lookback_every_hours: float = 24.0
    scrub_share: float = 0.01
    max_deletion_share: float = 0.1
    max_deletion_rows: int = 50
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 60.0
    max_wait_seconds: float = 3600.0
    max_outage_seconds: float = 900.0
    max_answer_megabytes: float = 64.0
    chunk_rows: int = 10_000
    workers: int = 8
    history: bool = True
    contents: Contents = "new"
    contents_per_run: int = 1000
    destination_wait_seconds: float = 300.0
    key_source: str | None = field(default=None, compare=False)

    @property
    def origin(self) -> str:
        """Identifies the API and account kind: rows of two origins in one dataset would hide each other's changes."""
        if is_loopback(str(urlsplit(self.base_url).hostname)):
            return "a server on this machine"
        return f"{self.base_url}{' (development key)' if self.api_key.startswith(DEVELOPMENT_PREFIX) else ''}"

    def __post_init__(self) -> None:
        """Refuse values that cannot work, and name the setting."""
        _check_key(self.api_key)
        _check_base_url(self.base_url)
        if self.auth_header not in ("bearer", "x-api-key"):
            raise ConfigError(f"auth_header is {self.auth_header!r}; it may be bearer or x-api-key")
        if self.contents not in get_args(Contents):
            raise ConfigError(f"contents is {self.contents!r}; it may be {', '.join(get_args(Contents))}")
        for name in (*TIMEOUTS, *BOUNDS):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be greater than 0")
        for name in TIMEOUTS:
            if isinf(getattr(self, name)):
                raise ConfigError(f"{name} must have an end")
        if self.max_answer_megabytes > MOST_MEGABYTES:
            raise ConfigError(f"max_answer_megabytes must be at most {MOST_MEGABYTES}")
        if self.requests_per_minute is not None and not 1 <= self.requests_per_minute < inf:
            raise ConfigError("requests_per_minute must be 1 or more")
        for name in NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must not be negative")
        for name in ("scrub_share", "max_deletion_share"):
            if getattr(self, name) > 1:
                raise ConfigError(f"{name} is a share: it must lie between 0 and 1")


def make_settings(values: dict[str, Any]) -> Settings:
    """Settings from values as they were found.

    Args:
        values: Settings by name; `api_key`, `base_url`, `start_date` and `requests_per_minute` among them.

    Raises:
        ConfigError: If the key is missing or a value is wrong.
    """
    if not values["api_key"]:
        raise ConfigError(MISSING_KEY)
    values["base_url"] = str(values["base_url"]).rstrip("/")
    values["start_date"] = parse_start_date(values["start_date"])
    if values["requests_per_minute"] is None and not values["api_key"].startswith(DEVELOPMENT_PREFIX):
        values["requests_per_minute"] = STANDARD_REQUESTS_PER_MINUTE
    return Settings(**values)


def parse_start_date(value: str | datetime | None) -> datetime | None:
    """Parse a start date: `all` for all rows, whatever date the dataset was loaded with.

    Raises:
        ConfigError: If it is neither `all` nor a date nor an instant.
    """
    return BEGINNING if value == EVERYTHING else parse_date(value, "start_date")


def parse_date(value: str | datetime | None, name: str) -> datetime | None:
    """Parse a date or an instant that a person gave; a date means its first moment in UTC.

    Raises:
        ConfigError: If it is neither.
    """
    if value is None or value == "":
        return None
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    instant = parse_instant(text) or parse_instant(f"{text}T00:00:00Z")
    if instant is None:
        raise ConfigError(f"{name} is {text!r}; write a date such as 2025-02-03 or 2025-02-03T10:30:00Z")
    return instant


def _check_key(api_key: str) -> None:
    if not api_key:
        raise ConfigError("api_key is empty")
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ConfigError("api_key holds a blank or a character that no HTTP header can carry: copy it again")


def _check_base_url(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        port_is_wrong = parts.port == 0
    except ValueError:
        raise ConfigError(PLAIN_URL) from None
    if port_is_wrong or parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
        raise ConfigError(PLAIN_URL)
    if not is_unread(base_url):
        raise ConfigError(
            "base_url must begin with https:// (http:// only for this machine): the key would travel unread"
        )


def is_unread(url: str) -> bool:
    """Whether a request to a URL cannot be read on its way."""
    parts = urlsplit(url)
    host = parts.hostname
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(str(host))))


def is_loopback(hostname: str) -> bool:
    """Whether a host is this machine."""
    try:
        return hostname == "localhost" or ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
