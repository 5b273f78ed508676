"""The mutants that nothing shows are listed, and a mutant that is put in place is in place for everybody."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cogny_source.extract.lookback import choose_reach
from cogny_source.extract.plan import DeletionGuard, Plan
from cogny_source.timestamps import parse_instant
from tests.mutation.__main__ import judge_result
from tests.mutation.places import list_modules, list_mutants
from tests.mutation.survivors import read_survivors
from tests.mutation.swap import find_function, swap_function

# The share of mutants that nothing may show.
MOST_MISSED = 0.1


@contextmanager
def changed(name: str) -> Iterator[None]:
    """The code with one mutant."""
    mutant = next(mutant for mutant in list_mutants() if mutant.name == name)
    function = find_function(importlib.import_module(mutant.module), mutant.function)
    code = function.__code__
    swap_function(mutant)
    try:
        yield
    finally:
        function.__code__ = code


def test_survivors_are_mutants_of_the_code_as_it_is() -> None:
    """A listed mutant whose code is gone or changed must leave the list, and each has a reason."""
    survivors, mutants = read_survivors(), list_mutants()
    names = {mutant.name for mutant in mutants}
    assert len(names) == len(mutants) > 1_000
    assert [name for name in survivors if name not in names] == []
    assert all(len(reason.split()) > 5 for reason in survivors.values())
    assert len(survivors) <= MOST_MISSED * len(mutants)


def test_every_module_of_the_reading_has_mutants() -> None:
    """No folder is left out."""
    modules = {mutant.module for mutant in list_mutants()}
    assert modules < {*list_modules()}
    assert {*list_modules()} - modules <= {"cogny_source.extract.pool"}


def test_mutant_is_in_place_for_those_who_have_imported_it() -> None:
    """A method, and a function that other modules hold by its name."""
    guard = DeletionGuard(rows=2, share=0.5)
    with changed("extract.plan DeletionGuard.refuses: gone >= self.rows -> gone > self.rows"):
        assert not guard.refuses(2, 3)
    assert guard.refuses(2, 3)
    state = {"updated_after": "2025-03-01T00:00:00Z"}
    clock = parse_instant("2025-02-28T23:00:00Z")
    plan = Plan(lookback_seconds=0.0)
    with changed("extract.lookback choose_reach: plan.overlap_seconds + ahead -> plan.overlap_seconds - ahead"):
        assert choose_reach(state, plan, clock).seconds == 60.0 - 3600.0
    assert choose_reach(state, plan, clock).seconds == 60.0 + 3600.0


@pytest.mark.parametrize(
    ("listed", "seen_by", "told"),
    [
        (True, "nothing", ""),
        (False, "test", ""),
        (False, "nothing", ": not in survivors.toml"),
        (True, "world", ": take it off survivors.toml"),
    ],
)
def test_list_of_survivors_is_held_against_what_is_found(listed: bool, seen_by: str, told: str) -> None:
    """A mutant that nothing shows is on the list, and no other one."""
    assert judge_result(listed, seen_by) == told
