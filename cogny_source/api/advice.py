"""What the errors of a request say beside the API's own words: how long to wait, and which scope is missing."""

from __future__ import annotations

from cogny_source.api.calls import Call
from cogny_source.errors import Forbidden, RateLimited


def used_up(call: Call, wait_seconds: float, excess: str) -> RateLimited:
    """The error of a request that would wait too long for its turn."""
    message = f"the rate limit is used up for another {wait_seconds:.0f} s, {excess}"
    return RateLimited(message, path=call.path, retry_after_seconds=wait_seconds)


def name_scope(error: Forbidden, scope: str | None) -> None:
    """Add the scope to the message; only the sender knows it."""
    if scope and scope not in error.message:
        error.message += f"; the key needs the scope {scope}"
