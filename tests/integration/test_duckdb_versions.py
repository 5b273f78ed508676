"""Files that one version of DuckDB made, opened with another."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import duckdb
import pytest

from cogny_source.destinations.duckdb_engine import MAJOR
from cogny_source.installation import describe_install
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, ROOT, Script
from tests.support.truth import Ask, assert_exact

COMMANDS = [("status",), ("dashboard",), ("sync", "duckdb"), ("sync", "duckdb", "--check"), ("verify",), ("census",)]
# An environment with DuckDB 1, which `make duckdb1` makes.
OTHER = ROOT / ".venv-duckdb1" / "bin" / "cogny"
MADE_LATER = "the database was made with a newer DuckDB than"


def what_to_do() -> str:
    """The end of the sentence, as it is told in the present folder."""
    return f"{describe_install(['duckdb'], upgrade=True)}, or name another file"


def make_file_of_a_later_version(path: Path) -> None:
    """A database whose header has a version that no DuckDB reads yet, and the checksum that belongs to it."""
    duckdb.connect(str(path)).close()
    with path.open("r+b") as file:
        header = file.read(16)
        later = header[8:12] + (9999).to_bytes(4, "little")
        difference = [int.from_bytes(word, "little") * 0xBF58476D1CE4E5B9 for word in (header[8:], later)]
        checksum = int.from_bytes(header[:8], "little") ^ ((difference[0] ^ difference[1]) & (2**64 - 1))
        file.seek(0)
        file.write(checksum.to_bytes(8, "little") + later)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_file_of_a_later_version_is_refused(cogny: Script, command: tuple[str, ...]) -> None:
    """In one sentence that says what to do, and it is left as it is."""
    path = Path("later.duckdb")
    make_file_of_a_later_version(path)
    before = path.read_bytes()
    done = cogny(*command, "--database", str(path), expect=2)
    assert f"{MADE_LATER} the installed version {duckdb.__version__}: {what_to_do()}" in done.stdout + done.stderr
    assert path.read_bytes() == before


@pytest.fixture
def both_versions() -> None:
    """DuckDB 2 here, and the environment with DuckDB 1; a skip where one is missing, but a failure in CI."""
    if MAJOR < 2 or not OTHER.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("both versions of DuckDB are not here: make duckdb1")


@pytest.mark.usefixtures("both_versions")
class TestBothVersions:
    """DuckDB 1 in a process of its own, the newest one in this."""

    @pytest.fixture
    def older(self, tmp_path: Path, environment: dict[str, str], sandbox: SandboxServer) -> Script:
        """Run the command `cogny` with DuckDB 1."""

        def run(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
            settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
            done = subprocess.run(
                [OTHER, *arguments],
                cwd=tmp_path,
                env={**os.environ, **environment, **settings},
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == expect, done.stdout + done.stderr
            return done

        return run

    def test_file_of_duckdb_1_is_loaded_into_by_both(
        self, sandbox: SandboxServer, older: Script, sync_here: Script, database: Ask
    ) -> None:
        """In turns, and each goes on where the other ended."""
        older("sync", "duckdb", "--quiet", "--chunk-rows", "200")
        for turn in ("first", "second"):
            tickets = sandbox.world.rows("tickets")
            sandbox.world.patch("tickets", tickets[3]["id"], action_items=[turn], notes="by the newest")
            sync_here("--quiet")
            assert_exact(database, sandbox.world)
            sandbox.world.patch("tickets", tickets[5]["id"], action_items=[], notes=turn)
            older("sync", "duckdb", "--quiet", "--verify")
            assert_exact(database, sandbox.world)

    def test_file_of_the_newest_is_refused_by_duckdb_1(
        self, sandbox: SandboxServer, older: Script, sync_here: Script, database: Ask
    ) -> None:
        """In one sentence; nothing in it changes."""
        sync_here("--quiet")
        assert f"{MADE_LATER} the installed version 1." in older("sync", "duckdb", expect=2).stderr
        assert_exact(database, sandbox.world)
