"""dlt's settings files: what is wrong with one is told in a sentence, with its place and without the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.syncs import Script

KEY = "sk_live_7f3a9c51"
SECTION = b"[sources.cogny]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that dlt reads, empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLT_PROJECT_DIR", raising=False)
    settings = tmp_path / ".dlt"
    settings.mkdir()
    return settings


@pytest.mark.parametrize("command", [("status",), ("dashboard",), ("reset", "tickets"), ("check",), ("sync", "duckdb")])
def test_each_command_tells_of_it_first(cogny: Script, folder: Path, command: tuple[str, ...]) -> None:
    """In one sentence, with exit code 2."""
    (folder / "secrets.toml").write_bytes(SECTION + f"api_key = {KEY}\n".encode())
    done = cogny(*command, expect=2)
    assert done.stderr.splitlines()[-1].startswith("Error: .dlt/secrets.toml is no TOML at line 2, column 11: ")
    assert KEY not in done.stdout + done.stderr
    (folder / "secrets.toml").unlink()
