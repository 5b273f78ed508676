"""Figures on the sync: rows in the destination, rows read, and waits, by run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from cogny_source.dashboard.axes import linear, powers
from cogny_source.dashboard.charts import Panel, labels_below, panels
from cogny_source.dashboard.figure import Figure
from cogny_source.formatting import count, day, listing, minute, span
from cogny_source.monitoring.run_history import DONE, RECENT_RUNS, Run, RunHistory

PANEL = 64
Turn = tuple[Run, ...]


def make_sync_figures(histories: Mapping[str, RunHistory]) -> list[Figure]:
    """Figures on the last completed runs of each resource; none without runs."""
    runs = {name: history.recent for name, history in histories.items() if history.recent}
    turns = list_turns([run for mine in runs.values() for run in mine])
    if not turns:
        return []
    names = list(runs)
    return [_draw_live(turns, names), _draw_read(turns, names), _draw_took(turns, names), _draw_waits(turns)]


def list_turns(runs: Sequence[Run]) -> list[Turn]:
    """The last runs, oldest first, each with its resources."""
    found: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.started_at):
        found.setdefault(run.run_id, []).append(run)
    return [tuple(mine) for mine in found.values()][-RECENT_RUNS:]


def _pick(turns: Sequence[Turn], name: str) -> list[Run | None]:
    """The runs of a resource; None for runs without it."""
    return [next((run for run in turn if run.resource == name), None) for turn in turns]


def _stamp(turn: Turn) -> str:
    return minute(turn[0].started_at)


def _draw_live(turns: Sequence[Turn], names: Sequence[str]) -> Figure:
    title = "Rows in the destination"
    items, changes = [], []
    for name in names:
        values = [None if run is None else run.live_rows for run in _pick(turns, name)]
        known = [value for value in values if value is not None]
        if known:
            scale = linear(known, 3, whole=True, from_zero=False)
            items.append(Panel(name, values, [False] * len(values), scale, count(known[-1]), stepped=True))
            grown = known[-1] - known[0]
            changes.append(f"{name} {'are as many as before' if not grown else f'{grown:+,}'.replace('-', '−')}")
    if not items:
        return Figure("live", title, "No run has counted the rows yet.")
    reading = f"Over {count(len(turns), 'run')}: {listing(changes)}."
    rows = [(_stamp(turn), *(_tell(turn, name, lambda run: run.live_rows) for name in names)) for turn in turns]
    note = "Rows that are not marked deleted, as counted at the end of each run. "
    return _draw_panels(
        Figure("live", title, reading, ("run (UTC)", *names), rows, note), items, turns, "rows, not from zero"
    )


def _draw_read(turns: Sequence[Turn], names: Sequence[str]) -> Figure:
    title = "Rows read by each run"
    items = []
    for name in names:
        runs = _pick(turns, name)
        values = [None if run is None else run.rows for run in runs]
        known = [value for value in values if value is not None]
        flawed = [run is not None and run.status != DONE for run in runs]
        told = f"{known[-1]:,} by the last" if known else ""
        items.append(Panel(name, values, flawed, powers(known), told))
    sums = [sum(run.rows for run in turn) for turn in turns]
    bad = sum(any(run.status != DONE for run in turn) for turn in turns)
    reading = f"The last run read {count(sums[-1], 'row')}, the largest of {count(len(turns), 'run')} {max(sums):,}"
    reading += f"; {count(bad, 'run')} did not get to the end (×)." if bad else "; each got to its end."
    rows = [
        (
            _stamp(turn),
            *(_tell(turn, name, lambda run: run.rows) for name in names),
            listing(sorted({r.status for r in turn})),
        )
        for turn in turns
    ]
    note = "Repeats are counted: a census or a verification reads all rows once more."
    figure = Figure("read", title, reading, ("run (UTC)", *names, "ended"), rows, note)
    return _draw_panels(figure, items, turns, "rows read, logarithmic · × did not get to its end")


def _draw_took(turns: Sequence[Turn], names: Sequence[str]) -> Figure:
    title = "How long runs took"
    items = []
    for name in names:
        runs = _pick(turns, name)
        values = [None if run is None else run.seconds for run in runs]
        known = [value for value in values if value is not None]
        if known:
            flawed = [run is not None and run.status != DONE for run in runs]
            items.append(Panel(name, values, flawed, linear(known, 3), f"{span(known[-1])} the last"))
    spans = [seconds for seconds in map(_seconds, turns) if seconds is not None]
    if not spans:
        return Figure("took", title, "No run has told when it ended.")
    reading = f"The last run took {span(spans[-1])}, the longest of {count(len(spans), 'run')} {span(max(spans))}."
    rows = [(_stamp(turn), *(_tell(turn, name, lambda run: run.seconds, span) for name in names)) for turn in turns]
    note = "From the beginning of the run to when the resource was done; resources are read side by side."
    figure = Figure("took", title, reading, ("run (UTC)", *names), rows, note)
    return _draw_panels(figure, items, turns, "seconds · × did not get to its end")


def _seconds(turn: Turn) -> float | None:
    """How long a run took, from its first resource's beginning to its last one's end; None without an end."""
    ends = [run.finished_at for run in turn if run.finished_at is not None]
    return (max(ends) - turn[0].started_at).total_seconds() if ends else None


def _draw_waits(turns: Sequence[Turn]) -> Figure:
    title = "Waits and repeats"
    waited = [sum(run.waited_seconds for run in turn) for turn in turns]
    throttled = [sum(run.throttled for run in turn) for turn in turns]
    retries = [sum(run.retries for run in turn) for turn in turns]
    runs = count(len(turns), "run")
    if not any(waited) and not any(throttled) and not any(retries):
        return Figure("waits", title, f"None of the last {runs} had to wait, met a 429 or repeated a request.")
    reading = (
        f"The last {runs} waited {span(sum(waited))} in all, met {count(sum(throttled), 'answer')} with status 429"
        f" and repeated {count(sum(retries), 'request')}."
    )
    fine = [False] * len(turns)
    items = [
        Panel("seconds waited", waited, fine, linear(waited, 3), f"{max(waited):,.1f} s at most"),
        Panel(
            "answers with status 429", throttled, fine, linear(throttled, 2, whole=True), f"{max(throttled):,} at most"
        ),
        Panel("requests repeated", retries, fine, linear(retries, 2, whole=True), f"{max(retries):,} at most"),
    ]
    rows = [
        (_stamp(turn), f"{seconds:,.1f}", count(limited), count(repeated))
        for turn, seconds, limited, repeated in zip(turns, waited, throttled, retries, strict=True)
    ]
    note = "Summed over the resources, which are read side by side. Waits are for the rate limit and between repeats."
    headings = ("run (UTC)", "seconds waited", "429", "repeated")
    figure = Figure("waits", title, reading, headings, rows, note)
    return _draw_panels(figure, items, turns, "seconds, answers, requests")


def _tell(turn: Turn, name: str, figure: Callable[[Run], Any], tell: Callable[[Any], str] = count) -> str:
    """A resource's value in a run, as a table cell."""
    run = next((run for run in turn if run.resource == name), None)
    value = None if run is None else figure(run)
    return "–" if value is None else tell(value)


def _draw_panels(figure: Figure, items: Sequence[Panel], turns: Sequence[Turn], unit: str) -> Figure:
    bottom = len(items) * (PANEL + 46) + 2
    parts = [panels(items, size=PANEL), labels_below(_name_turns(turns), bottom)]
    return figure.illustrate(parts, bottom + 6, f"↑ {unit} · → runs, one step each")


def _name_turns(turns: Sequence[Turn]) -> list[str]:
    """The days of runs, or their hours if they span at most two days."""
    began = [turn[0].started_at for turn in turns]
    is_short = began[-1] - began[0] < timedelta(days=2)
    return [f"{moment:%H:%M}" if is_short else day(moment) for moment in began]
