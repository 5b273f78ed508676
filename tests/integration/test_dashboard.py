"""The report: each figure equals the sandbox's rows, whatever the destination holds or lacks."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.dashboard import write_report
from cogny_source.dashboard.ticket_metrics import Promise
from cogny_source.destinations.registry import open_session
from cogny_source.engine.run_record import SyncResult
from cogny_source.errors import AuthError, ConfigError, LoadFailed
from cogny_source.formatting import span
from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.rows import report_content
from cogny_source.settings import Settings
from tests.support.contents import list_completed
from tests.support.places import BigQueryPlace, DuckDBPlace, FolderPlace, Place
from tests.support.report_page import (
    Page,
    Seen,
    open_tickets,
    tell_advice,
    tell_ages,
    tell_confidences,
    tell_groups,
    tell_impacts,
    tell_lasted,
    tell_newest,
    tell_outcomes,
    tell_stays,
    tell_weeks,
)
from tests.support.syncs import KEY, Script, make_pipeline, settings_for
from tests.support.truth import Ask, instant

KINDS = ("duckdb", "parquet", "delta", pytest.param("bigquery", marks=pytest.mark.long))
NAMES = {
    "DuckDB": "duckdb, cogny_data ·",
    "Parquet": "parquet, tables ·",
    "Delta": "delta, tables ·",
    "BigQuery": "bigquery, cogny_",
}
FIGURES = {"weeks", "ages", "groups", "impacts", "visits", "outcomes", "lasted", "live", "read", "took", "waits"}
# What a page that loads nothing is made of.
ELEMENTS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "main", "footer", "section", "article"),
    *("div", "span", "p", "h1", "h2", "h3", "ul", "ol", "li", "dl", "dt", "dd", "figure", "figcaption", "details"),
    *("summary", "table", "thead", "tbody", "tr", "th", "td", "time", "strong", "code", "bdi", "a"),
    *("svg", "text", "rect", "line", "circle"),
}
ICON = "data:image/svg+xml;base64,"
HOSTILE = [
    "</style></title><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}",
    "W" * 5000,
    "\u202eesrever\u202e \u2067isolated",
    "تحسين صفحة الدفع 👩‍👩‍👧 Z̶̡̛͇a̷l̴g̵o̶\nsecond line\t\x7f",
]


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox with a small world."""
    with SandboxServer(World(seed=11, tickets=240, reports=50, warehouses=4)) as server:
        yield server


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty destination of each kind."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    if request.param == "duckdb":
        return DuckDBPlace(tmp_path)
    if request.param == "bigquery":
        return BigQueryPlace(request.getfixturevalue("bigquery"), tmp_path)
    return FolderPlace(tmp_path, request.param)


def read_page(pipeline: dlt.Pipeline, folder: Path, now: datetime) -> Page:
    """Write the report, and read it."""
    out = folder / "report.html"
    write_report(open_session(pipeline, 10), out, now)
    return Page(out.read_text("utf-8"))


def test_every_figure_equals_the_rows(place: Place, sandbox: SandboxServer, tmp_path: Path) -> None:
    """After changes and deletions, on a machine that never synced, each table tells what plain Python finds."""
    seen, results = Seen(), []
    # A sync takes the emulator twenty seconds.
    for turn in range(2 if isinstance(place, BigQueryPlace) else 3):
        if turn:
            sandbox.world.advance(datetime.now(UTC), created=12, changed=90, deleted=2)
        results.append(sync(place.pipeline(), settings_for(sandbox, contents="all")))
        seen.look(sandbox.world.rows("tickets"))
    now = sandbox.world.now
    page = read_page(place.pipeline("elsewhere"), tmp_path, now)
    tickets, reports = sandbox.world.rows("tickets"), sandbox.world.rows("reports")
    assert page.tables["weeks"] == tell_weeks(tickets, seen.closed_at, now, results[0].resources[0].started_at)
    undated = sum(seen.closed_at(row["id"]) is None for row in tickets if row["status"] in ("completed", "dismissed"))
    assert f"({undated:,} of them)" in page.texts["note"][0]
    assert page.tables["groups"] == tell_groups(tickets, sandbox.world.rows("warehouses"))
    assert page.tables["ages"] == tell_ages(tickets, now)
    assert page.tables["impacts"] == tell_impacts(tickets)
    assert page.tables["visits"] == tell_stays(seen.stays(), span)
    assert page.tables["outcomes"] == tell_outcomes(reports)
    assert page.tables["lasted"] == tell_lasted(reports)
    contents = [(row, report_content(sandbox.world.seed, row)) for row in list_completed(sandbox.world)]
    assert page.tables["advice"] == tell_advice([content for _, content in contents])
    assert page.tables["confidences"] == tell_confidences([content for _, content in contents])
    assert (page.texts["asked"], page.texts["insight"]) == tell_newest(contents)
    assert_told_runs(page, results)
    assert page.texts["when"][0].startswith(NAMES[place.kind])
    assert_told_promises(page, tickets)
    assert page.pictures == (FIGURES - {"waits"}) | {"advice", "confidences"}
    assert page.texts["counts"] == [
        "\nopen{}\nin progress{}\ncompleted{}\ndismissed{}\n".format(
            *(
                sum(row["status"] == name for row in tickets)
                for name in ("open", "in_progress", "completed", "dismissed")
            )
        )
    ]


def assert_told_runs(page: Page, results: list[SyncResult]) -> None:
    """The rows of each run, and the counts of the last one."""
    names = ["tickets", "reports", "warehouses"]
    results = [SyncResult(result.run_id, result.resources[:3]) for result in results]
    assert [row[1:4] for row in page.tables["took"]] == [
        [span((run.finished_at - run.started_at).total_seconds()) for run in result.resources if run.finished_at]
        for result in results
    ]
    for slug, figure in (("live", lambda run: run.counts.live_rows), ("read", lambda run: run.meter.rows)):
        told = [row[1:4] for row in page.tables[slug]]
        assert page.headings[slug][1:4] == names
        assert told == [[f"{figure(run):,}" for run in result.resources] for result in results]
    tiles = [re.findall(r"\n(rows|deleted|unexplained)([\d,–]+)", text) for text in page.texts["tile"]]
    live = [run.counts.live_rows for run in results[-1].resources]
    assert [dict(tile)["rows"] for tile in tiles] == [f"{rows:,}" for rows in live]
    assert [dict(tile)["deleted"] for tile in tiles] == [str(2 * (len(results) - 1)), "0", "0"]
    assert [dict(tile)["unexplained"] for tile in tiles] == ["0", "0", "0"]
    assert "Can I trust the data now? Yes." in page.texts["answer"][0]


def assert_told_promises(page: Page, tickets: list[dict[str, Any]]) -> None:
    """The eight tickets that promise most for little."""
    promises = [row for row in open_tickets(tickets) if row["effort"] == "low" and row["estimated_impact"]]
    gains = {row["id"]: row["estimated_impact"]["increase_percentage"] for row in promises}
    sure = {row["id"]: row["estimated_impact"].get("confidence") or 0 for row in promises}
    best = sorted((key for key in gains if gains[key] > 0), key=lambda key: (-gains[key] * sure[key], -gains[key], key))
    titles = {row["id"]: " ".join(row["title"].split()) or "(no title)" for row in tickets}
    urls = {row["id"]: row["url"] for row in tickets}
    assert page.texts["gain"] == [f"+{gains[key]:.1f}\u00a0%" for key in best[:8]]
    assert page.texts["title"] == [titles[key] for key in best[:8]]
    assert page.links == [urls[key] for key in best[:8] if urls[key]]


def test_empty_destination_is_told_in_words(place: Place, tmp_path: Path) -> None:
    """Where nothing was synced, each section says so, and there is nothing to draw."""
    page = read_page(place.pipeline(), tmp_path, datetime.now(UTC))
    assert page.pictures == set()
    assert "There is no data yet." in page.texts["answer"][0]
    assert page.texts["chip"] == ["– not synced"] * 3
    assert page.texts["none"] == [
        "There are no tickets yet.",
        "There are no reports yet.",
        "No content of a report has been fetched. A sync fetches them, unless it runs with --contents never.",
        "No run is on record yet.",
    ]


def test_without_history_closings_are_last_changes(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """Where no history is kept, the page says so, and takes a ticket's last change for its closing."""
    sync(pipeline, settings_for(sandbox, history=False))
    tickets, now = sandbox.world.rows("tickets"), sandbox.world.now
    page = read_page(make_pipeline(tmp_path), tmp_path, now)
    changed = {row["id"]: instant(row["updated_at"]) or now for row in tickets}
    assert page.tables["weeks"] == tell_weeks(tickets, changed.__getitem__, now)
    assert page.readings["visits"].startswith("No history is kept")
    assert "visits" not in page.pictures


def test_nulls_are_told_in_words(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Rows of which nothing but the key is known, and records without figures, make no figure and no failure."""
    sync(pipeline, settings_for(sandbox))
    for table, key in (("tickets", "id"), ("reports", "id"), ("tickets_history", "id"), ("sync_runs", "run_id")):
        columns = ask(
            "SELECT column_name FROM information_schema.columns"
            f" WHERE table_schema = 'cogny_data' AND table_name = '{table}'"
        )
        kept = {key, "updated_at", "resource", "started_at", "_dlt_load_id"}
        blank = [f"{name} = NULL" for (name,) in columns if str(name) not in kept]
        ask(f"UPDATE {table} SET {', '.join(blank)}")
    page = read_page(make_pipeline(tmp_path), tmp_path, datetime.now(UTC))
    assert page.pictures == {"groups", "outcomes", "read"}
    assert page.tables["outcomes"] == [["not given", "50"]]
    assert "other or no status240" in page.texts["counts"][0]
    assert "Not now." in page.texts["answer"][0]


def test_hostile_texts_stay_texts(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Titles and errors with markup, endless words and other directions are shown as they are, and are no elements."""
    for place, title in enumerate(HOSTILE):
        impact = {"metric": title, "increase_percentage": 10.0**308 / 10**place, "confidence": 0.5}
        row = {**sandbox.world.rows("tickets")[place], "title": title, "status": "open", "effort": "low"}
        sandbox.world.put("tickets", {**row, "estimated_impact": impact})
    sync(pipeline, settings_for(sandbox))
    error = HOSTILE[0].replace("'", "''")
    ask(f"UPDATE sync_runs SET status = 'failed', error = '{error}' WHERE resource = 'tickets'")
    ask(f"UPDATE sync_runs SET status = '{error}', error = repeat('{error}', 900) WHERE resource = 'reports'")
    page = read_page(make_pipeline(tmp_path), tmp_path, datetime.now(UTC))
    assert page.elements.keys() <= ELEMENTS
    lines = [" ".join(re.sub("[\u202e\u2067]", "", title).replace("\x7f", "").split()) for title in HOSTILE]
    assert page.texts["title"][: len(HOSTILE)] == [line if len(line) <= 140 else f"{line[:139]}…" for line in lines]
    assert sorted(map(len, page.texts["error"])) == [len(HOSTILE[0]), 600]
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}


def test_page_loads_nothing(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """Its policy allows its own style alone, the only addresses in it are links to tickets, and no secret is in it."""
    sync(pipeline, settings_for(sandbox))
    now = datetime.now(UTC)
    page = read_page(make_pipeline(tmp_path), tmp_path, now)
    text = (tmp_path / "report.html").read_text("utf-8")
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    assert policy in page.attributes["content"]
    assert page.elements.keys() <= ELEMENTS
    assert not page.attributes.keys() & {"src", "srcset", "style", "xlink:href", "action"}
    assert page.attributes["href"] - set(page.links) == {value for value in page.attributes["href"] if ICON in value}
    assert set(page.links) <= {row["url"] for row in sandbox.world.rows("tickets")}
    assert page.elements["a"] == len(page.links) == len(re.findall(r"https?:", text)) == 8
    assert page.attributes["rel"] == {"icon", "noopener noreferrer"}
    assert not re.search(r"url\(|@import", text)
    assert KEY not in text
    assert len(text.encode()) < 100_000


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http://app.example.com/tkt_1",
        "https://app.example.com/a b",
        "https://app.example.com/\u202e",
        "https://user:word@app.example.com/",
        "https:///tkt_1",
        'https://app.example.com/"onclick=',
        "",
    ],
)
def test_only_plain_addresses_become_links(url: str) -> None:
    """Whatever the API gives as a ticket's URL."""
    promise = Promise("tkt_1", url, "title", "high", "metric", 5.0, 0.5, None)
    assert promise.link == (url if url.endswith("onclick=") else None)


def test_fields_without_a_column_are_listed(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """With the runs that saw them first and last; without any there is no such list."""
    sync(pipeline, settings_for(sandbox))
    assert "drifts" not in read_page(make_pipeline(tmp_path), tmp_path, datetime.now(UTC)).tables
    sandbox.world.put("warehouses", {**sandbox.world.rows("warehouses")[0], "region <b>": "eu"})
    runs = [sync(make_pipeline(tmp_path), settings_for(sandbox)).resources[2] for _ in range(2)]
    page = read_page(make_pipeline(tmp_path), tmp_path, datetime.now(UTC))
    first, last = (f"{run.started_at.day} {run.started_at:%b %Y, %H:%M}" for run in runs)
    assert page.tables["drifts"] == [["region <b>", "warehouses", "1", first, last]]


def test_many_runs_make_no_larger_page(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Of ten thousand runs the last sixty are drawn, and eight errors are listed."""
    sync(pipeline, settings_for(sandbox))
    ask(
        "INSERT INTO sync_runs BY NAME SELECT sync_runs.* REPLACE (run_id || n AS run_id, started_at - to_minutes(n) AS"
        " started_at, 'failed' AS status, 'out of order' || n AS error) FROM sync_runs, range(1, 10001) AS runs(n)"
    )
    page = read_page(make_pipeline(tmp_path), tmp_path, datetime.now(UTC))
    assert [len(page.tables[slug]) for slug in ("live", "read")] == [60, 60]
    assert len(page.texts["error"]) == 8
    assert page.texts["error"][0] == "out of order1"
    assert (tmp_path / "report.html").stat().st_size < 250_000


def test_waits_are_told(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Seconds waited, answers with 429 and repeats are summed over the resources of a run."""
    sync(pipeline, settings_for(sandbox))
    page = read_page(make_pipeline(tmp_path), tmp_path, datetime.now(UTC))
    assert page.readings["waits"] == "None of the last 1 run had to wait, met a 429 or repeated a request."
    ask("UPDATE sync_runs SET waited_seconds = 1.25, throttled = 2, retries = 3")
    page = read_page(make_pipeline(tmp_path), tmp_path, datetime.now(UTC))
    assert [row[1:] for row in page.tables["waits"]] == [["3.8", "6", "9"]]


def test_sync_that_failed_is_told(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """A sync that ended with an error turns the answer to no, with the sentence it ended with."""
    sync(pipeline, settings_for(sandbox))
    with pytest.raises(AuthError, match="the API key is missing or invalid"):
        sync(make_pipeline(tmp_path), Settings("sk_test_other", sandbox.base_url, requests_per_minute=None))
    page = read_page(make_pipeline(tmp_path), tmp_path, sandbox.world.now)
    assert "Can I trust the data now? Not now." in page.texts["answer"][0]
    assert "Tickets: the last run failed" in page.texts["answer"][0]
    told = [
        re.findall(r"^the API key is missing or invalid \(path /(\w+), status 401,", text)
        for text in page.texts["error"]
    ]
    assert sorted(told) == [["reports"], ["tickets"], ["warehouses"]]
    assert page.readings["read"].endswith("1 run did not get to the end (×).")


def test_missing_folder_is_named(pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """A page that cannot be written is a sentence, before the destination is asked."""
    destination = open_session(pipeline, 10)
    with pytest.raises(ConfigError, match=r"the folder .*nowhere is not there: make it, or name another with --out"):
        write_report(destination, tmp_path / "nowhere" / "report.html", datetime.now(UTC))
    with pytest.raises(ConfigError, match="is a folder: name a file with --out"):
        write_report(destination, tmp_path, datetime.now(UTC))
    assert not list(tmp_path.glob("**/*.html"))


def test_page_is_replaced_whole_or_not_at_all(
    pipeline: dlt.Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes no more leaves the old page and no draft."""
    out = tmp_path / "report.html"
    out.write_text("old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ConfigError, match=r"report\.html cannot be written: No space left on device"):
        write_report(open_session(pipeline, 10), out, datetime.now(UTC))
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if "report" in path.name] == ["report.html"]


def test_refusal_is_no_empty_table(pipeline: dlt.Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination that does not answer fails the report; it is not taken for one without tables."""

    def refuse(*_: object) -> None:
        raise LoadFailed("the destination refused a load: out of memory")

    destination = open_session(pipeline, 10)
    monkeypatch.setattr(destination, "query", refuse)
    monkeypatch.setattr(destination, "query_if_there", refuse)
    with pytest.raises(LoadFailed, match="out of memory"):
        write_report(destination, tmp_path / "report.html", datetime.now(UTC))
    assert not (tmp_path / "report.html").exists()


def test_page_may_go_to_standard_output(cogny: Script) -> None:
    """Nothing else is printed there, and no file is written."""
    cogny("sync", "duckdb", "--quiet")
    told = cogny("report", "--out", "-").stdout
    assert told.startswith("<!DOCTYPE html>")
    assert told.rstrip().endswith("</html>")
    assert not Path("-").exists()
