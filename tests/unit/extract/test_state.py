"""Pure rules of a resource's state: what two writers both vouch for, and what a census may leave unexplained."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogny_source.extract.context import RowCounts
from cogny_source.extract.plan import Plan
from cogny_source.extract.state import (
    accepts,
    claims_rows,
    forget_rows,
    inherit_start_date,
    lower_state,
    merge_windows,
    note_census,
    note_refusal,
    prepare_state,
    remembers_refusal,
)
from cogny_source.timestamps import parse_instant
from cogny_source.windows import BEGINNING

EARLY, MIDDLE, LATE = (f"2025-0{month}-01T00:00:00.000000Z" for month in (1, 2, 3))


@pytest.mark.parametrize(
    ("mine", "theirs", "both"),
    [
        ({"updated_after": LATE}, {"updated_after": EARLY}, {"updated_after": EARLY}),
        (
            {"updated_after": LATE},
            {"backfill": {"windows": [[MIDDLE, None]], "updated_after": EARLY}},
            {"backfill": {"windows": [[MIDDLE, None]], "updated_after": EARLY}},
        ),
        (
            {"backfill": {"windows": [[MIDDLE, None]], "updated_after": None}},
            {"backfill": {"windows": [[None, EARLY], [LATE, None]], "updated_after": LATE}},
            {"backfill": {"windows": [[None, EARLY], [MIDDLE, None]], "updated_after": LATE}},
        ),
        (
            {"updated_after": LATE, "start_date": EARLY},
            {"updated_after": LATE},
            {"updated_after": LATE, "start_date": EARLY},
        ),
    ],
)
def test_lowered_state_claims_no_more_than_either(
    mine: dict[str, Any], theirs: dict[str, Any], both: dict[str, Any]
) -> None:
    """The older watermark, all windows that one of them has left, the later start; whoever asks."""
    expected = {"origin": "here", **both}
    assert lower_state({"origin": "here", **mine}, {"origin": "here", **theirs}) == expected
    assert lower_state({"origin": "here", **theirs}, {"origin": "here", **mine}) == expected


def test_list_that_two_read_otherwise_is_forgotten() -> None:
    """Of a list that is read whole, the content is known where both read the same."""
    mine = {"origin": "here", "list_digest": "a"}
    assert lower_state(mine, {"origin": "here", "list_digest": "a"})["list_digest"] == "a"
    assert lower_state(mine, {"origin": "here", "list_digest": "b"}) == {"origin": "here"}


@pytest.mark.parametrize(("mine", "theirs"), [({}, {"updated_after": LATE}), ({"updated_after": LATE}, {})])
def test_state_that_claims_nothing_wins(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Where one of them has read nothing, everything is read again."""
    assert lower_state(mine, theirs) == {"origin": None}


STAMPS = st.sampled_from([EARLY, MIDDLE, LATE])
WINDOWS = st.lists(st.sampled_from([[None, EARLY], [EARLY, MIDDLE], [MIDDLE, LATE], [MIDDLE, None]]), max_size=2)
STATES = st.fixed_dictionaries(
    {"origin": st.just("here")},
    optional={
        "updated_after": STAMPS,
        "backfill": st.fixed_dictionaries({"windows": WINDOWS, "updated_after": st.none() | STAMPS}),
        "start_date": st.none() | STAMPS,
        "unproven": st.just([["created_at", EARLY, LATE, EARLY, 5]]),
    },
)


def watermark(state: dict[str, Any]) -> str | None:
    """Up to where a state says that rows are loaded; None where it says so of none."""
    mark: str | None = state.get("backfill", state).get("updated_after")
    return mark if "backfill" in state or "updated_after" in state else None


@given(st.permutations(["a", "b", "c"]), st.lists(STATES, min_size=3, max_size=3))
def test_lowering_never_raises_whatever_the_order(order: list[str], states: list[dict[str, Any]]) -> None:
    """A state that claims nothing is never raised to what another one claims, and the order of writers is no matter."""
    named = dict(zip("abc", states, strict=True))
    folded, again = named["a"], named[order[0]]
    for name in "bc":
        folded = lower_state(folded, named[name])
    for name in order[1:]:
        again = lower_state(again, named[name])
    assert folded == again
    if not all("backfill" in state or "updated_after" in state for state in states):
        assert not claims_rows(folded)
        assert folded.keys() <= {"origin", "start_date"}
    marks = [mark for mark in map(watermark, states) if mark]
    mine = watermark(folded)
    assert mine is None or mine == min(marks)


def days(window: list[str | None]) -> set[int]:
    """The days of a month that lie in a window."""
    first = 1 if window[0] is None else datetime.fromisoformat(window[0]).day
    last = 29 if window[1] is None else datetime.fromisoformat(window[1]).day
    return set(range(first, last))


BOUNDS = st.tuples(st.none() | st.integers(2, 27), st.none() | st.integers(2, 27))


@given(st.lists(BOUNDS, max_size=6))
def test_merged_windows_cover_the_same(bounds: list[tuple[int | None, int | None]]) -> None:
    """They are in order and disjoint, and hold what the windows held."""
    valid = [pair for pair in bounds if pair[0] is None or pair[1] is None or pair[0] < pair[1]]
    windows = [[None if day is None else f"2025-01-{day:02}T00:00:00Z" for day in pair] for pair in valid]
    merged = merge_windows(windows)
    covered = [days(window) for window in merged]
    assert set().union(*covered) == set().union(*(days(window) for window in windows))
    assert sum(map(len, covered)) == len(set().union(*covered))
    assert [min(span) for span in covered] == sorted(min(span) for span in covered)


def test_a_difference_is_accepted_once_two_censuses_agree() -> None:
    """What they could not explain alike is the API's way to count; a census that explains all forgets it."""
    state: dict[str, Any] = {"updated_after": LATE}
    once = note_census(state, 3)
    assert not accepts(once, 3)
    assert not accepts(note_census(once, 4), 4)
    assert accepts(note_census(once, 3), 3)
    assert not accepts(note_census(once, 3), 2)
    assert note_census(note_census(once, 3), 0) == state


@pytest.mark.parametrize(
    ("api_rows", "live", "settled", "unexplained"),
    [(None, 5, 5, None), (5, 5, 5, 0), (6, 7, 5, 0), (8, 7, 5, 1), (4, 7, 5, -1), (0, 0, 0, 0)],
)
def test_rows_created_since_the_count_explain_themselves(
    api_rows: int | None, live: int, settled: int, unexplained: int | None
) -> None:
    """The API's count may hold any of the rows that were created after it was taken."""
    assert RowCounts(api_rows, datetime.now(UTC)).unexplained(live, settled) == unexplained


LOADED = {"origin": "here", "updated_after": LATE, "start_date": MIDDLE}


@pytest.mark.parametrize(
    ("named", "start_date", "windows"),
    [
        (None, MIDDLE, None),
        (parse_instant(MIDDLE), MIDDLE, None),
        (parse_instant(LATE), MIDDLE, None),
        (parse_instant(EARLY), EARLY, [[EARLY, MIDDLE]]),
        (BEGINNING, None, [[None, MIDDLE]]),
    ],
    ids=["none", "same", "later", "earlier", "all"],
)
def test_start_date_is_the_states_unless_an_earlier_one_is_named(
    named: datetime | None, start_date: str | None, windows: list[list[str | None]] | None
) -> None:
    """An earlier one adds the window between the two, and nothing else is read again."""
    prepared = prepare_state(LOADED, Plan(start_date=named))
    assert prepared["start_date"] == start_date
    assert prepared.get("backfill", {}).get("windows") == windows


@pytest.mark.parametrize("state", [{"origin": "here", "start_date": MIDDLE}, LOADED], ids=["reset", "refreshed"])
@pytest.mark.parametrize(
    ("named", "start_date"),
    [(None, MIDDLE), (parse_instant(LATE), LATE), (parse_instant(EARLY), EARLY), (BEGINNING, None)],
    ids=["none", "later", "earlier", "all"],
)
def test_whole_reading_begins_at_the_named_date_or_the_states(
    state: dict[str, Any], named: datetime | None, start_date: str | None
) -> None:
    """After a reset, and in a full refresh."""
    prepared = prepare_state(state, Plan(start_date=named, full_refresh=True))
    assert prepared["start_date"] == start_date
    assert prepared["backfill"] == {"windows": [[start_date, None]], "updated_after": None}


@pytest.mark.parametrize(
    ("own", "others", "start_date"),
    [
        ({}, [LOADED], MIDDLE),
        ({}, [LOADED, {"start_date": EARLY}], EARLY),
        ({}, [LOADED, {"start_date": None}], None),
        ({"start_date": LATE}, [LOADED], LATE),
        ({"start_date": None}, [LOADED], None),
        ({}, [{"list_digest": "a"}], "absent"),
    ],
)
def test_new_resource_inherits_the_start_date(
    own: dict[str, Any], others: list[dict[str, Any]], start_date: str | None
) -> None:
    """The earliest of the dataset; its own comes first, and lists without creation times have none."""
    assert inherit_start_date(own, others).get("start_date", "absent") == start_date


def test_forgotten_rows_leave_what_belongs_to_the_dataset() -> None:
    """The origin and the start date."""
    assert forget_rows({**LOADED, "backfill": {}, "scrub": {}}) == {"origin": "here", "start_date": MIDDLE}
    assert forget_rows({"origin": "here", "list_digest": "a"}) == {"origin": "here"}


def test_refusal_holds_as_long_as_the_count_stays() -> None:
    """Another count may mean other rows; a census that marks rows forgets the refusal."""
    refused = note_refusal({"updated_after": LATE, "refused": 3}, 7)
    assert refused == {"updated_after": LATE, "refused": 7}
    assert remembers_refusal(refused, 7)
    assert not remembers_refusal(refused, 3)
    assert not remembers_refusal(refused, None)
    assert not remembers_refusal({}, None)
    assert note_refusal(refused, None) == {"updated_after": LATE}


def test_later_one_of_two_start_dates_holds() -> None:
    """Only from there on have both read all rows."""
    mine, theirs = ({"updated_after": LATE, "start_date": date} for date in (EARLY, MIDDLE))
    assert lower_state(mine, theirs)["start_date"] == lower_state(theirs, mine)["start_date"] == MIDDLE


@pytest.mark.parametrize(("mine", "theirs"), [("a", None), (None, "a"), ("a", "b")])
def test_list_that_only_one_has_read_is_forgotten(mine: str | None, theirs: str | None) -> None:
    """A digest claims rows; a watermark beside it is another resource's."""
    states = [
        {"updated_after": LATE} | ({} if digest is None else {"list_digest": digest}) for digest in (mine, theirs)
    ]
    assert lower_state(*states) == {"origin": None}


def test_windows_that_touch_are_one() -> None:
    """And those with a gap between them are two."""
    assert merge_windows([[MIDDLE, LATE], [EARLY, MIDDLE]]) == [[EARLY, LATE]]
    assert merge_windows([[None, EARLY], [MIDDLE, None]]) == [[None, EARLY], [MIDDLE, None]]
