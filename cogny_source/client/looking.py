"""Looking: whether a write took effect whose answer was lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from cogny_source.api.outcome import Outcome, judge
from cogny_source.client.context import Context
from cogny_source.errors import CognyError, OutcomeUnknown

logger = logging.getLogger(__name__)

T = TypeVar("T")
# Seconds before each look: at 0, 1, 5 and 15 s. A list may lag behind, and a write may still be running.
PAUSES = (0.0, 1.0, 4.0, 10.0)
# No request of a look begins later: a window of the rate limit, and an answer that takes its time.
LOOK_SECONDS = 75.0
# Takes the moment of the stopwatch after which no request may begin.
Find = Callable[[float], T | None]


def look(context: Context, find: Find[T]) -> T | None:
    """Look some times for what a write would have left; 15 s, and five minutes at most where the API is slow or away.

    Args:
        context: Sleeps between the looks.
        find: What the write left; None if there is nothing.

    Returns:
        What was found; None if there was nothing, or no look succeeded.
    """
    for pause in PAUSES:
        if pause:
            context.timing.sleep(pause)
        try:
            found = find(context.timing.stopwatch() + LOOK_SECONDS)
        except CognyError as error:
            logger.warning("the look for a write whose answer was lost failed: %s", error)
            continue
        if found is not None:
            return found
    return None


def settle(context: Context, write: Callable[[], T], find: Find[T] | None, told: str) -> T:
    """Write, and look where the answer is lost.

    Args:
        context: Sleeps between the looks.
        write: Writes once.
        find: What the write left; None if nothing would show it.
        told: What is to be done where it is not found, for the error.

    Raises:
        OutcomeUnknown: If nothing is found.
        CognyError: If the write did not run.
    """
    try:
        return write()
    except CognyError as error:
        if judge(error) is not Outcome.UNKNOWN:
            raise
        if find is not None:
            logger.warning("%s; looking whether it took effect", error)
        found = None if find is None else look(context, find)
        if found is None:
            raise unknown(error, told) from error
        return found


def unknown(error: CognyError, told: str, token: str | None = None) -> OutcomeUnknown:
    """The error of a write that was not found.

    Args:
        error: What it ended with.
        told: What is to be done.
        token: By which a report can be looked for again.
    """
    message = f"the answer was lost ({error.message}), and it may have taken effect: {told}"
    return OutcomeUnknown(message, token=token, status=error.status, request_id=error.request_id, path=error.path)
