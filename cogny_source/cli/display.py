"""Output for people: the summary of a sync, differences, and the status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cogny_source.cli.summary import SHOWN_DIFFERENCES, align_lines, sum_up
from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.formatting import count, listing, second, span
from cogny_source.monitoring.health import Health, ResourceFacts, describe_comparison
from cogny_source.monitoring.status import DatasetStatus, describe_backlog, describe_contents
from cogny_source.plain_text import safe_text
from cogny_source.reconcile.settlement import describe_difference
from cogny_source.schema import REPORT_CONTENTS, RESOURCE_TABLES, TableSpec

SHOWN_FIELDS = 10
NAME_WIDTH = 12
OPEN_TICKETS = """
    SELECT priority, count(*) AS tickets, round(avg(estimated_impact__increase_percentage), 1) AS increase
    FROM tickets WHERE status = 'open' AND deleted_at IS NULL GROUP BY priority
    ORDER BY CASE priority WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END
"""


def print_summary(console: Console, result: SyncResult, destination: DestinationSession, *, verbose: bool) -> None:
    """Print a line a resource: new, changed and deleted rows, all rows, requests and time; a table where asked for."""
    for line in align_lines([sum_up(run, destination) for run in result.resources], console.width):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if verbose:
        _print_table(console, result, destination)
    for run in result.resources:
        _print_waits(console, run)
        _print_undeclared(console, run)
        if run.resource == REPORT_CONTENTS.name:
            _print_contents(console, run)
        else:
            _print_counts(console, run)


def _print_waits(console: Console, run: ResourceRun) -> None:
    """Print how long a resource waited for the rate limit and between retries, if it did."""
    if run.meter.waited_seconds >= 1:
        retries = f", {run.meter.retries:,} requests sent again" if run.meter.retries else ""
        waited = span(run.meter.waited_seconds, blank=" ")
        console.print(f"{run.resource}: waited {waited} for the rate limit and between retries{retries}.", markup=False)


def _print_undeclared(console: Console, run: ResourceRun) -> None:
    """Print the fields that no column declares, if there are any."""
    if run.undeclared:
        console.print(_plain(f"{run.resource}: fields without a column, kept in extra: {_describe_undeclared(run)}."))


def _print_table(console: Console, result: SyncResult, destination: DestinationSession) -> None:
    """Print a row a table: rows loaded, rows in total, requests and waits."""
    table = Table(title=f"Run {result.run_id}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("table", no_wrap=True)
    for heading in ("rows loaded", "rows now", "deleted", "requests", "retries", "waited s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("newest updated_at", no_wrap=True)
    for run in result.resources:
        spec, meter = RESOURCE_TABLES[run.resource], run.meter
        table.add_row(
            spec.name,
            f"{run.rows_loaded[spec.name]:,}",
            *(f"{rows:,}" for rows in destination.count_rows(spec)),
            str(meter.requests),
            str(meter.retries),
            f"{meter.waited_seconds:.1f}",
            second(_read_one(destination, f"SELECT max({_dated_by(spec)}) AS newest FROM {spec.name}")),
        )
        children = [child.name for child in spec.child_tables]
        for name in children + [name for name in _versions_of(spec) if run.rows_loaded[name]]:
            now = _read_one(destination, f"SELECT count(*) AS held FROM {name}") or 0
            table.add_row(name, f"{run.rows_loaded[name]:,}", f"{now:,}")
    _print_unpadded(console, table)


def _read_one(destination: DestinationSession, query: str) -> Any:
    """The one value of a query; None if its table does not exist."""
    rows = destination.query_if_there(query)
    return rows[0][0] if rows else None


def _dated_by(spec: TableSpec) -> str:
    """The column with the time of a row's version."""
    return "report_updated_at" if spec == REPORT_CONTENTS else "updated_at"


def _describe_undeclared(run: ResourceRun) -> str:
    """The most frequent undeclared fields, and the number of others."""
    shown = sorted(run.undeclared.most_common(SHOWN_FIELDS))
    others = run.undeclared.describe_others(len(shown))
    return ", ".join([*(f"{name} ({rows})" for name, rows in shown), *filter(None, [others])])


def _versions_of(spec: TableSpec) -> list[str]:
    return [] if spec.versions is None else [spec.versions.name]


def _print_counts(console: Console, run: ResourceRun) -> None:
    """Print a line about corrected rows, and one about counts that differ or cannot be compared."""
    counts = run.counts
    if counts.corrections:
        how = ", ".join(f"{rows:,} {kind}" for kind, rows in sorted(counts.corrections.items()))
        console.print(_plain(f"{run.resource}: rows that no change and no count had shown are mended: {how}."))
    if counts.unexplained_rows:
        advice = "" if counts.deleted_rows is not None else "; --census explains it row by row"
        console.print(f"{run.resource}: {describe_difference(counts.unexplained_rows)}{advice}.", markup=False)
    elif counts.live_rows is not None and counts.api_rows is None:
        console.print(f"{run.resource}: the API does not count its rows; --census finds those that were deleted.")


def _print_contents(console: Console, run: ResourceRun) -> None:
    """Print how many contents of reports are to go, and how many are left out where some are."""
    if run.counts.unexplained_rows:
        told = describe_backlog(run.counts.unexplained_rows, run.counts.rows_a_minute)
        console.print(
            f"{run.resource}: {run.meter.rows:,} fetched, {told}; the next runs fetch them, the newest first.",
            markup=False,
        )
    if run.counts.left_out:
        told = f"{count(run.counts.left_out, 'report')} completed earlier are left out"
        console.print(f"{run.resource}: the contents of {told}; --contents all fetches them.", markup=False)


def print_differences(console: Console, result: SyncResult, *, quiet: bool) -> None:
    """Print the rows that differ and did not change since the sync."""
    found = [row for run in result.resources for row in run.counts.differences or ()]
    faults = [row for row in found if not row.fresh]
    if faults:
        table = Table(title="Not as the API lists it", title_justify="left", box=SIMPLE_HEAD)
        for heading in ("table", "key", "how", "columns"):
            table.add_column(heading, no_wrap=heading != "columns")
        for row in faults[:SHOWN_DIFFERENCES]:
            table.add_row(*map(_plain, (row.table, row.key, row.kind, ", ".join(row.columns) or "-")))
        _print_unpadded(console, table)
        if len(faults) > SHOWN_DIFFERENCES:
            console.print(f"and {len(faults) - SHOWN_DIFFERENCES:,} more.")
    if not quiet:
        verdict = f"{len(faults):,} differ" if faults else "all as the API lists them"
        console.print(f"Verified {_describe_verified(result)}: {verdict}.")
        if len(found) > len(faults):
            changed = len(found) - len(faults)
            console.print(f"{changed:,} changed in the API since they were read; the next sync brings them.")


def _describe_verified(result: SyncResult) -> str:
    """What was verified: `1,200 rows and 50 contents of reports`."""
    told = []
    for run in result.resources:
        if run.resource == REPORT_CONTENTS.name and run.counts.compared_rows:
            told.append(f"{count(run.counts.compared_rows, 'content')} of reports")
    rows = sum(run.counts.live_rows or 0 for run in result.resources if run.counts.differences is not None)
    return listing([f"{rows:,} rows", *told] if rows or not told else told)


def _print_unpadded(console: Console, table: Table) -> None:
    """Print a table; into a file or a pipe without the blanks that rich puts behind each line."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        console.print(line.rstrip(), soft_wrap=True, highlight=False, markup=False)


def _plain(text: object) -> Text:
    """A text without markup and control characters."""
    return Text(safe_text(text))


def print_open_tickets(console: Console, destination: DestinationSession) -> None:
    """Print open tickets by priority, with their projected impact."""
    table = Table(title="Open tickets", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("priority")
    table.add_column("tickets", justify="right")
    table.add_column("projected increase, mean %", justify="right")
    for priority, tickets, increase in destination.query(OPEN_TICKETS):
        table.add_row(_plain(priority or "-"), f"{tickets:,}", "-" if increase is None else str(increase))
    _print_unpadded(console, table)


def print_rows(console: Console, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print the rows of a query: as a table, or one below the other where a terminal is too narrow for it."""
    texts = [["-" if value is None else safe_text(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *texts, strict=True)]
    if console.is_terminal and sum(widths) + 3 * len(widths) > console.width:
        longest = max(map(len, names))
        for row in texts:
            for name, text in zip(names, row, strict=True):
                console.print(Text(f"{safe_text(name):<{longest}}  {text}"))
            console.print()
    else:
        table = Table(box=SIMPLE_HEAD)
        for place, name in enumerate(names):
            is_number = any(isinstance(row[place], int | float) for row in rows)
            table.add_column(_plain(name), justify="right" if is_number else "left", no_wrap=True)
        for row in texts:
            table.add_row(*map(Text, row))
        _print_unpadded(console, table)
    console.print(f"{count(len(rows), 'row')}.", highlight=False)


def print_status(console: Console, status: DatasetStatus, place: str) -> None:
    """Print the level, then a few lines for each resource, with its problems last.

    Args:
        console: The console.
        status: The status.
        place: The dataset's name.
    """
    lines = [f"{status.health.level.name}: {place}", *_describe_findings(status.health, None)]
    lines += ["A run works on it now."] if status.running else []
    for known in status.resources if any(known.is_synced for known in status.resources) else ():
        facts = _describe_resource(known, status.at) if known.is_synced else ["not synced"]
        facts += _describe_findings(status.health, known.resource)
        lines += [f"{known.resource:<{NAME_WIDTH}}{facts[0]}", *(" " * NAME_WIDTH + fact for fact in facts[1:])]
    if status.contents is not None:
        lines.append(f"{'contents':<{NAME_WIDTH}}{describe_contents(status.contents)}")
    for line in lines:
        console.print(_plain(line), soft_wrap=True)


def _describe_findings(health: Health, resource: str | None) -> list[str]:
    return [f"{found.level.name}: {found.advice}" for found in health.problems if found.resource == resource]


def _describe_resource(known: ResourceFacts, now: datetime) -> list[str]:
    rows = f"{known.rows or 0:,} rows, {known.deleted_rows:,} more marked deleted"
    return [
        rows,
        _describe_watermark(known, now),
        _describe_runs(known),
        describe_comparison(known.compared_since, now),
    ]


def _describe_watermark(known: ResourceFacts, now: datetime) -> str:
    left, age = known.backfill_windows, known.age_seconds(now)
    told = [f"first load: not complete, windows left: {left:,}"] if left else []
    if known.updated_after is not None and age is not None:
        told.append(f"up to date as of {second(known.updated_after)}, {span(age, blank=' ')} ago")
    return ", ".join(told) or "nothing complete yet"


def _describe_runs(known: ResourceFacts) -> str:
    last, error = known.history.last, known.history.last_error
    if last is None:
        return "no run yet"
    told = f"last run: {', '.join(filter(None, (last.mode, last.status, second(last.started_at))))}"
    if error is None or error == last:
        return told
    # A run that went well has settled it; the JSON has the sentence.
    return f"{told}; last error: {second(error.started_at)}, {error.status}"
