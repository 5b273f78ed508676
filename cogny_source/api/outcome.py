"""Whether a write that failed took effect: what decides if it may be sent again."""

from __future__ import annotations

from enum import Enum

from cogny_source.errors import (
    CognyError,
    ContractError,
    EdgeRefusal,
    FatalError,
    NetworkError,
    RateLimited,
    ServerError,
)

# The edge did not reach the origin (Cloudflare's 521, 523, 525 and 526), or the request came too early (425).
NEVER_ARRIVED = (425, 521, 523, 525, 526)
REDIRECTS = range(300, 400)


class Outcome(Enum):
    """What became of a write that failed."""

    NOT_RUN = "it did not run; the same request may be sent again"
    REFUSED = "it did not run, and would be refused again"
    UNKNOWN = "it may have run; only a look tells"


def judge(error: CognyError) -> Outcome:
    """What became of a write, by the error that it ended with.

    Args:
        error: The error of its one attempt.
    """
    if isinstance(error, RateLimited):
        return Outcome.NOT_RUN
    if isinstance(error, FatalError | EdgeRefusal):
        return Outcome.REFUSED
    if isinstance(error, NetworkError):
        return Outcome.UNKNOWN if error.may_have_arrived else Outcome.NOT_RUN
    if isinstance(error, ServerError):
        return Outcome.NOT_RUN if error.status in NEVER_ARRIVED else Outcome.UNKNOWN
    if isinstance(error, ContractError) and error.status in REDIRECTS:
        return Outcome.REFUSED
    return Outcome.UNKNOWN
