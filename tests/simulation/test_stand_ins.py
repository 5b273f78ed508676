"""What stands for slow parts in a simulation does what they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from cogny_source.extract.pool import ThreadPool
from cogny_source.reconcile.comparison import Comparison
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.records.package import Package
from cogny_source.windows import Window
from tests.simulation.comparison import PlainComparison
from tests.simulation.model import SMALL_ENDPOINTS
from tests.simulation.schedule import Scheduler
from tests.simulation.tables import Tables
from tests.simulation.world import BORN, stamp

SPEC = SMALL_ENDPOINTS["tickets"].table


def draw_rows(rng: Random) -> list[dict[str, Any]]:
    """Some tickets; one may lack a date."""
    rows = []
    for number in sorted(rng.sample(range(6), rng.randint(0, 6))):
        dated = stamp(BORN.replace(day=1 + rng.randrange(5)))
        items = ["a", "b"][: rng.randrange(3)]
        created = None if rng.random() < 0.2 else stamp(BORN)
        row = {"id": f"tkt_{number}", "title": rng.choice("xy"), "created_at": created, "updated_at": dated}
        rows.append(row | {"action_items": items})
    return rows


def build(rows: list[dict[str, Any]]) -> Chunk:
    """The rows as a chunk."""
    builder = ChunkBuilder(SPEC)
    builder.add(rows)
    return builder.build({})


@contextmanager
def both(tables: Tables) -> Iterator[tuple[Comparison, PlainComparison]]:
    """Both comparisons with the same tables."""
    window = Window()
    with Comparison.with_destination(tables, SPEC, window) as one:
        yield one, PlainComparison.with_destination(tables, SPEC, window)


@pytest.mark.parametrize("seed", range(12))
def test_plain_comparison_answers_as_duckdb_does(seed: int) -> None:
    """Every question has the same answer, whatever either side holds."""
    rng = Random(seed)
    tables = Tables(lambda _: None)
    tables.load(Package({"tickets": build(draw_rows(rng))}, "token"))
    for key in tables.rows["tickets"]:
        tables.rows["tickets"][key]["deleted_at"] = BORN if rng.random() < 0.2 else None
    if rng.random() < 0.3:
        orphan = {"ticket_id": "tkt_orphan", "position": 0, "value": "x"}
        tables.lists["tickets__action_items"]["tkt_orphan"] = [orphan]
    with both(tables) as (one, other):
        for _ in range(2):
            chunk = build(draw_rows(rng))
            if chunk.tables:
                left, right = one.take_theirs(chunk.tables), other.take_theirs(chunk.tables)
                assert (sorted(left.keys), left.older, left.missing, left.marked) == (
                    sorted(right.keys), right.older, right.missing, right.marked
                )  # fmt: skip
            assert one.any_listed() == other.any_listed()
            assert one.count_live() == other.count_live()
            assert [one.gone(dated_only=flag) for flag in (True, False)] == [
                other.gone(dated_only=flag) for flag in (True, False)
            ]
            assert one.orphans("tickets__action_items") == other.orphans("tickets__action_items")
            assert one.doubled() == other.doubled()
            assert sorted(one.differing(), key=repr) == sorted(other.differing(), key=repr)


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_scheduled_pool_runs_each_task_once(seed: int | None) -> None:
    """As a pool of threads does; the seed decides in which order."""
    scheduler = Scheduler(None if seed is None else Random(seed))
    done: list[int] = []
    with scheduler.open_pool(2, "any") as pool:
        running = {pool.submit(done.append, number) for number in range(5)}
        while running:
            running -= pool.wait_for_any(running)
    assert sorted(done) == list(range(5))
    assert (done == list(range(5))) == (seed is None)


def test_thread_pool_tells_which_tasks_are_done() -> None:
    """At least one of those that are waited for."""
    with ThreadPool(2, "any") as pool:
        futures = {pool.submit(int, "7"), pool.submit(int, "8")}
        done = pool.wait_for_any(futures)
        assert done
        assert done <= futures
    assert {future.result() for future in futures} == {7, 8}
