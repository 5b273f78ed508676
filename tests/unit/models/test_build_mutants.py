"""The mutants of `make model-mutants` still fit the models."""

from __future__ import annotations

import pytest

from cogny_source.models.project import FOLDER
from tests.unit.models.mutants import MUTANTS, Mutant, play


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_changes_one_place(mutant: Mutant) -> None:
    """Its text occurs once in its model."""
    text = (FOLDER / "models" / f"{mutant.model}.sql").read_text("utf-8")
    assert text.count(mutant.text) == 1


def test_there_are_twenty_of_them() -> None:
    """Or more."""
    assert len(MUTANTS) >= 20


@pytest.mark.long
def test_a_wrong_model_is_seen() -> None:
    """A join that multiplies rows."""
    [widened] = [mutant for mutant in MUTANTS if mutant.changed == "true"]
    assert play(widened)
