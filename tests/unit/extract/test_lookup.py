"""Single rows: an API that fails for one says nothing of it."""

from __future__ import annotations

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import CognyError, EdgeRefusal, NetworkError, RateLimited, ServerError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.lookup import find_deleted


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
