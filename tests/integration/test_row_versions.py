"""The tables of versions: one row for each version of a ticket or report that a sync has seen."""

from __future__ import annotations

from pathlib import Path

import dlt

from cogny_source import cogny_source, sync
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script, each_page, make_pipeline, settings_for
from tests.support.truth import IMPACT, Ask, instant

TIME_IN_STATUS = """
    SELECT id, status, lead(updated_at) OVER (PARTITION BY id ORDER BY updated_at) - updated_at AS lasted
    FROM tickets_history WHERE id = '{key}' ORDER BY updated_at
"""


def test_each_version_that_was_seen_is_kept(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Three syncs see three versions, with the values that each had; time in a status can be computed from them."""
    settings = settings_for(sandbox)
    sync(pipeline, settings)
    key = sandbox.world.rows("tickets")[5]["id"]
    seen = [sandbox.world.rows("tickets")[5]]
    for status, effort in (("in_progress", "low"), ("completed", "high")):
        seen.append(sandbox.world.patch("tickets", key, status=status, effort=effort))
        sync(make_pipeline(tmp_path), settings)
    columns = ["status", "priority", "category", "assignee", "effort"]
    impact = [f"estimated_impact__{name}" for name in IMPACT]
    expected = [
        (
            instant(row["updated_at"]),
            *(row[name] for name in columns),
            *((row["estimated_impact"] or {}).get(name) for name in IMPACT),
        )
        for row in seen
    ]
    names = ", ".join(["updated_at", *columns, *impact])
    assert ask(f"SELECT {names} FROM tickets_history WHERE id = '{key}' ORDER BY updated_at") == expected
    lasted = [span for _, _, span in ask(TIME_IN_STATUS.format(key=key))]
    assert lasted[0] == expected[1][0] - expected[0][0]
    assert lasted[-1] is None


def test_reading_again_adds_no_version(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Overlaps, censuses and full refreshes see the same versions again; each is there once."""
    settings = settings_for(sandbox, overlap_seconds=1e9)
    sync(pipeline, settings)
    sync(make_pipeline(tmp_path), settings, census="always")
    sync(make_pipeline(tmp_path), settings, full_refresh=True)
    for name, status in (("tickets", "priority"), ("reports", "completed_at")):
        kept = ask(f"SELECT id, updated_at, status, {status} FROM {name}_history ORDER BY ALL")
        assert kept == ask(f"SELECT id, updated_at, status, {status} FROM {name} ORDER BY ALL")


def test_versions_within_one_run_are_all_kept(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A row that changes while it is listed comes twice in a chunk: the table has the newest, the history both."""
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.rows("tickets")
    for row in rows[:250]:
        sandbox.world.patch("tickets", row["id"], notes="first")
    first = {row["id"]: instant(row["updated_at"]) for row in sandbox.world.rows("tickets")[:250]}
    changed = False

    def change(*_: object) -> None:
        nonlocal changed
        if not changed:
            changed = True
            for row in rows[:5]:
                sandbox.world.patch("tickets", row["id"], notes="second")

    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], progress=each_page(change))
    for row in rows[:5]:
        versions = ask(f"SELECT updated_at FROM tickets_history WHERE id = '{row['id']}' ORDER BY 1")
        assert len(versions) == 3
        assert (first[row["id"]],) in versions
        assert ask(f"SELECT notes FROM tickets WHERE id = '{row['id']}'") == [("second",)]


def test_row_without_a_readable_timestamp_has_no_version(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask
) -> None:
    """Nothing tells its versions apart; the row itself is there."""
    row = sandbox.world.rows("tickets")[0]
    sandbox.world.put("tickets", {**row, "id": "tkt_undated", "updated_at": "yesterday"})
    sync(pipeline, settings_for(sandbox))
    assert ask("SELECT count(*) FROM tickets WHERE id = 'tkt_undated'") == [(1,)]
    assert ask("SELECT count(*) FROM tickets_history WHERE id = 'tkt_undated'") == [(0,)]


def test_history_can_be_switched_off(sync_here: Script, database: Ask) -> None:
    """`--no-history` makes no such table, and the setting does the same."""
    done = sync_here("--no-history")
    sync_here(SOURCES__COGNY__HISTORY="false")
    assert "_history" not in done.stdout
    assert database("SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%history%'") == []


def test_history_under_a_plain_run(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask) -> None:
    """`pipeline.run(cogny_source())` keeps versions too, each once."""
    for _ in range(2):
        source = cogny_source(api_key="sk_test_sandbox", base_url=sandbox.base_url)
        pipeline.run(source, loader_file_format="parquet")
    assert ask("SELECT count(*), count(DISTINCT (id, updated_at)) FROM tickets_history") == [(450, 450)]
