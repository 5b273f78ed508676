"""`cogny config`: each setting with its value and its origin, and never a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import ConfigTomlProvider, EnvironProvider, SecretsTomlProvider
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from cogny_source.dlt_settings import CognyConfiguration
from tests.support.syncs import Script

KEY = "sk_live_7f3a9c51d2e84b60"
Write = Callable[[str, str], None]
HOOK = "https://hooks.example.com/services/T000/B000/XXXX"
NO_KEY = {"SOURCES__COGNY__API_KEY": "", "SOURCES__COGNY__BASE_URL": ""}


@pytest.fixture(autouse=True)
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Let dlt look at an empty folder, as in a new process; call it to write a file there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLT_PROJECT_DIR", raising=False)
    folder = tmp_path / ".dlt"
    folder.mkdir()
    context = Container()[PluggableRunContext]

    def reload() -> None:
        providers = [EnvironProvider(), SecretsTomlProvider(str(folder)), ConfigTomlProvider(str(folder))]
        monkeypatch.setattr(context, "providers", ConfigProvidersContainer(providers))

    def write_file(name: str, text: str) -> None:
        (folder / name).write_text(text, encoding="utf-8")
        reload()

    reload()
    return write_file


def read(cogny: Script, variables: dict[str, str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The settings by name, and what is none."""
    done = cogny("config", "--format", "json", **variables)
    assert not any(secret in done.stdout + done.stderr for secret in (KEY, HOOK))
    told = json.loads(done.stdout)
    return {setting["name"]: setting for setting in told["settings"]}, told["unknown"]


def test_each_setting_tells_where_it_comes_from(cogny: Script, write: Write) -> None:
    """A variable, a file, a default; an option's variable beside them."""
    write("config.toml", "[sources.cogny]\nchunk_rows = 500\nworkers = 3\n")
    write("secrets.toml", f'[sources.cogny]\napi_key = "{KEY}"\nalert_webhook = "{HOOK}"\n')
    variables = {"SOURCES__COGNY__WORKERS": "2", "COGNY_DATABASE": "growth.duckdb", "COGNY_DESTINATION": "duckdb"}
    told, unknown = read(cogny, NO_KEY | variables)
    assert unknown == []
    assert list(told) == [*CognyConfiguration.get_resolvable_fields(), "alert_webhook", "destination", "--database"]
    assert (told["api_key"]["value"], Path(told["api_key"]["origin"]).name) == ("sk_live_… (hidden)", "secrets.toml")
    assert (told["alert_webhook"]["value"], Path(told["alert_webhook"]["origin"]).name) == ("(hidden)", "secrets.toml")
    assert (told["chunk_rows"]["value"], Path(told["chunk_rows"]["origin"]).name) == (500, "config.toml")
    assert (told["workers"]["value"], told["workers"]["origin"]) == (2, "SOURCES__COGNY__WORKERS")
    assert (told["history"]["value"], told["history"]["origin"]) == (True, "default")
    assert (told["--database"]["value"], told["--database"]["origin"]) == ("growth.duckdb", "COGNY_DATABASE")


def test_the_table_is_for_people(cogny: Script) -> None:
    """One line a setting; the key is hidden whatever it looks like."""
    lines = cogny("config", SOURCES__COGNY__API_KEY="secret-of-no-kind").stdout.splitlines()
    assert lines[0].split() == ["api_key", "…", "(hidden)", "SOURCES__COGNY__API_KEY"]
    assert len(lines) == len(CognyConfiguration.get_resolvable_fields()) + 1


def test_the_connectors_own_variable_is_named(cogny: Script) -> None:
    """Dlt's comes before it."""
    told, _ = read(cogny, NO_KEY | {"COGNY_API_KEY": KEY})
    assert told["api_key"]["origin"] == "COGNY_API_KEY"


def test_without_a_key_the_rest_is_shown_and_the_exit_code_is_2(cogny: Script) -> None:
    """As a sync would refuse to begin."""
    done = cogny("config", expect=2, **NO_KEY)
    assert done.stdout.splitlines()[0].split() == ["api_key", "-", "not", "set"]
    assert done.stderr.startswith("Error: No API key.")


def test_what_is_no_setting_is_told(cogny: Script, write: Write) -> None:
    """A name with a letter too many, in a variable or in a file; a variable in small letters is not read by dlt."""
    write("config.toml", "[sources.cogny]\nchunkrows = 500\n")
    variables = {"SOURCES__COGNY__WORKER": "2", "sources__cogny__workers": "2"}
    told, unknown = read(cogny, variables)
    assert unknown[:2] == ["SOURCES__COGNY__WORKER", "sources__cogny__workers"]
    assert unknown[2].startswith("chunkrows in ")
    assert unknown[2].endswith("config.toml")
    assert told["workers"]["origin"] == "default"
    assert cogny("config", **variables).stderr.splitlines()[0] == "No setting has this name: SOURCES__COGNY__WORKER"


def test_a_setting_that_cannot_work_is_shown_and_refused(cogny: Script) -> None:
    """With the sentence of a sync."""
    done = cogny("config", expect=2, SOURCES__COGNY__WORKERS="0")
    assert "workers" in done.stdout
    assert done.stderr == "Error: workers must be greater than 0\n"
