"""The state of the contents of reports: begun once, forgotten, and lowered to that of another machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cogny_source.extract.content_state import ContentScope, begin_contents, forget_contents, lower_contents
from cogny_source.settings import Settings

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SINCE, EARLIER = "2026-03-01T00:00:00.000000Z", "2026-02-01T00:00:00.000000Z"


def settings(contents: str) -> Settings:
    """Settings that want some contents."""
    return Settings("sk_test_sandbox", contents=contents)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("contents", "added"), [("new", {"mode": "new"}), ("all", {"mode": "all", "fetched_all": True})]
)
def test_first_state_begins_a_day_earlier(contents: str, added: dict[str, Any]) -> None:
    """A clock that is ahead leaves out no content; the second run has nothing to begin."""
    begun = begin_contents({}, settings(contents), NOW)
    assert begun == {"origin": settings(contents).origin, "since": SINCE, **added}
    assert begin_contents(begun, settings(contents), datetime(2026, 4, 1, tzinfo=UTC)) is None


def test_setting_is_remembered() -> None:
    """Also that contents before `since` were fetched once; without contents there is nothing to remember."""
    state = {"origin": settings("new").origin, "since": EARLIER, "mode": "all", "fetched_all": True, "a_minute": 9}
    assert begin_contents(state, settings("never"), NOW) == {**state, "mode": "never"}
    assert begin_contents(state, settings("new"), NOW) == {**state, "mode": "new"}
    assert begin_contents({}, settings("never"), NOW) is None


def test_scope_of_a_state() -> None:
    """With `all` no report is too old."""
    state = {"since": SINCE, "mode": "new", "refetch_through": "17.5"}
    assert ContentScope.of(state) == ContentScope("new", datetime(2026, 3, 1, tzinfo=UTC), "17.5")
    assert ContentScope.of({**state, "mode": "all"}) == ContentScope("all", None, "17.5")
    assert ContentScope.of({}) == ContentScope("new", None, None)


def test_forgotten_contents_are_fetched_again() -> None:
    """What the newest load and earlier ones brought; the date stays, unless older contents were lost too."""
    state = {"origin": "o", "since": SINCE, "mode": "new"}
    assert forget_contents(state, "17.5", rows_are_lost=True) == {**state, "refetch_through": "17.5"}
    assert forget_contents(state, None, rows_are_lost=False) == state
    wide = {**state, "fetched_all": True}
    assert forget_contents(wide, "17.5", rows_are_lost=False) == {**wide, "refetch_through": "17.5"}
    assert forget_contents(wide, "17.5", rows_are_lost=True) == {**wide, "since": None, "refetch_through": "17.5"}


@pytest.mark.parametrize(
    ("mine", "theirs", "lowered"),
    [
        ({}, {}, {}),
        ({"since": SINCE}, {}, {"since": SINCE}),
        ({}, {"since": SINCE}, {"since": SINCE}),
        ({"since": SINCE}, {"since": EARLIER}, {"since": EARLIER}),
        ({"since": EARLIER}, {"since": SINCE}, {"since": EARLIER}),
        ({"since": SINCE}, {"since": None}, {"since": None}),
        ({"since": None}, {"since": SINCE}, {"since": None}),
        ({"since": SINCE, "refetch_through": "17.5"}, {"since": SINCE}, {"since": SINCE, "refetch_through": "17.5"}),
        ({"since": SINCE}, {"since": SINCE, "refetch_through": "17.5"}, {"since": SINCE, "refetch_through": "17.5"}),
        (
            {"since": SINCE, "refetch_through": "1700000000.25"},
            {"since": SINCE, "refetch_through": "1700000000.3"},
            {"since": SINCE, "refetch_through": "1700000000.3"},
        ),
        ({"since": SINCE, "mode": "new"}, {"since": SINCE, "mode": "all"}, {"since": SINCE, "mode": "new"}),
        (
            {"since": SINCE},
            {"since": SINCE, "fetched_all": True},
            {"since": SINCE, "fetched_all": True},
        ),
    ],
)
def test_commit_of_another_machine_undoes_nothing(
    mine: dict[str, Any], theirs: dict[str, Any], lowered: dict[str, Any]
) -> None:
    """The earlier date and the later reset hold."""
    assert lower_contents(mine, theirs) == lowered
