"""Settings of the client: arguments, then its own variables, then the sync's, then dlt's files."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from cogny_source.client.settings import resolve_settings
from cogny_source.errors import ConfigError

KEYS = [f"sk_live_{number}" for number in range(6)]


def write(path: Path, text: str) -> None:
    """A file, and its folder."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def section(key: str) -> str:
    """A settings file with a key."""
    return f'[sources.cogny]\napi_key = "{key}"\n'


def test_the_nearest_key_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the machine's file to the argument, each comes before those before it."""
    write(tmp_path / "machine" / "secrets.toml", section(KEYS[0]))
    assert resolve_settings().api_key == KEYS[0]
    write(tmp_path / ".dlt" / "config.toml", section(KEYS[1]))
    assert resolve_settings().api_key == KEYS[1]
    write(tmp_path / ".dlt" / "secrets.toml", section(KEYS[2]))
    assert resolve_settings().api_key == KEYS[2]
    monkeypatch.setenv("SOURCES__COGNY__API_KEY", KEYS[3])
    assert resolve_settings().api_key == KEYS[3]
    monkeypatch.setenv("COGNY_API_KEY", KEYS[4])
    assert resolve_settings().api_key == KEYS[4]
    assert resolve_settings(api_key=KEYS[5]).api_key == KEYS[5]


def test_other_settings_come_the_same_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With their types; no request is left to others, as the sync leaves some to this."""
    write(tmp_path / ".dlt" / "config.toml", "[sources.cogny]\nmax_wait_seconds = 30\nworkers = 3\n")
    monkeypatch.setenv("COGNY_API_KEY", KEYS[0])
    monkeypatch.setenv("COGNY_BASE_URL", "http://127.0.0.1:8080/v1/")
    monkeypatch.setenv("SOURCES__COGNY__AUTH_HEADER", "x-api-key")
    settings = resolve_settings(read_timeout_seconds=7)
    assert (settings.base_url, settings.auth_header) == ("http://127.0.0.1:8080/v1", "x-api-key")
    assert (settings.max_wait_seconds, settings.read_timeout_seconds, settings.reserve_requests) == (30.0, 7.0, 0)
    assert settings.requests_per_minute == 100.0
    assert resolve_settings(api_key="sk_test_1").requests_per_minute is None


@pytest.mark.parametrize("text", ["[sources.cogny\n", f"[sources.cogny]\napi_key = {KEYS[0]}\n", section(KEYS[0]) * 2])
def test_a_file_that_cannot_be_read_is_named_without_its_text(tmp_path: Path, text: str) -> None:
    """Which may hold the key."""
    write(tmp_path / ".dlt" / "secrets.toml", text)
    with pytest.raises(ConfigError, match=r"secrets\.toml cannot be read") as caught:
        resolve_settings()
    assert KEYS[0] not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", ["sources = 1\n", "[sources]\ncogny = 1\n", ""])
def test_files_without_the_section_hold_nothing(tmp_path: Path, text: str) -> None:
    """They belong to another program."""
    write(tmp_path / ".dlt" / "secrets.toml", text)
    assert resolve_settings(api_key=KEYS[0]).api_key == KEYS[0]


def test_a_value_of_another_type_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not shown."""
    monkeypatch.setenv("COGNY_MAX_WAIT_SECONDS", KEYS[0])
    with pytest.raises(ConfigError) as caught:
        resolve_settings(api_key=KEYS[1])
    assert str(caught.value) == "the setting max_wait_seconds cannot be read"
