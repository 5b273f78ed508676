"""The decision table of a listing: every row of it, and that it has one row for each combination of facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cogny_source.extract.completeness import Verdict
from cogny_source.extract.next_step import (
    LAST_STEPS,
    MAX_RESTARTS,
    MAX_SHORT_READINGS,
    CursorRefused,
    Event,
    ListEnded,
    NextStep,
    PageRead,
    Progress,
    decide_next,
)
from cogny_source.extract.order_proof import OrderState

OPEN, PROVEN, UNPROVEN = OrderState.OPEN, OrderState.PROVEN, OrderState.UNPROVEN
YES_OR_NO = (False, True)
# Every value of every fact that could make a difference.
VALUES: dict[type[Event], dict[str, tuple[Any, ...]]] = {
    PageRead: {
        "is_long": YES_OR_NO,
        "rows_vanished": YES_OR_NO,
        "has_place_before": YES_OR_NO,
        "order": tuple(OrderState),
        "runs_away": YES_OR_NO,
    },
    CursorRefused: {
        "pages_came": YES_OR_NO,
        "has_moved": YES_OR_NO,
        "order": tuple(OrderState),
        "restarts": (0, MAX_RESTARTS - 1, MAX_RESTARTS, MAX_RESTARTS + 1),
    },
    ListEnded: {
        "verdict": tuple(Verdict),
        "short_readings": (0, 1, MAX_RESTARTS, MAX_RESTARTS + 1, 10, 11),
        "may_end_early": YES_OR_NO,
        "has_newer": (None, False, True),
        "has_moved": YES_OR_NO,
        "has_passed_start": YES_OR_NO,
        "order": tuple(OrderState),
        "restarts": (0, MAX_RESTARTS - 1, MAX_RESTARTS, MAX_RESTARTS + 1),
    },
}


@dataclass(frozen=True)
class Rule:
    """A row of the table.

    Attributes:
        event: What happened.
        step: What follows.
        facts: The facts that matter, each with the values that it may have.
    """

    event: type[Event]
    step: NextStep
    facts: dict[str, tuple[Any, ...]]

    def __str__(self) -> str:
        return f"{self.event.__name__}: {self.step.name}"

    def covers(self, event: Event) -> bool:
        """Whether it is the row for an event."""
        return type(event) is self.event and all(getattr(event, name) in values for name, values in self.facts.items())


def rule(event: type[Event], step: NextStep, **facts: Any) -> Rule:
    """A row; a value that is no tuple is the only one."""
    return Rule(event, step, {name: value if isinstance(value, tuple) else (value,) for name, value in facts.items()})


FEW, MANY = (0, MAX_RESTARTS - 1), (MAX_RESTARTS, MAX_RESTARTS + 1)
WHOLE = (Verdict.COMPLETE, Verdict.SURPLUS, Verdict.VANISHED)
NO_PLACE = {"rows_vanished": True, "has_place_before": False}
PLACE = {"rows_vanished": True, "has_place_before": True}
# No reading afresh: nothing is missing, or it was tried often enough.
SETTLED: tuple[dict[str, Any], ...] = (
    {"verdict": WHOLE},
    {"verdict": Verdict.SLIPPED, "short_readings": (MAX_RESTARTS + 1, 10, 11)},
    {"verdict": Verdict.SHUFFLED, "short_readings": 11},
)
EARLY: tuple[dict[str, Any], ...] = tuple({**facts, "may_end_early": True, "has_newer": True} for facts in SETTLED)
NOT_EARLY: tuple[dict[str, Any], ...] = ({"may_end_early": False}, {"may_end_early": True, "has_newer": False})
TABLE = [
    rule(PageRead, NextStep.PROVE_ORDER, order=OPEN, is_long=True),
    rule(PageRead, NextStep.PROVE_ORDER, order=OPEN, is_long=False, **PLACE),
    rule(PageRead, NextStep.TAKE_UP_BEFORE_GAP, order=PROVEN, **PLACE),
    *(
        rule(PageRead, step, runs_away=runs_away, **facts)
        for runs_away, step in ((False, NextStep.READ_ON), (True, NextStep.CUT_SHORT))
        for facts in (
            {"order": OPEN, "is_long": False, "rows_vanished": False},
            {"order": OPEN, "is_long": False, **NO_PLACE},
            {"order": PROVEN, "rows_vanished": False},
            {"order": PROVEN, **NO_PLACE},
            {"order": UNPROVEN},
        )
    ),
    rule(CursorRefused, NextStep.FAIL, pages_came=False),
    rule(CursorRefused, NextStep.PROVE_ORDER, pages_came=True, has_moved=True, order=OPEN),
    rule(CursorRefused, NextStep.RESUME, pages_came=True, has_moved=True, order=PROVEN),
    *(
        rule(CursorRefused, step, pages_came=True, restarts=restarts, **facts)
        for restarts, step in ((FEW, NextStep.RETURN_TO_START), (MANY, NextStep.FAIL))
        for facts in ({"has_moved": False}, {"has_moved": True, "order": UNPROVEN})
    ),
    rule(ListEnded, NextStep.READ_AFRESH, verdict=Verdict.SLIPPED, short_readings=(0, 1, MAX_RESTARTS)),
    rule(
        ListEnded,
        NextStep.READ_AFRESH,
        verdict=Verdict.SHUFFLED,
        short_readings=(0, 1, MAX_RESTARTS, MAX_RESTARTS + 1, 10),
    ),
    *(rule(ListEnded, NextStep.ASK_FOR_NEWEST, may_end_early=True, has_newer=None, **facts) for facts in SETTLED),
    *(rule(ListEnded, NextStep.FINISH, **SETTLED[0], **facts) for facts in NOT_EARLY),
    *(rule(ListEnded, NextStep.FINISH_INCOMPLETE, **short, **facts) for short in SETTLED[1:] for facts in NOT_EARLY),
    *(rule(ListEnded, NextStep.FINISH_INCOMPLETE, has_moved=False, restarts=MANY, **facts) for facts in EARLY),
    *(
        rule(ListEnded, step, **facts, **moved, **place)
        for step, place in (
            (NextStep.PROVE_ORDER, {"has_passed_start": True, "order": OPEN}),
            (NextStep.RESUME, {"has_passed_start": True, "order": PROVEN}),
            (NextStep.RETURN_TO_START, {"has_passed_start": True, "order": UNPROVEN}),
            (NextStep.RETURN_TO_START, {"has_passed_start": False}),
        )
        for moved in ({"has_moved": True}, {"has_moved": False, "restarts": FEW})
        for facts in EARLY
    ),
]


def list_events(kind: type[Event]) -> Iterator[Event]:
    """One event for each combination of facts."""
    names, values = zip(*VALUES[kind].items(), strict=True)
    for combination in product(*values):
        yield kind(**dict(zip(names, combination, strict=True)))


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_each_row_of_the_table_decides_as_it_says(row: Rule) -> None:
    """Whatever the other facts are, the facts of a row lead to its step."""
    covered = [event for event in list_events(row.event) if row.covers(event)]
    assert covered
    assert {decide_next(event) for event in covered} == {row.step}


@pytest.mark.parametrize("kind", VALUES)
def test_each_combination_of_facts_stands_in_one_row(kind: type[Event]) -> None:
    """The table has no gap, and no two rows for one event."""
    assert {field.name for field in fields(kind)} == set(VALUES[kind])
    assert {sum(row.covers(event) for row in TABLE) for event in list_events(kind)} == {1}


def test_each_step_is_reached() -> None:
    """No step is there that nothing leads to."""
    assert {row.step for row in TABLE} == set(NextStep)


def test_reading_afresh_is_bounded_for_each_verdict_of_missing_rows() -> None:
    """Rows that change places are worth more readings than rows that slipped; the other verdicts need none."""
    assert MAX_SHORT_READINGS == {Verdict.SLIPPED: MAX_RESTARTS, Verdict.SHUFFLED: 10}


def test_state_diagram_shows_each_step_after_each_event() -> None:
    """The diagram in the architecture's page has the transitions of the table, and no other."""
    page = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text()
    [diagram] = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", page, re.DOTALL)
    lines = re.findall(r"^ +(\S+) --> (\S+): ([A-Z_]+(?:<br>[A-Z_]+)*)$", diagram, re.MULTILINE)
    arrows = [(source, target, step) for source, target, steps in lines for step in steps.split("<br>")]
    assert sorted((source, step) for source, _, step in arrows) == sorted(
        {(row.event.__name__, row.step.name) for row in TABLE}
    )
    ends = {step for _, target, step in arrows if target == "[*]"}
    assert ends == {step.name for step in (*LAST_STEPS, NextStep.FAIL)}
    questions = {step for source, target, step in arrows if source == target}
    assert questions == {"PROVE_ORDER", "ASK_FOR_NEWEST"}


def test_restarts_that_come_no_further_are_counted_in_a_row() -> None:
    """One that comes further begins the count anew."""
    first, second = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds) for seconds in (1, 2))
    progress = Progress()
    assert (progress.has_moved(None), progress.has_moved(first)) == (False, True)
    progress.note(None, fruitful=False)
    progress.note(first, fruitful=False)
    assert (progress.restarts, progress.has_moved(first), progress.has_moved(second)) == (2, False, True)
    progress.note(second, fruitful=True)
    assert progress.restarts == 0
