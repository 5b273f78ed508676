"""Where a sync's settings come from: dlt's configuration under `sources.cogny`."""

from __future__ import annotations

import os
from typing import Any

import dlt
from dlt.common.configuration import configspec
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.typing import TSecretStrValue

from cogny_source.dlt_internals import find_kind, without_traces
from cogny_source.errors import ConfigError
from cogny_source.settings import BASE_URL, DLT_KEY, KEY, Settings, is_unread, make_settings
from cogny_source.settings_files import check_settings_files

ALERT_WEBHOOK = "alert_webhook"


@configspec
class CognyConfiguration(BaseConfiguration):
    """The keys that dlt looks up under `sources.cogny`, such as `SOURCES__COGNY__API_KEY`."""

    api_key: TSecretStrValue | None = None
    base_url: str = BASE_URL
    auth_header: str = "bearer"
    requests_per_minute: float | None = None
    reserve_requests: int = 10
    start_date: str | None = None
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
    contents: str = "new"
    contents_per_run: int = 1000
    destination_wait_seconds: float = 300.0


def resolve_settings(**explicit: Any) -> Settings:
    """Read the settings from dlt's configuration.

    Args:
        **explicit: Settings by name that win over the configuration; None counts as not given.

    Raises:
        ConfigError: If the key is missing or a value is wrong.
    """
    values = read_configuration()
    values["api_key"], values["key_source"] = find_key(values["api_key"])
    values.update({name: value for name, value in explicit.items() if value is not None})
    if explicit.get("api_key") is not None:
        values["key_source"] = None
    return make_settings(values)


def find_key(configured: str | None) -> tuple[str | None, str | None]:
    """The key, and where it was found: dlt's configuration comes before `COGNY_API_KEY`.

    Args:
        configured: The key by dlt's configuration.
    """
    if configured:
        return configured, DLT_KEY if os.environ.get(DLT_KEY) else ".dlt/secrets.toml or another configuration of dlt"
    return os.environ.get(KEY) or None, KEY


def resolve_alert_webhook() -> str | None:
    """The URL for failure alerts, from `sources.cogny.alert_webhook`; None if there is none.

    Raises:
        ConfigError: If it is not a URL that is safe to call.
    """
    with without_traces():
        url = _look_up(ALERT_WEBHOOK, str)
    if not url:
        return None
    try:
        safe = is_unread(url)
    except ValueError:
        safe = False
    if not safe:
        raise ConfigError("alert_webhook must be a URL that begins with https:// (http:// only for this machine)")
    return str(url)


def read_configuration() -> dict[str, Any]:
    """The values that dlt finds under `sources.cogny` itself, else the defaults.

    dlt's injection would also take a bare `API_KEY` or `BASE_URL` of another program from the environment.

    Raises:
        ConfigError: If a value or a settings file cannot be read.
    """
    defaults = CognyConfiguration()
    values: dict[str, Any] = {}
    with without_traces():
        for name, hint in CognyConfiguration.get_resolvable_fields().items():
            found = _look_up(name, find_kind(hint))
            values[name] = getattr(defaults, name) if found is None else found
    return values


def _look_up(name: str, kind: Any) -> Any:
    """A setting from dlt's providers; None if they lack it."""
    try:
        found = dlt.secrets.get(f"sources.cogny.{name}", kind)
        return dlt.config.get(f"sources.cogny.{name}", kind) if found is None else found
    except ConfigurationException:
        check_settings_files()
        raise ConfigError(f"a setting under sources.cogny cannot be read: {name}") from None
