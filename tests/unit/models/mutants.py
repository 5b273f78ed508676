"""Wrong models, one place of the package changed at a time, and whether a test sees it: `make model-mutants`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from cogny_source.models.project import FOLDER

ROOT = Path(__file__).parents[3]
PLACE = "COGNY_MUTATED_MODELS"
# Plays the tests with the package in another folder.
PLAY = f"""
import os, sys, pytest
from pathlib import Path
from cogny_source.models import project
project.FOLDER = Path(os.environ["{PLACE}"])
sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-n", "0", "-m", "not long", "tests/unit/models"]))
"""
SPANS = "intermediate/int_cogny__ticket_spans"
STAYS = "intermediate/int_cogny__ticket_stays"
DELTAS = "intermediate/int_cogny__backlog_deltas"
FLOW = "marts/cogny_ticket_flow_daily"
METRICS = "marts/cogny_ticket_metrics"
TRANSITIONS = "marts/cogny_ticket_transitions"


class Mutant(NamedTuple):
    """A change of one model.

    Attributes:
        model: The folder and the name of the model.
        text: A text that occurs once in it.
        changed: What stands there instead.
    """

    model: str
    text: str
    changed: str


MUTANTS = (
    Mutant(
        "intermediate/int_cogny__ticket_versions",
        "history.updated_at < present.began_at",
        "history.updated_at <= present.began_at",
    ),
    Mutant("intermediate/int_cogny__ticket_versions", "where history.updated_at < present.began_at", ""),
    Mutant(
        "intermediate/int_cogny__ticket_versions",
        "seen.last_seen_at, tickets.created_at",
        "tickets.created_at, seen.last_seen_at",
    ),
    Mutant("intermediate/int_cogny__ticket_versions", "present.ticket_id = history.ticket_id", "true"),
    Mutant(SPANS, "version_number = 1 and created_at < began_at", "version_number = 1 and created_at <= began_at"),
    Mutant(SPANS, "where version_number = 1 and created_at < began_at", "where false"),
    Mutant(SPANS, "or priority is distinct from priority_before", ""),
    Mutant(SPANS, "or status is distinct from status_before", "or status <> status_before"),
    Mutant(SPANS, "then greatest(deleted_at, started_at)", "then deleted_at"),
    Mutant(STAYS, "or is_seen <> was_seen", ""),
    Mutant(STAYS, "begun.life_ended_at, greatest(", "greatest("),
    Mutant(DELTAS, "greatest(spans.from_day,", "least(spans.from_day,"),
    Mutant(
        DELTAS,
        "where until_day is null or counts_from < until_day",
        "where until_day is null or counts_from <= until_day",
    ),
    Mutant(DELTAS, "case when spans.is_seen then spans.status else 'unseen' end", "spans.status"),
    Mutant(DELTAS, "where not spans.is_closed", ""),
    Mutant("marts/cogny_ticket_backlog_daily", "add_days('running.next_day', -1)", "add_days('running.next_day', 0)"),
    Mutant(
        "marts/cogny_ticket_backlog_daily",
        "running.first_day <= as_of.tickets_day",
        "running.first_day < as_of.tickets_day",
    ),
    Mutant(FLOW, "where ends_with_deletion and not is_closed", "where ends_with_deletion"),
    Mutant(FLOW, "(is_closed and not came_closed)", "is_closed"),
    Mutant(
        FLOW,
        "least({{ local_date('events.happened_at') }}, as_of.tickets_day)",
        "{{ local_date('events.happened_at') }}",
    ),
    Mutant("marts/cogny_ticket_flow_weekly", "left join flow on", "inner join flow on"),
    Mutant(
        METRICS,
        "not coalesce(was_closed, false) then started_at end) as last_closed_at",
        "true then started_at end) as last_closed_at",
    ),
    Mutant(METRICS, "was_closed and not is_closed", "was_closed"),
    Mutant(
        METRICS,
        "not by_ticket.has_unseen_beginning then by_ticket.first_not_open_at",
        "true then by_ticket.first_not_open_at",
    ),
    Mutant(TRANSITIONS, "coverage.watermark < stays.started_at", "coverage.watermark <= stays.started_at"),
    Mutant(TRANSITIONS, "when stays.was_closed and not stays.is_closed", "when not stays.is_closed"),
    Mutant(
        "marts/cogny_ticket_closing_curve",
        "coalesce(first_closed_at, deleted_at, as_of)') }} / 604800",
        "coalesce(first_closed_at, as_of)') }} / 604800",
    ),
    Mutant(
        "marts/cogny_ticket_impact", "order by began_at desc) as nth_from_last", "order by began_at) as nth_from_last"
    ),
    Mutant(
        "marts/cogny_warehouses",
        "left join tickets on coalesce(tickets.warehouse_id, '')",
        "left join tickets on tickets.warehouse_id",
    ),
    Mutant("marts/cogny_report_metrics", "case when reports.finished_at >= reports.created_at", "case when true"),
    Mutant("marts/cogny_sync_freshness", "where is_complete and", "where"),
    Mutant(
        "marts/cogny_recommendation_tickets",
        "count(recommendations.position) = 1",
        "count(recommendations.position) >= 1",
    ),
)


def play(mutant: Mutant) -> bool:
    """Whether a test sees a mutant."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "dbt"
        shutil.copytree(FOLDER, folder)
        file = folder / "models" / f"{mutant.model}.sql"
        file.write_text(file.read_text("utf-8").replace(mutant.text, mutant.changed), "utf-8")
        variables = {**os.environ, PLACE: str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-c", PLAY], cwd=ROOT, env=variables, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return done.returncode == 1


def main() -> int:
    """Play all; 1 if no test sees one of them."""
    unseen = 0
    for mutant in MUTANTS:
        is_seen = play(mutant)
        unseen += not is_seen
        print(f"{'seen  ' if is_seen else 'UNSEEN'} {mutant.model}: {mutant.text} -> {mutant.changed}", flush=True)
    print(f"{len(MUTANTS) - unseen} of {len(MUTANTS)} wrong models are seen.")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
