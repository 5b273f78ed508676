"""The files of the dbt package."""

from __future__ import annotations

import re

import pytest

from cogny_source.models.project import FOLDER, Question, read_project
from cogny_source.schema.dbt_sources import render_sources


def test_sources_are_those_of_the_data_dictionary() -> None:
    """As `make docs` writes them."""
    assert (FOLDER / "models" / "staging" / "_sources.yml").read_text("utf-8") == render_sources()


def test_each_test_has_a_name_of_its_own_and_a_rule() -> None:
    """A test that is a query says in a comment what holds."""
    tests = list(read_project().all_tests)
    names = [test.name for test in tests]
    assert len(names) == len(set(names)) > 80
    assert [test.name for test in tests if not test.macro and not test.description.endswith(".")] == []


def test_values_that_are_not_documented_are_a_warning() -> None:
    """The API may name new ones at any time; what the models make themselves is known."""
    levels = {
        test.model.startswith("stg_"): test.severity
        for test in read_project().all_tests
        if test.macro == "accepted_values"
    }
    assert levels == {True: "warn", False: "error"}


@pytest.mark.parametrize("question", read_project().questions, ids=lambda question: question.number)
def test_a_question_is_one_short_query(question: Question) -> None:
    """Without a subquery, a window or a common table expression."""
    assert question.text.partition("?")[1] == "?"
    assert len(question.sql.splitlines()) <= 16
    assert not re.search(r"\b(with|over)\b|\(\s*select", question.sql.lower())


def test_there_are_ten_questions() -> None:
    """Numbered from 1."""
    assert [question.number for question in read_project().questions] == list(range(1, 11))
