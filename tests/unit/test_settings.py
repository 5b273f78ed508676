"""Settings: where they come from, what they default to, and what is refused before a request is sent."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import ConfigTomlProvider, EnvironProvider, SecretsTomlProvider
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from cogny_source.dlt_settings import CognyConfiguration, resolve_settings
from cogny_source.errors import ConfigError
from cogny_source.settings import Settings, parse_date

LIVE, TEST = "sk_live_7f3a9c51d2e84b60", "sk_test_7f3a9c51d2e84b60"
# But for where the key was found.
NAMES = [item.name for item in fields(Settings) if item.name != "key_source"]
DEFAULTS = {
    "base_url": "https://api.cogny.com/v1",
    "auth_header": "bearer",
    "requests_per_minute": 100.0,
    "reserve_requests": 10,
    "start_date": None,
    "overlap_seconds": 60.0,
    "lookback_hours": 48.0,
    "lookback_every_hours": 24.0,
    "scrub_share": 0.01,
    "max_deletion_share": 0.1,
    "max_deletion_rows": 50,
    "connect_timeout_seconds": 10.0,
    "read_timeout_seconds": 60.0,
    "max_wait_seconds": 3600.0,
    "history": True,
    "contents": "new",
    "contents_per_run": 1000,
    "destination_wait_seconds": 300.0,
    "max_outage_seconds": 900.0,
    "max_answer_megabytes": 64.0,
    "workers": 8,
}

Set = Callable[..., None]


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    """Let dlt look at an empty environment and an empty folder; call it to write a file there."""
    for name in NAMES:
        for prefix in ("SOURCES__COGNY__", "SOURCES__", ""):
            monkeypatch.delenv(prefix + name.upper(), raising=False)
    context = Container()[PluggableRunContext]

    def reload() -> None:
        folder = str(tmp_path)
        providers = [EnvironProvider(), SecretsTomlProvider(folder), ConfigTomlProvider(folder)]
        monkeypatch.setattr(context, "providers", ConfigProvidersContainer(providers))

    def write(name: str, text: str) -> None:
        (tmp_path / name).write_text(text, encoding="utf-8")
        reload()

    reload()
    return write


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Set settings in the environment, as `env(api_key=…)`."""

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"SOURCES__COGNY__{name.upper()}", value)

    return put


def shown(error: ConfigError) -> str:
    """Everything that an error tells, its traceback included."""
    return "".join([str(error), repr(error), *traceback.format_exception(error)])


def values_of(settings: Settings) -> dict[str, Any]:
    """The settings by name, without key and chunk size."""
    return {name: getattr(settings, name) for name in NAMES if name not in ("api_key", "chunk_rows")}


def test_the_key_comes_from_the_environment(env: Set) -> None:
    """A key alone is enough; everything else has a default."""
    env(api_key=LIVE)
    settings = resolve_settings()
    assert settings.api_key == LIVE
    assert values_of(settings) == DEFAULTS


def test_configuration_and_settings_have_the_same_names_and_defaults() -> None:
    """Nothing can be set that is not used, nor the other way round; the pace alone depends on the key."""
    given = {name: getattr(CognyConfiguration(), name) for name in CognyConfiguration.get_resolvable_fields()}
    assert list(given) == NAMES
    settings = {name: getattr(Settings(api_key=LIVE), name) for name in NAMES}
    assert {name for name in NAMES if given[name] != settings[name]} == {"api_key", "requests_per_minute"}


@pytest.mark.parametrize(
    ("key", "given", "pace"),
    [
        (LIVE, None, 100.0),
        (TEST, None, None),
        (LIVE, "1000", 1000.0),
        (TEST, "50", 50.0),
        ("another_kind_of_key", None, 100.0),
    ],
)
def test_the_pace_depends_on_the_kind_of_key(env: Set, key: str, given: str | None, pace: float | None) -> None:
    """Live keys keep to the standard tier, development keys to none, unless a pace is set."""
    env(api_key=key, **({} if given is None else {"requests_per_minute": given}))
    assert resolve_settings().requests_per_minute == pace


def test_every_setting_comes_from_the_environment(env: Set) -> None:
    """Each has a variable of its own, and arrives with its type."""
    env(
        api_key=LIVE,
        base_url="https://cogny.example/v2/",
        auth_header="x-api-key",
        requests_per_minute="250",
        reserve_requests="5",
        start_date="2025-02-03",
        overlap_seconds="0",
        connect_timeout_seconds="1.5",
        read_timeout_seconds="2.5",
        max_wait_seconds="30",
        max_outage_seconds="1200",
        chunk_rows="500",
        workers="3",
    )
    assert resolve_settings() == Settings(
        api_key=LIVE,
        base_url="https://cogny.example/v2",
        auth_header="x-api-key",
        requests_per_minute=250.0,
        reserve_requests=5,
        start_date=datetime(2025, 2, 3, tzinfo=UTC),
        overlap_seconds=0.0,
        connect_timeout_seconds=1.5,
        read_timeout_seconds=2.5,
        max_wait_seconds=30.0,
        max_outage_seconds=1200.0,
        workers=3,
        chunk_rows=500,
    )


def test_settings_come_from_dlts_files(configuration: Callable[[str, str], None]) -> None:
    """The key from secrets.toml, the rest from config.toml, dates as TOML writes them."""
    configuration("secrets.toml", f'[sources.cogny]\napi_key = "{LIVE}"\n')
    configuration("config.toml", "[sources.cogny]\nchunk_rows = 7\nstart_date = 2025-02-03\nmax_wait_seconds = 5\n")
    settings = resolve_settings()
    assert (settings.api_key, settings.chunk_rows, settings.max_wait_seconds) == (LIVE, 7, 5.0)
    assert settings.start_date == datetime(2025, 2, 3, tzinfo=UTC)


def test_the_environment_wins_over_the_files(configuration: Callable[[str, str], None], env: Set) -> None:
    """As everywhere in dlt."""
    configuration("secrets.toml", f'[sources.cogny]\napi_key = "{TEST}"\n')
    env(api_key=LIVE)
    assert resolve_settings().api_key == LIVE


def test_arguments_win_over_the_configuration(env: Set) -> None:
    """What is given counts; None counts as not given."""
    env(api_key=LIVE, chunk_rows="500", max_wait_seconds="30")
    settings = resolve_settings(api_key=TEST, chunk_rows=7, max_wait_seconds=None, start_date=None)
    assert (settings.api_key, settings.chunk_rows, settings.max_wait_seconds) == (TEST, 7, 30.0)


def test_settings_of_other_programs_are_not_taken(monkeypatch: pytest.MonkeyPatch, env: Set) -> None:
    """A stray `BASE_URL` does not send the key elsewhere, nor is a stray `API_KEY` sent to Cogny."""
    monkeypatch.setenv("BASE_URL", "https://elsewhere.example/v1")
    env(api_key=LIVE)
    assert resolve_settings().base_url == "https://api.cogny.com/v1"
    monkeypatch.delenv("SOURCES__COGNY__API_KEY")
    monkeypatch.setenv("API_KEY", "key-of-another-service")
    with pytest.raises(ConfigError, match=r"^No API key\."):
        resolve_settings()


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_key_is_told_with_the_places_it_may_come_from(env: Set, value: str | None) -> None:
    """Three lines: the environment, the file, the sandbox."""
    if value is not None:
        env(api_key=value)
    with pytest.raises(ConfigError) as caught:
        resolve_settings()
    assert str(caught.value).splitlines() == [
        "No API key. Set it in the environment: export COGNY_API_KEY=sk_live_...  (or SOURCES__COGNY__API_KEY)",
        'or in .dlt/secrets.toml:  [sources.cogny]  api_key = "sk_live_..."  (see .dlt/secrets.toml.example)',
        "or try the connector without a key: add --sandbox.",
    ]


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        f" {LIVE}",
        f"{LIVE}\n",
        f"{LIVE}\r\nX-Evil: 1",
        "sk live",
        "sk_live_ä",
        "sk_live_\x00",
        "sk_live_\u200b",
    ],
    ids=repr,
)
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    """Blanks, line breaks and foreign letters, as copying brings them about, and nothing at all."""
    with pytest.raises(ConfigError, match=r"^api_key ") as caught:
        Settings(api_key=key)
    assert len(key.strip()) < 3 or key.strip() not in shown(caught.value)


@pytest.mark.parametrize("key", [LIVE, TEST])
def test_the_key_is_hidden(env: Set, key: str) -> None:
    """Neither repr nor str of settings and configuration shows it."""
    env(api_key=key)
    told = [show(thing) for show in (repr, str) for thing in (Settings(api_key=key), resolve_settings())]
    assert [text for text in told if key in text] == []


def test_settings_cannot_be_changed() -> None:
    """They are checked once."""
    with pytest.raises(AttributeError):
        Settings(api_key=LIVE).base_url = "http://elsewhere.example"  # type: ignore[misc]


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.cogny.com/v1",
        "HTTPS://api.cogny.com/v1",
        "https://api.cogny.com:8443",
        "https://10.0.0.1/v1",
        "http://127.0.0.1:8080/v1",
        "http://127.9.9.9/v1",
        "http://localhost:8080/v1",
        "http://LOCALHOST/v1",
        "http://[::1]:8080/v1",
    ],
)
def test_https_and_this_machine_are_allowed(base_url: str) -> None:
    """The key travels unread, or it does not travel."""
    assert Settings(api_key=LIVE, base_url=base_url).base_url == base_url


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.cogny.com/v1",
        "http://10.0.0.1/v1",
        "http://0.0.0.0/v1",
        "http://[::]/v1",
        "http://localhost.example.com/v1",
        "http://127.0.0.1.example.com/v1",
        "http://127.1/v1",
        "http://2130706433/v1",
        "ftp://api.cogny.com/v1",
        "file://localhost/etc/passwd",
    ],
)
def test_any_other_way_would_show_the_key(base_url: str) -> None:
    """Http to another machine, or to what only looks like this one, is refused."""
    with pytest.raises(ConfigError) as caught:
        Settings(api_key=LIVE, base_url=base_url)
    assert str(caught.value) == (
        "base_url must begin with https:// (http:// only for this machine): the key would travel unread"
    )


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.cogny.com/v1",
        "https://",
        "https:///v1",
        "https://user:secret@api.cogny.com/v1",
        "https://user@api.cogny.com/v1",
        "https://api.cogny.com/v1?key=secret",
        "https://api.cogny.com/v1#secret",
        "https://[::1/v1",
        "https://[nonsense]/v1",
        "https://api.cogny.com:port/v1",
        "https://api.cogny.com:99999/v1",
        "http://127.0.0.1:port/v1",
    ],
)
def test_a_base_url_that_is_no_plain_url_is_refused(base_url: str) -> None:
    """Whatever it is, it is a wrong setting, and what it holds is not told."""
    with pytest.raises(ConfigError) as caught:
        Settings(api_key=LIVE, base_url=base_url)
    assert str(caught.value) == "base_url must be a plain URL such as https://api.cogny.com/v1"
    assert "secret" not in shown(caught.value).replace(__file__, "")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("auth_header", "Bearer", "auth_header is 'Bearer'; it may be bearer or x-api-key"),
        ("auth_header", "", "auth_header is ''; it may be bearer or x-api-key"),
        ("connect_timeout_seconds", 0, "connect_timeout_seconds must be greater than 0"),
        ("read_timeout_seconds", -1, "read_timeout_seconds must be greater than 0"),
        ("read_timeout_seconds", float("nan"), "read_timeout_seconds must be greater than 0"),
        ("max_wait_seconds", 0, "max_wait_seconds must be greater than 0"),
        ("max_outage_seconds", 0, "max_outage_seconds must be greater than 0"),
        ("workers", 0, "workers must be greater than 0"),
        ("max_outage_seconds", float("nan"), "max_outage_seconds must be greater than 0"),
        ("chunk_rows", 0, "chunk_rows must be greater than 0"),
        ("requests_per_minute", 0.9, "requests_per_minute must be 1 or more"),
        ("requests_per_minute", float("nan"), "requests_per_minute must be 1 or more"),
        ("reserve_requests", -1, "reserve_requests must not be negative"),
        ("overlap_seconds", -0.1, "overlap_seconds must not be negative"),
        ("destination_wait_seconds", -1, "destination_wait_seconds must not be negative"),
        ("overlap_seconds", float("nan"), "overlap_seconds must not be negative"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(name: str, value: Any, message: str) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigError) as caught:
        Settings(api_key=LIVE, **{name: value})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("connect_timeout_seconds", 0.001),
        ("chunk_rows", 1),
        ("requests_per_minute", 1),
        ("requests_per_minute", None),
        ("reserve_requests", 0),
        ("overlap_seconds", 0),
    ],
)
def test_the_least_value_that_works_is_taken(name: str, value: Any) -> None:
    """The bounds belong to what is allowed."""
    assert getattr(Settings(api_key=LIVE, **{name: value}), name) == value


@pytest.mark.parametrize("name", ["connect_timeout_seconds", "read_timeout_seconds", "requests_per_minute"])
def test_what_must_end_is_refused_by_name_if_it_does_not(name: str) -> None:
    """Neither a socket's time-out nor a pace can be infinite: both end in an OverflowError later."""
    with pytest.raises(ConfigError, match=name):
        Settings(LIVE, **dict[str, Any]({name: float("inf")}))


@pytest.mark.parametrize(
    "name",
    ["requests_per_minute", "reserve_requests", "overlap_seconds", "read_timeout_seconds", "chunk_rows"],
)
def test_a_text_where_a_number_belongs_is_refused_by_name(env: Set, name: str) -> None:
    """The setting is named; the value, which may be a key in the wrong place, is not told."""
    env(api_key=LIVE, **{name: TEST})
    with pytest.raises(ConfigError) as caught:
        resolve_settings()
    assert str(caught.value) == f"a setting under sources.cogny cannot be read: {name}"
    assert TEST not in shown(caught.value)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2025-02-03", datetime(2025, 2, 3, tzinfo=UTC)),
        ("2025-02-03T10:30:00Z", datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        ("2025-02-03T10:30", datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        ("2025-02-03 10:30:00.5+02:00", datetime(2025, 2, 3, 8, 30, 0, 500000, tzinfo=UTC)),
        (date(2025, 2, 3), datetime(2025, 2, 3, tzinfo=UTC)),
        (datetime(2025, 2, 3, 10, 30), datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        (
            datetime(2025, 2, 3, 10, 30, tzinfo=timezone(timedelta(hours=-5))),
            datetime(2025, 2, 3, 15, 30, tzinfo=UTC),
        ),
        (None, None),
        ("", None),
    ],
)
def test_dates_and_instants_are_read_as_universal_time(value: Any, instant: datetime | None) -> None:
    """A date is its first moment; a time without an offset is UTC; nothing is nothing."""
    assert parse_date(value, "start_date") == instant
    assert resolve_settings(api_key=LIVE, start_date=value).start_date == instant


@pytest.mark.parametrize(
    "value", ["yesterday", "2025-02-30", "2025-02", "20250203", "03.02.2025", "1738578600", "2025-02-03T25:00:00Z"]
)
@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_a_text_that_is_no_date_is_refused_with_an_example(value: str, name: str) -> None:
    """The message names the setting, what was given, and how to write it."""
    with pytest.raises(ConfigError) as caught:
        parse_date(value, name)
    message = f"{name} is {value!r}; write a date such as 2025-02-03 or 2025-02-03T10:30:00Z"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("key", "base_url", "origin"),
    [
        (LIVE, "https://api.cogny.com/v1", "https://api.cogny.com/v1"),
        (TEST, "https://api.cogny.com/v1", "https://api.cogny.com/v1 (development key)"),
        (LIVE, "https://cogny.example/v1", "https://cogny.example/v1"),
        (LIVE, "http://127.0.0.1:8080/v1", "a server on this machine"),
        (TEST, "http://localhost:9090/v1", "a server on this machine"),
        (TEST, "https://[::1]/v1", "a server on this machine"),
    ],
)
def test_the_origin_tells_whose_rows_come(key: str, base_url: str, origin: str) -> None:
    """Production, development keys and servers of this machine are never mixed; their ports do not matter."""
    assert Settings(api_key=key, base_url=base_url).origin == origin


@pytest.mark.parametrize(
    ("own", "dlts", "file", "key", "source"),
    [
        (TEST, None, None, TEST, "COGNY_API_KEY"),
        (TEST, LIVE, None, LIVE, "SOURCES__COGNY__API_KEY"),
        (TEST, None, LIVE, LIVE, ".dlt/secrets.toml or another configuration of dlt"),
        (TEST, "", None, TEST, "COGNY_API_KEY"),
    ],
    ids=["own", "dlt's", "file", "empty"],
)
def test_key_says_where_it_was_found(
    own: str,
    dlts: str | None,
    file: str | None,
    key: str,
    source: str,
    configuration: Callable[[str, str], None],
    env: Set,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dlt's configuration comes first; a key that a program gives has no such place."""
    monkeypatch.setenv("COGNY_API_KEY", own)
    if dlts is not None:
        env(api_key=dlts)
    if file is not None:
        configuration("secrets.toml", f'[sources.cogny]\napi_key = "{file}"\n')
    settings = resolve_settings()
    assert (settings.api_key, settings.key_source) == (key, source)
    assert resolve_settings(api_key=LIVE).key_source is None
