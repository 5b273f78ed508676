"""Outcomes: whether a write that failed took effect, for everything that a write can end with."""

from __future__ import annotations

import pytest

from cogny_source.api.outcome import Outcome, judge
from cogny_source.errors import (
    AnswerTooLarge,
    AuthError,
    BadRequest,
    CognyError,
    ContractError,
    Contradiction,
    EdgeRefusal,
    Forbidden,
    NetworkError,
    NotFound,
    RateLimited,
    ServerError,
    Untrusted,
)

NOT_RUN, REFUSED, UNKNOWN = Outcome.NOT_RUN, Outcome.REFUSED, Outcome.UNKNOWN


def network_error(*, may_have_arrived: bool) -> NetworkError:
    """No answer."""
    error = NetworkError("gone")
    error.may_have_arrived = may_have_arrived
    return error


TABLE: list[tuple[CognyError, Outcome]] = [
    (network_error(may_have_arrived=False), NOT_RUN),
    (RateLimited("slow down", status=429), NOT_RUN),
    *((ServerError("edge", status=status), NOT_RUN) for status in (425, 521, 523, 525, 526)),
    (Untrusted("expired"), REFUSED),
    (BadRequest("no", status=400), REFUSED),
    (AuthError("no", status=401), REFUSED),
    (Forbidden("no", status=403), REFUSED),
    (NotFound("no", status=404), REFUSED),
    *((BadRequest("no", status=status), REFUSED) for status in (402, 405, 409, 410, 413, 415, 422)),
    *((EdgeRefusal("no JSON", status=status), REFUSED) for status in (400, 401, 403, 404)),
    *((ContractError("a redirect", status=status), REFUSED) for status in (301, 302, 307, 308)),
    (network_error(may_have_arrived=True), UNKNOWN),
    (NetworkError("a read timed out"), UNKNOWN),
    *((ServerError("edge", status=status), UNKNOWN) for status in (408, 500, 502, 503, 504, 520, 522, 524, 527, 599)),
    (ServerError("the answer is empty", status=200), UNKNOWN),
    (ServerError("the answer is empty", status=201), UNKNOWN),
    (ServerError("no content", status=204), UNKNOWN),
    (ServerError("success is false", status=200, code="UPSTREAM_DEGRADED"), UNKNOWN),
    (Contradiction("odd", status=200), UNKNOWN),
    (ContractError("the API's pagination is no object", status=200), UNKNOWN),
    (AnswerTooLarge("long"), UNKNOWN),
    (CognyError("of another kind"), UNKNOWN),
]


@pytest.mark.parametrize(
    ("error", "outcome"), TABLE, ids=[f"{type(error).__name__}-{error.status}" for error, _ in TABLE]
)
def test_each_failure_has_its_outcome(error: CognyError, outcome: Outcome) -> None:
    """Only what surely did not run may be sent again; what nobody knows is looked for."""
    assert judge(error) is outcome
