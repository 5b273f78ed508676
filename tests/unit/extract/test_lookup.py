"""Single rows: an API that fails for one says nothing of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import CognyError, EdgeRefusal, NetworkError, NotFound, RateLimited, ServerError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.lookup import MOST_LOOKUPS, SAMPLE_ROWS, find_confirmed, find_deleted


class Failing:
    """Gives the row that is listed, and fails for any other.

    Args:
        error: With which it fails.
    """

    def __init__(self, error: CognyError) -> None:
        """Keep the error."""
        self._error = error

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The row, or the error."""
        if path == "/tickets/tkt_listed":
            return Answer({"id": "tkt_listed"}, None, None, None)
        raise self._error


def reading_of(error: CognyError) -> ReadContext:
    """Reading tickets from an API that fails."""
    return ReadContext(Failing(error), ENDPOINTS["tickets"], Meter(), lambda: None, 1000)


@pytest.mark.parametrize("kind", [ServerError, EdgeRefusal, NetworkError])
def test_row_whose_answer_fails_is_left_to_a_second_listing(kind: type[CognyError]) -> None:
    """A 500, or a page of the edge, for a row that is gone ends no run."""
    assert find_deleted(reading_of(kind("away")), ["tkt_gone"], "tkt_listed") is None


def test_used_up_limit_ends_the_run() -> None:
    """A second listing would fare no better."""
    with pytest.raises(RateLimited):
        find_deleted(reading_of(RateLimited("slow down")), ["tkt_gone"], "tkt_listed")


class Rows:
    """Gives rows by their id: each as it is here, and nothing for others.

    Args:
        rows: The answers.
    """

    def __init__(self, rows: dict[str, Any]) -> None:
        self.asked: list[str] = []
        self._rows = rows

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The row."""
        key = path.removeprefix("/tickets/")
        self.asked.append(key)
        if key not in self._rows:
            raise NotFound("no such row", status=404)
        return Answer(self._rows[key], None, None, None)

    @property
    def context(self) -> ReadContext:
        """Reading tickets from it."""
        return ReadContext(self, ENDPOINTS["tickets"], Meter(), lambda: None, 1000)


def row(key: str, micros: int | None = 5) -> dict[str, Any]:
    """A row that changed so many microseconds after 1970."""
    stamp = None if micros is None else f"1970-01-01T00:00:00.{micros:06}Z"
    return {"id": key, "updated_at": stamp}


@pytest.mark.parametrize("answer", [row("tkt_other"), {"name": "no id"}, [row("tkt_1")], None])
def test_answer_that_is_not_the_row_says_nothing(answer: Any) -> None:
    """Another row, a list or nothing at all."""
    api = Rows({"tkt_listed": row("tkt_listed"), "tkt_1": answer})
    assert find_deleted(api.context, ["tkt_1"], "tkt_listed") is None


def test_rows_that_do_not_exist_are_deleted() -> None:
    """If the API gives a row that is listed; of more than fifty a second listing says so."""
    api = Rows({"tkt_listed": row("tkt_listed"), "tkt_1": row("tkt_1")})
    assert find_deleted(api.context, ["tkt_1", "tkt_2"], "tkt_listed") == ["tkt_2"]
    assert find_deleted(Rows({}).context, ["tkt_1"], "tkt_listed") is None
    assert find_deleted(api.context, ["tkt_2"], None) is None
    many = [f"tkt_{number}" for number in range(2, MOST_LOOKUPS + 3)]
    assert find_deleted(api.context, many[:-1], "tkt_listed") == many[:-1]
    assert find_deleted(api.context, many, "tkt_listed") is None


def test_key_that_could_change_the_path_is_not_asked_for() -> None:
    """Nor is a row of a list that is always read whole."""
    api = Rows({})
    assert find_confirmed(api.context, {"../reports": 5}) is None
    assert find_confirmed(replace(api.context, endpoint=ENDPOINTS["warehouses"]), {"wh_1": 5}) is None
    assert api.asked == []


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [(row("tkt_2"), {"tkt_1", "tkt_2"}), (row("tkt_2", 6), {"tkt_1"}), (row("tkt_2", None), {"tkt_1"}), (None, None)],
)
def test_older_version_is_right_where_the_row_has_it(answer: Any, confirmed: set[str] | None) -> None:
    """A row that does not exist, though it is listed, leaves all to a second listing."""
    api = Rows({"tkt_1": row("tkt_1")} | ({} if answer is None else {"tkt_2": answer}))
    assert find_confirmed(api.context, {"tkt_1": 5, "tkt_2": 5}) == confirmed


@pytest.mark.parametrize(
    ("size", "asked"), [(MOST_LOOKUPS, MOST_LOOKUPS), (MOST_LOOKUPS + 1, SAMPLE_ROWS), (1000, SAMPLE_ROWS)]
)
def test_sample_decides_for_many_rows_if_it_agrees(size: int, asked: int) -> None:
    """A restored backup brings thousands; if one of the sample differs, only those are that were asked for."""
    keys = [f"tkt_{number}" for number in range(size)]
    api = Rows({key: row(key) for key in keys})
    assert find_confirmed(api.context, dict.fromkeys(keys, 5)) == {*keys}
    assert len(api.asked) == asked
    step = 1 if size <= MOST_LOOKUPS else size // SAMPLE_ROWS
    assert api.asked == keys[::step][:asked]
    other = Rows({key: row(key, 6 if key == "tkt_0" else 5) for key in keys})
    assert find_confirmed(other.context, dict.fromkeys(keys, 5)) == {*other.asked} - {"tkt_0"}
