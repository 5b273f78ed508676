"""The benchmarks run, at sizes that tell nothing of speed, and their page says what was measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from budget import BUDGET, windows_of
from figures import Figure, Figures
from loads import IMPORTS, LOADS, REFERENCE
from million import MILLION
from programs import CONNECTOR, DLT_DEFAULT, FLOOR
from report import write_report
from requests_needed import REQUESTS

from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import KEY, ROOT

BENCHMARKS = ROOT / "benchmarks"
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def run_script(script: str, *arguments: str, folder: Path, **variables: str) -> str:
    """Run a script of the benchmarks to its end; what it printed."""
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    ended = subprocess.run(
        command, cwd=folder, env=os.environ | variables, stdout=subprocess.PIPE, text=True, check=True
    )
    return ended.stdout


def read_floor(folder: Path) -> dict[str, tuple[Any, ...]]:
    """What the floor holds of each ticket, by id."""
    with duckdb.connect(str(folder / "floor.duckdb"), read_only=True) as database:
        rows = database.execute(
            "SELECT id, status, notes, updated_at, confidence, supporting_data::VARCHAR, "
            "(SELECT coalesce(list(value ORDER BY position), []) FROM tickets__action_items WHERE parent_id = id) "
            "FROM tickets"
        ).fetchall()
    assert len(rows) == len({row[0] for row in rows})
    return {row[0]: (*row[1:5], json.loads(row[5]), row[6]) for row in rows}


def read_truth(world: World) -> dict[str, tuple[Any, ...]]:
    """The same of the sandbox."""
    return {
        row["id"]: (
            row["status"],
            row["notes"],
            datetime.fromisoformat(row["updated_at"]),
            row["estimated_impact"]["confidence"],
            row["supporting_data"],
            row["action_items"],
        )
        for row in world.rows("tickets")
    }


def test_floor_holds_what_the_api_lists(tmp_path: Path) -> None:
    """What is compared with does the same work: all rows, then what changed, with lists."""
    with SandboxServer(World(seed=1, tickets=230, now=NOW)) as sandbox:
        given = {"SOURCES__COGNY__BASE_URL": sandbox.base_url, "SOURCES__COGNY__API_KEY": KEY}
        for turn in (1, 2):
            run_script("peers/floor.py", folder=tmp_path, **given)
            assert read_floor(tmp_path) == read_truth(sandbox.world)
            if turn == 1:
                asked = len(sandbox.requests)
                sandbox.world.advance(NOW + timedelta(hours=1), created=7, changed=40)
        assert len(sandbox.requests) - asked == 3


@pytest.mark.long
def test_models_of_an_account_are_measured(tmp_path: Path) -> None:
    """Build and tests, each with its time and memory; a small account here."""
    lines = run_script("million_models.py", "--tickets", "300", folder=tmp_path).splitlines()
    assert lines[0].startswith("300 tickets with ")
    assert [line.split()[0] for line in lines[1:]] == ["build", "test"]


def test_quick_look_measures_three_programs(tmp_path: Path) -> None:
    """The bare download, the floor and the connector run against a sandbox of the benchmarks."""
    lines = run_script("first_load.py", "--tickets", "100", folder=tmp_path).splitlines()
    assert [line[:41].split("  ")[0].strip() for line in lines] == [
        "bare download",
        *["floor, by hand"] * 2,
        *["this connector"] * 2,
    ]


@pytest.mark.long
def test_suite_writes_its_page(tmp_path: Path) -> None:
    """One benchmark of the suite, divided by a thousand, ends in a page with its targets and its table."""
    run_script("run.py", "--only", "requests", "--scale", "1000", "--output", str(tmp_path), folder=tmp_path)
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "| No change: two requests a resource at most | 2 | met |" in page
    assert "| first load, tickets | 20 | 2 | 3 |" in page
    kept = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert REQUESTS.tabulate(Figures.from_dict(kept["benchmarks"]["requests"]["figures"]))[2:][1] in page


def make_loads() -> Figures:
    """Figures of loads that nobody measured."""
    figures = Figures(facts={"tickets lost": {FLOOR.name: 0, CONNECTOR.name: 3}}, missing=["a peer: not installed"])
    for program, what, tickets, wall in (
        (FLOOR.name, "first load", 100_000, 3.0),
        (CONNECTOR.name, "first load", 100_000, 4.5),
        (DLT_DEFAULT.name, "first load", 100_000, 45.0),
        (IMPORTS, "no change", 100_000, 1.0),
        (CONNECTOR.name, "no change", 100_000, 1.75),
    ):
        figures.measured.append(Figure(program, what, tickets, wall, 1.0, 250.0))
    return figures


def test_targets_stand_beside_what_was_measured() -> None:
    """Ratios are taken at the same size, and a target that is missed is said to be."""
    told = [(verdict.measured, verdict.is_met) for verdict in LOADS.judge(make_loads())]
    assert told == [
        ("1.50 (4.5 s / 3.0 s)", True),
        ("1.50 (4.5 s / 3.0 s)", False),
        ("0.10 (4.5 s / 45.0 s)", False),
        ("250 MB", True),
        ("0.75 s (1.75 s - 1.00 s)", False),
    ]


def test_budget_is_judged_from_the_second_full_window_on() -> None:
    """The windows at both ends are cut short, and the first full one is where the pace is found."""
    windows = [{"answered": count, "refused": refused} for count, refused in ((400, 0), (700, 1), (990, 0), (7, 0))]
    told = [(verdict.measured, verdict.is_met) for verdict in BUDGET.judge(Figures(facts={"with headers": windows}))]
    assert told == [("99.0%", True), ("1", False)]


def test_page_of_an_earlier_day_can_be_written_again(tmp_path: Path) -> None:
    """The page comes from what was kept: programs, what they lost, and what is missing."""
    kept = {"date": "2025-06-01", "commit": "abc1234", "seconds": 9, "figures": make_loads().as_dict()}
    results = {"machine": {"cores": "2"}, "divisor": 1, "benchmarks": {"loads": json.loads(json.dumps(kept))}}
    write_report(tmp_path / "RESULTS.md", results, [LOADS, MILLION], "picture.png")
    page = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "| this connector | 100,000 | 4.5 / 1.0 / 250 | 1.8 / 1.0 / 250 |  | 3 |" in page
    assert f"| `{REFERENCE[-1]}` |  |  | 1.0 |  |  |" in page
    assert "- a peer: not installed" in page
    assert "![Rows against seconds](picture.png)" in page
    assert MILLION.title not in page


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], []),
        ([(59.9, 200), (60.0, 200), (60.1, 429), (119.9, 200)], [(1, 0), (2, 1)]),
    ],
)
def test_requests_are_counted_by_the_window(seconds: list[Any], expected: list[Any]) -> None:
    """Windows begin on the minute; what was refused is not what was answered."""
    windows = windows_of([{"time": time, "status": status} for time, status in seconds])
    assert [(window["answered"], window["refused"]) for window in windows] == expected
