"""The script, or its command, as a user runs it against the sandbox, compared cell by cell with its truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, ROOT, Script
from tests.support.truth import Ask, assert_exact


def test_first_sync_brings_every_cell(sandbox: SandboxServer, script: Script, database: Ask) -> None:
    """After the first sync every table equals the API."""
    script()
    assert_exact(database, sandbox.world)
    assert database("SELECT resource, mode, status FROM sync_runs ORDER BY ALL") == [
        ("report_contents", "contents", "done"),
        ("reports", "backfill", "done"),
        ("tickets", "backfill", "done"),
        ("warehouses", "full", "done"),
    ]


def test_missing_key_names_the_places_to_put_it(script: Script, tmp_path: Path) -> None:
    """Without a key the script exits with 2 and three lines: environment, secrets file, sandbox."""
    done = script(expect=2, SOURCES__COGNY__API_KEY="")
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert "SOURCES__COGNY__API_KEY" in lines[0]
    assert ".dlt/secrets.toml" in lines[1]
    assert "--sandbox" in lines[2]
    assert not (tmp_path / "cogny.duckdb").exists()


def test_settings_may_stand_in_files(sandbox: SandboxServer, script: Script, database: Ask, tmp_path: Path) -> None:
    """The key in `.dlt/secrets.toml` and the rest in `.dlt/config.toml` do as well as the environment."""
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "secrets.toml").write_text(f'[sources.cogny]\napi_key = "{KEY}"\n')
    config = f'[sources.cogny]\nbase_url = "{sandbox.base_url}"\nauth_header = "x-api-key"\nchunk_rows = 100\n'
    (tmp_path / ".dlt" / "config.toml").write_text(config)
    script(SOURCES__COGNY__API_KEY="", SOURCES__COGNY__BASE_URL="")
    assert_exact(database, sandbox.world)


def test_locked_database_is_named(script: Script, tmp_path: Path) -> None:
    """A database that an analyst's session holds fails the run with that cause, and nothing is lost."""
    holder = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "cogny.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        done = script(expect=1, SOURCES__COGNY__DESTINATION_WAIT_SECONDS="3")
        process.communicate()
    lines = done.stderr.splitlines()
    assert "waiting for the database, up to 3 s" in lines[1]
    assert "another process still holds the database after 3 s" in lines[-1]
    assert "Could not set lock on file" in lines[-1]
    assert "Traceback" not in done.stderr
    script()


def test_wrong_key_exits_with_2_and_keeps_it_secret(script: Script, tmp_path: Path) -> None:
    """A refused key is named as such, with the request id, and appears in no output and no file."""
    secret = "sk_live_thisIsNotAKey"
    done = script("--verbose", expect=2, SOURCES__COGNY__API_KEY=secret)
    assert "status 401" in done.stderr
    assert "request id" in done.stderr
    assert secret not in done.stdout + done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_key_is_written_nowhere(script: Script, tmp_path: Path) -> None:
    """After a sync with JSON logs no file of the working directory or the database holds the key."""
    done = script("--log-format", "json")
    assert KEY not in done.stdout + done.stderr
    assert [json.loads(line)["level"] for line in done.stderr.splitlines()]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_deleted_working_directory_is_restored(
    sandbox: SandboxServer, script: Script, database: Ask, environment: dict[str, str]
) -> None:
    """The state comes back from the destination: the next sync is incremental."""
    script()
    for path in sorted(Path(environment["HOME"]).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    script()
    assert database("SELECT count(*) FROM sync_runs WHERE mode = 'incremental'") == [(2,)]
    assert_exact(database, sandbox.world)


def test_sandbox_option_brings_changes_on_its_second_run(script: Script, database: Ask) -> None:
    """`--sandbox` needs no key, and its world has moved on by the second run."""
    first = script("--sandbox", SOURCES__COGNY__API_KEY="", SOURCES__COGNY__BASE_URL="")
    [(before,)] = database("SELECT count(*) FROM tickets")
    second = script("--sandbox", SOURCES__COGNY__API_KEY="", SOURCES__COGNY__BASE_URL="")
    [(after,)] = database("SELECT count(*) FROM tickets")
    assert before == 5000
    assert after > before
    assert database("SELECT sum(retries), sum(throttled) FROM sync_runs") == [(0, 0)]
    for done in (first, second):
        assert "Open tickets" in done.stdout
        assert done.stdout.splitlines()[-1].startswith("To ask it: ")


def test_a_summary_that_cannot_be_written_is_told(
    sandbox: SandboxServer, environment: dict[str, str], database: Ask, tmp_path: Path
) -> None:
    """Where the log of a schedule lies on a full disk the rows are in all the same, and no traceback comes."""
    settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    command = [sys.executable, str(ROOT / "pipelines" / "cogny_to_duckdb.py")]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment | settings, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "WARNING the rows are loaded, but the summary cannot be written: No space left on device" in done.stderr
    assert_exact(database, sandbox.world)
