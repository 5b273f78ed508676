"""What only reads: it opens a destination beside whoever else does, writes nothing, and ends within seconds."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from cogny_source.cli import session
from cogny_source.engine.working_dir import hold_lock, is_locked
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, Script

Run = Callable[..., "subprocess.CompletedProcess[str]"]
COMMANDS = [("status", "--format", "json"), ("dashboard",)]
# Root may write whatever the mode of a file says, but for a process that has let go of that.
LIMITED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
needs_limits = pytest.mark.usefixtures("limits")


@pytest.fixture
def limits() -> None:
    """What takes from root what a user lacks; a skip where it is missing, but a failure in CI."""
    if LIMITED and shutil.which("setpriv") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("setpriv is not here, and root may write everything")


@contextmanager
def session_of_an_analyst(database: str, *, read_only: bool) -> Iterator[None]:
    """A process that holds a database open within the block."""
    code = f"import duckdb; c = duckdb.connect({database!r}, read_only={read_only}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield
        finally:
            process.communicate("\n", timeout=30)


@pytest.fixture
def read(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run the command in a process of its own, which may only read what is not open to all, in a folder of its own."""
    folder = tmp_path / "reader"
    folder.mkdir()

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*LIMITED, sys.executable, "-m", "cogny_source", *arguments],
            cwd=folder,
            env={**environment, "TMPDIR": str(folder), **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def digest_files(folder: Path) -> dict[str, str]:
    """The content of each file of a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write into a folder within the block."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in reversed(paths):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield
    for path in paths:
        path.chmod(modes[path])


@pytest.mark.parametrize("command", COMMANDS)
def test_session_that_reads_keeps_no_reader_out(cogny: Script, command: tuple[str, ...]) -> None:
    """An analyst's notebook is open all day; a monitor asks every minute."""
    cogny("sync", "duckdb", "--quiet")
    with session_of_an_analyst("cogny.duckdb", read_only=True):
        assert cogny(*command).stderr == ""


def test_session_that_writes_is_not_waited_for_long(cogny: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB lets nobody in beside it: the monitor reads why, in JSON, within seconds."""
    assert session.WAIT_SECONDS <= 5
    monkeypatch.setattr(session, "WAIT_SECONDS", 0.0)
    cogny("sync", "duckdb", "--quiet")
    with session_of_an_analyst("cogny.duckdb", read_only=False):
        done = cogny("status", "--format", "json", expect=1)
        assert "another process still holds the database" in cogny("dashboard", expect=1).stderr
    [found] = json.loads(done.stdout)["findings"]
    assert (found["kind"], found["level"]) == ("not_read", "error")
    assert "another process still holds the database" in found["sentence"]


def test_load_of_a_run_is_waited_for(cogny: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the database for seconds, and a monitor that asks meanwhile must not alarm."""
    monkeypatch.setattr(session, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(session, "WAIT_FOR_RUN_SECONDS", 1.0)
    cogny("sync", "duckdb", "--quiet")
    [lock] = (tmp_path / "home" / ".dlt").rglob("cogny.lock")
    with hold_lock(lock.parent, "cogny"), session_of_an_analyst("cogny.duckdb", read_only=False):
        assert "after 1 s" in cogny("status", expect=1).stderr


@needs_limits
@pytest.mark.parametrize("destination", ["duckdb", "parquet"])
def test_user_who_may_only_read_is_told(cogny: Script, read: Run, tmp_path: Path, destination: str) -> None:
    """Of a dataset in a folder of another user, without a place in its working directory; nothing there changes."""
    folder, home = tmp_path / "data", tmp_path / "home"
    folder.mkdir()
    place = {"duckdb": ("--database", str(folder / "g.duckdb")), "parquet": ("--bucket-url", str(folder / "g"))}
    cogny("sync", destination, *place[destination], "--quiet")
    before = digest_files(folder)
    with read_only(folder), read_only(home):
        done = read("status", destination, *place[destination], "--format", "json")
        assert (done.returncode, done.stderr) == (0, "")
        told = json.loads(done.stdout)
        assert [(known["level"], known["rows"]) for known in told["resources"]] == [("ok", 450), ("ok", 40), ("ok", 5)]
        done = read("dashboard", destination, *place[destination])
        assert (done.returncode, done.stdout, done.stderr) == (0, "report.html is written.\n", "")
    assert digest_files(folder) == before


@needs_limits
def test_sync_into_a_folder_that_may_only_be_read_is_refused(cogny: Script, read: Run, sandbox: SandboxServer) -> None:
    """In a sentence that names the folder, though no lock can be taken there."""
    cogny("sync", "parquet", "--quiet")
    folder = Path("cogny_parquet").resolve()
    key = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    sandbox.world.advance(sandbox.world.now + timedelta(hours=1), created=5, changed=5)
    with read_only(folder):
        done = read("sync", "parquet", "--bucket-url", str(folder), "--quiet", **key)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert re.search(r"^Error: .*[Pp]ermission denied.*", done.stderr, re.MULTILINE)
    assert str(folder) in done.stderr


@needs_limits
def test_file_that_may_not_be_read_is_told_in_json(cogny: Script, read: Run, tmp_path: Path) -> None:
    """As what it is, and not as a usage of the command."""
    cogny("sync", "duckdb", "--quiet")
    (tmp_path / "cogny.duckdb").chmod(0)
    done = read("status", "--database", str(tmp_path / "cogny.duckdb"), "--format", "json")
    [found] = json.loads(done.stdout)["findings"]
    assert (done.returncode, found["kind"]) == (2, "not_read")
    assert found["sentence"].endswith("cogny.duckdb cannot be read: this user has no permission")


def test_what_a_killed_writer_left_is_read_and_stays(cogny: Script, tmp_path: Path) -> None:
    """DuckDB's log beside the file holds what was committed last."""
    cogny("sync", "duckdb", "--quiet")
    code = (
        "import duckdb, os; c = duckdb.connect('cogny.duckdb'); c.execute(\"UPDATE cogny_data.tickets SET deleted_at ="
        ' now()"); os._exit(9)'
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("cogny.duckdb*")}
    assert "cogny.duckdb.wal" in before
    told = json.loads(cogny("status", "--format", "json").stdout)
    assert (told["resources"][0]["rows"], told["resources"][0]["deleted_rows"]) == (0, 450)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("cogny.duckdb*")} == before


@needs_limits
def test_run_of_another_user_is_seen(tmp_path: Path) -> None:
    """Whoever may only read the lock knows that it is held, and takes it from nobody."""
    with hold_lock(tmp_path, "cogny"):
        lock = tmp_path / "cogny.lock"
        lock.chmod(0o444)
        code = (
            "from pathlib import Path; from cogny_source.engine.working_dir import is_locked;"
            f" print(is_locked(Path({str(tmp_path)!r}), 'cogny'))"
        )
        done = subprocess.run([*LIMITED, sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert done.stdout == "True\n", done.stderr
    assert not is_locked(tmp_path, "cogny")
    assert not is_locked(tmp_path / "nowhere", "cogny")
