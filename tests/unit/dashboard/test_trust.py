"""The answer at the top of the page."""

from __future__ import annotations

import re
from dataclasses import replace

from cogny_source.dashboard.trust import tell_answer
from cogny_source.monitoring.health import Level
from tests.support.judgement import DONE, make


def test_answer_is_the_level_of_the_dataset() -> None:
    """With the findings that made it so, and what to do; what was never synced does not count."""
    failed = replace(DONE, status="failed", error="why " * 100)
    answer = tell_answer(make(("tickets", None), ("reports", None)))
    assert (answer.level, answer.title) == (Level.UNSYNCED, "There is no data yet")
    answer = tell_answer(make(("tickets", DONE), ("reports", None)))
    assert (answer.level, answer.title) == (Level.OK, "Yes")
    assert answer.text == "Tickets are at most 1\u00a0h old, and their last runs are done."
    answer = tell_answer(make(("tickets", DONE), ("reports", replace(DONE, unexplained_rows=1))))
    assert (answer.level, answer.title) == (Level.WARN, "With care")
    assert answer.text == "Reports: the API counts 1 row more than the destination holds; run cogny census."
    answer = tell_answer(make(("tickets", replace(DONE, unexplained_rows=1)), ("reports", failed)))
    assert (answer.level, answer.title) == (Level.ERROR, "Not now")
    assert re.fullmatch(
        r"Reports: the last run failed: (why )+wh…; cogny check looks for the cause, cogny sync tries again\.",
        answer.text,
    )
