"""The questions of a growth team, each answered by one query of the models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cogny_source.destinations.model_store import ModelStore
from cogny_source.errors import ConfigError
from cogny_source.models.checks import open_built
from cogny_source.models.project import Question, read_project


@dataclass(frozen=True)
class Answer:
    """A question with its answer.

    Attributes:
        question: The question.
        sql: The query.
        columns: The columns of the answer.
        rows: Its rows.
    """

    question: Question
    sql: str
    columns: list[str]
    rows: list[tuple[Any, ...]]


def choose_questions(number: int | None) -> list[Question]:
    """The question of a number; all of them without one.

    Raises:
        ConfigError: If there is no question of that number.
    """
    questions = read_project().questions
    chosen = [question for question in questions if number in (None, question.number)]
    if not chosen:
        raise ConfigError(f"there is no question {number}: name one of 1 to {len(questions)}")
    return chosen


def ask(store: ModelStore, number: int | None = None) -> Iterator[Answer]:
    """Answer a question; all of them without a number.

    Raises:
        ConfigError: If there is no question of that number, or no models are built.
        LoadFailed: If the destination refuses the query.
    """
    chosen = choose_questions(number)
    renderer = open_built(store)
    for question in chosen:
        sql = renderer.render(question.sql).sql
        columns, rows = store.query(sql)
        yield Answer(question, sql, columns, rows)
