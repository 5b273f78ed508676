"""The state of a resource, committed with its rows: pure rules to claim, prepare and lower it.

Its members: `origin`, `start_date`, `updated_after` (the watermark), `backfill` (`windows` left of the first load, and
the watermark after it), `unproven` (spans read by a listing that did not end), `looked_back_at`, `scrub` (what was
compared, and when), `list_digest` and `compared_at` (for full-table lists), `census` (see `accepts`),
`refused` (see `note_refusal`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cogny_source.errors import ConfigError
from cogny_source.extract.plan import Plan
from cogny_source.timestamps import format_instant, parse_instant
from cogny_source.windows import BEGINNING

State = dict[str, Any]
WindowTexts = list[str | None]
# A state without any of these claims no row as loaded.
CLAIMS = ("backfill", "updated_after", "list_digest")
# What belongs to the dataset, and stays when all rows are to be read again.
KEPT = ("origin", "start_date")


def claim_state(state: State, origin: str) -> State:
    """The state with the origin of its rows.

    Raises:
        ConfigError: If the destination holds rows of another origin.
    """
    holder = state.get("origin")
    if holder not in (None, origin):
        raise ConfigError(
            f"this dataset holds rows of {holder}, and the settings name {origin}; use another dataset or database"
        )
    return {**state, "origin": origin}


def prepare_state(state: State, plan: Plan) -> State:
    """The state with the windows that the first load still has to read.

    The start date is the plan's, or the state's if the plan has none. An earlier one than the state's adds the window
    between the two.
    """
    wanted = choose_start_date(state, plan)
    if plan.full_refresh or not ("backfill" in state or "updated_after" in state):
        return {
            "origin": state.get("origin"),
            "start_date": wanted,
            "backfill": {"windows": [[wanted, None]], "updated_after": None},
        }
    loaded_from = parse_instant(state.get("start_date"))
    if loaded_from is None or (wanted is not None and _instant(wanted) >= loaded_from):
        return state
    backfill = state.get("backfill", {"windows": [], "updated_after": state.get("updated_after")})
    windows = [[wanted, format_instant(loaded_from)], *backfill["windows"]]
    return {**state, "start_date": wanted, "backfill": {**backfill, "windows": windows}}


def choose_start_date(state: State, plan: Plan) -> str | None:
    """The instant before which rows are left out: the plan's, else the state's; None for all rows."""
    if plan.start_date is None:
        return state.get("start_date")
    return None if plan.start_date == BEGINNING else format_instant(plan.start_date)


def inherit_start_date(state: State, others: Iterable[State]) -> State:
    """The state of a resource that the dataset has not held so far, with the start date of those that it holds.

    Args:
        state: The resource's state.
        others: The states of the dataset's resources.
    """
    dates = [other["start_date"] for other in others if "start_date" in other]
    if "start_date" in state or not dates:
        return state
    return {**state, "start_date": min(dates, key=_instant)}


def forget_rows(state: State) -> State:
    """What stays of a state when all of its rows are to be read again."""
    return {name: state[name] for name in KEPT if name in state}


def accepts(state: State, unexplained_rows: int) -> bool:
    """Whether the last two censuses ended with the same number of rows that the API counts but does not list."""
    return state.get("census") == [unexplained_rows, unexplained_rows]


def note_census(state: State, unexplained_rows: int | None) -> State:
    """The state with the number of rows that a census could not explain."""
    if not unexplained_rows:
        return {name: value for name, value in state.items() if name != "census"}
    return {**state, "census": [*state.get("census", []), unexplained_rows][-2:]}


def note_refusal(state: State, api_rows: int | None) -> State:
    """The state with the API's count at which a census refused to mark rows deleted; None clears it."""
    rest = {name: value for name, value in state.items() if name != "refused"}
    return rest if api_rows is None else {**rest, "refused": api_rows}


def remembers_refusal(state: State, api_rows: int | None) -> bool:
    """Whether a census refused to mark rows deleted, and the API's count is still the same."""
    return api_rows is not None and state.get("refused") == api_rows


def lower_state(mine: State, theirs: State) -> State:
    """The state that two writers both confirm: each may have overwritten rows of the other with older versions.

    Args:
        mine: The state of one writer.
        theirs: A state that another writer committed meanwhile.

    Returns:
        A state that claims only rows that both of them claim.
    """
    lowered = {"origin": mine.get("origin")}
    if "start_date" in mine or "start_date" in theirs:
        lowered["start_date"] = _latest(mine.get("start_date"), theirs.get("start_date"))
    if not (claims_rows(mine) and claims_rows(theirs)):
        return lowered
    if "list_digest" in mine or "list_digest" in theirs:
        same = mine.get("list_digest") == theirs.get("list_digest")
        return {**lowered, "list_digest": mine["list_digest"]} if same else lowered
    windows = [window for state in (mine, theirs) for window in state.get("backfill", {}).get("windows", [])]
    marks = [state.get("backfill", state).get("updated_after") for state in (mine, theirs)]
    mark = min((mark for mark in marks if mark), key=_instant, default=None)
    if windows:
        return {**lowered, "backfill": {"windows": merge_windows(windows), "updated_after": mark}}
    return {**lowered, "updated_after": mark}


def claims_rows(state: State) -> bool:
    """Whether a state claims any row as loaded."""
    return any(member in state for member in CLAIMS)


def merge_windows(windows: list[WindowTexts]) -> list[WindowTexts]:
    """The windows in order of time, with touching or overlapping ones merged."""
    merged: list[WindowTexts] = []
    for start, end in sorted(windows, key=lambda window: _instant(window[0])):
        last = merged[-1] if merged else None
        if last is None or (last[1] is not None and _instant(start) > _instant(last[1])):
            merged.append([start, end])
        elif last[1] is not None and (end is None or _instant(end) > _instant(last[1])):
            last[1] = end
    return merged


def _latest(one: str | None, other: str | None) -> str | None:
    return max((text for text in (one, other) if text), key=_instant, default=None)


def _instant(text: str | None) -> datetime:
    return parse_instant(text) or BEGINNING
