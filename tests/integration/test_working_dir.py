"""What an earlier run left: pending packages, damaged files, a refused load, a full disk. Nothing is lost, or twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common.storages.load_package import PackageStorage

from cogny_source import cogny_source, sync
from cogny_source.engine.working_dir import open_pipeline
from cogny_source.errors import LoadFailed
from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import KEY, NAME, each_page, make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact

FILES = (
    "state.json",
    "schemas/cogny.schema.json",
    "load/.version",
    "normalize/.version",
    "*/new/*/schema.json",
    "*/new/*/load_package_state.json",
    "*/new/*/new_jobs/tickets.*",
    "normalize/extracted/*/schema.json",
    "normalize/extracted/*/new_jobs/tickets.*",
    "load/normalized/*/schema.json",
    "load/normalized/*/new_jobs/tickets.*",
)


@pytest.fixture
def small() -> Iterator[SandboxServer]:
    """A sandbox with 40 tickets, 20 reports and 3 warehouses."""
    with SandboxServer(World(seed=11, tickets=40, reports=20, warehouses=3)) as server:
        yield server


def leave_pending(sandbox: SandboxServer, pipeline: dlt.Pipeline, *, normalized: bool = False) -> None:
    """Change a row and leave its package pending, as a process killed before the load does."""
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[0]["id"], notes="while away")
    source = cogny_source(api_key=KEY, base_url=sandbox.base_url).with_resources("tickets")
    pipeline.extract(source, loader_file_format="parquet")
    if normalized:
        pipeline.normalize()


def test_pending_package_is_read_again(small: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """What was extracted and never committed is let go, and comes from the API again."""
    sync(pipeline, settings_for(small))
    leave_pending(small, pipeline)
    assert make_pipeline(tmp_path).has_pending_data
    sync(make_pipeline(tmp_path), settings_for(small))
    assert_exact(ask, small.world)


def test_pending_package_of_a_deleted_database_is_let_go(
    small: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A package whose database is gone would bring a watermark without the rows before it: all is read anew."""
    sync(pipeline, settings_for(small))
    leave_pending(small, pipeline)
    (tmp_path / "cogny.duckdb").unlink()
    sync(make_pipeline(tmp_path), settings_for(small))
    assert_exact(ask, small.world)


class Killed(BaseException):
    """Stands for SIGKILL within a test's own process."""


@pytest.mark.parametrize("jobs", [1, 4, 7, 11])
def test_kill_between_commit_and_note_doubles_no_row(
    jobs: int,
    small: SandboxServer,
    pipeline: dlt.Pipeline,
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after the database took a table and before dlt noted it, the next run leaves each row there once."""
    completed = 0
    complete_job = PackageStorage.complete_job

    def die_at_last(storage: PackageStorage, *arguments: Any) -> Any:
        nonlocal completed
        completed += 1
        if completed == jobs:
            raise Killed
        return complete_job(storage, *arguments)

    monkeypatch.setattr(PackageStorage, "complete_job", die_at_last)
    with pytest.raises(Killed):
        sync(pipeline, settings_for(small))
    monkeypatch.undo()
    sync(make_pipeline(tmp_path), settings_for(small))
    assert_exact(ask, small.world)
    for table in ("tickets_history", "reports_history"):
        assert ask(f"SELECT count(*) - count(DISTINCT (id, updated_at)) FROM {table}") == [(0,)]


def damage(path: Path, how: str) -> None:
    """Leave a file as a crash or a bad disk may."""
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "half": content[: len(content) // 2], "garbage": b"\xff\x00\x9c{"}[how])


@pytest.mark.parametrize("normalized", [pytest.param(False, marks=pytest.mark.long), True])
def test_damaged_working_directory_is_made_anew(
    small: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, *, normalized: bool
) -> None:
    """Whichever file of a working directory is empty, cut short, overwritten or gone: the next sync is exact."""
    sync(pipeline, settings_for(small))
    leave_pending(small, pipeline, normalized=normalized)
    folder = tmp_path / "pipelines"
    shutil.copytree(folder, tmp_path / "kept")
    shutil.copy(tmp_path / "cogny.duckdb", tmp_path / "kept.duckdb")
    victims = [path.relative_to(tmp_path / "kept") for name in FILES for path in (tmp_path / "kept" / NAME).glob(name)]
    assert len(victims) >= 6
    for number, victim in enumerate(victims):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "kept", folder)
        shutil.copy(tmp_path / "kept.duckdb", tmp_path / "cogny.duckdb")
        damage(folder / victim, ("empty", "half", "garbage", "gone")[number % 4])
        sync(open_pipeline(lambda: make_pipeline(tmp_path), folder, NAME), settings_for(small))
        assert_exact(ask, small.world)


def test_working_directory_that_is_a_file_is_replaced(
    small: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Even that is no reason to stop."""
    sync(pipeline, settings_for(small))
    shutil.rmtree(tmp_path / "pipelines" / NAME)
    (tmp_path / "pipelines" / NAME).write_text("not a folder")
    sync(open_pipeline(lambda: make_pipeline(tmp_path), tmp_path / "pipelines", NAME), settings_for(small))
    assert_exact(ask, small.world)


def test_refused_load_is_named_and_read_again(
    small: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A package that fails to load is named with its cause and the remedy; once that is mended, nothing is lost."""
    sync(pipeline, settings_for(small))
    ask("ALTER TABLE tickets RENAME TO tickets_away; CREATE VIEW tickets AS FROM tickets_away")
    small.world.patch("tickets", small.world.rows("tickets")[0]["id"], notes="changed")
    message = r"refused load package [\d.]+: .*delete from base table.* run the same command again"
    with pytest.raises(LoadFailed, match=message):
        sync(make_pipeline(tmp_path), settings_for(small))
    ask("DROP VIEW tickets; ALTER TABLE tickets_away RENAME TO tickets")
    sync(make_pipeline(tmp_path), settings_for(small))
    assert_exact(ask, small.world)
    ended = ask("SELECT status, error LIKE '%refused load package%' FROM sync_runs WHERE status <> 'done'")
    assert ended == [("failed", True)] * 3


def test_killed_run_is_on_record(
    small: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ended without a word is in `sync_runs` once another one has loaded."""

    def die(*_: Any) -> None:
        raise Killed

    with pytest.raises(Killed):
        sync(pipeline, settings_for(small), progress=each_page(die))
    sync(make_pipeline(tmp_path), settings_for(small))
    assert ask("SELECT resource, status FROM sync_runs WHERE status <> 'done' ORDER BY 1") == [
        ("reports", "killed"),
        ("tickets", "killed"),
        ("warehouses", "killed"),
    ]
    assert not list((tmp_path / "pipelines").glob("*.runs/*"))


def test_record_that_cannot_be_read_is_told(
    small: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged record of an earlier run is named and let go; it stops no sync."""
    folder = tmp_path / "pipelines" / f"{NAME}.runs"
    folder.mkdir(parents=True)
    (folder / "one.json").write_text("[{")
    (folder / "two.json").write_text('[{"run_id": "two", "requests": "many"}]')
    sync(pipeline, settings_for(small))
    assert sum("the record of an earlier run cannot be read" in line for line in caplog.messages) == 2
    assert not list(folder.glob("*"))
