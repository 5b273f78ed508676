"""The API's count, and the row that comes with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import BadRequest
from cogny_source.extract.context import ReadContext
from cogny_source.extract.counting import Count, fetch_count, note_sample
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.timestamps import format_instant

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)


class Api:
    """Answers each request with one row and a count.

    Args:
        created: When the row was created; None for no row.
        refuses: Which requests it refuses.
    """

    def __init__(self, created: datetime | None, *, refuses: tuple[str, ...] = ()) -> None:
        self.sent: list[dict[str, Any]] = []
        self._rows = [] if created is None else [{"id": "tkt_1", "created_at": format_instant(created)}]
        for row in self._rows:
            row["updated_at"] = format_instant(NOW)
        self._refuses = refuses

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The row."""
        self.sent.append(dict(params))
        if any(name in params for name in self._refuses):
            raise BadRequest("not known here", status=400)
        return Answer(self._rows, {"has_more": False, "total_count": 7}, NOW, None)

    @property
    def context(self) -> ReadContext:
        """Reading tickets from it."""
        return ReadContext(self, ENDPOINTS["tickets"], Meter(), lambda: None, 1000)


def test_newest_row_is_asked_for_alone() -> None:
    """In the API's own order where it refuses a sort."""
    api = Api(START, refuses=("sort",))
    assert fetch_count(api.context, None) == Count(7, NOW, {"id": "tkt_1", "created_at": format_instant(START),
                                                             "updated_at": format_instant(NOW)})  # fmt: skip
    assert api.sent == [{"limit": 1, "sort": "-updated_at"}, {"limit": 1}]


@pytest.mark.parametrize(
    ("seconds", "rows", "sampled"), [(0, 7, True), (-1e-6, 7, False), (-1, 7, False), (-1.1, None, False), (9, 7, True)]
)
def test_row_before_the_bound_is_no_sample_and_long_before_it_shows_that_the_filter_is_ignored(
    seconds: float, rows: int | None, sampled: bool
) -> None:
    """The bound is asked for a little wider, as an API may leave out the row that lies on it."""
    api = Api(START + timedelta(seconds=seconds))
    context = api.context
    note_sample(context, START)
    assert api.sent == [
        {"limit": 1, "created_after": format_instant(START - timedelta(microseconds=1)), "sort": "created_at"}
    ]
    assert (context.counts.api_rows, context.counts.taken_at, context.counts.newest_change) == (rows, NOW, None)
    assert context.counts.sample == (("tkt_1", NOW) if sampled else None)


@pytest.mark.parametrize(("start", "newest"), [(None, NOW), (START, None)])
def test_sample_of_all_rows_is_the_newest_change(start: datetime | None, newest: datetime | None) -> None:
    """With a bound it is the oldest row."""
    context = Api(START).context
    note_sample(context, start)
    assert (context.counts.newest_change, context.counts.sample) == (newest, ("tkt_1", NOW))


@pytest.mark.parametrize("start", [None, START])
def test_empty_list_has_a_count_and_no_sample(start: datetime | None) -> None:
    """Whether it is asked with a bound or without."""
    context = Api(None).context
    note_sample(context, start)
    assert (context.counts.api_rows, context.counts.sample, context.counts.newest_change) == (7, None, None)


def test_refusal_leaves_rows_uncounted() -> None:
    """It ends no run."""
    context = Api(START, refuses=("limit",)).context
    note_sample(context, None)
    assert (context.counts.api_rows, context.counts.taken_at, context.counts.sample) == (None, None, None)
