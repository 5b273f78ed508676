"""The files of the dbt package: models with their descriptions and tests, macros, questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cogny_source.destinations.model_store import Kind

FOLDER = Path(__file__).with_name("dbt")
NAME = "cogny"
# As dbt writes the arguments of a test that has none.
Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class DataTest:
    """A data test: a query for the rows that break a rule.

    Attributes:
        name: Its name.
        severity: `error` or `warn`.
        macro: The generic test that makes the query; empty for a query of its own.
        model: The model that a generic test is about.
        arguments: The arguments of the generic test.
        sql: The query's template, if it has one of its own.
        description: What holds if it finds no row.
    """

    name: str
    severity: str
    macro: str = ""
    model: str = ""
    arguments: Arguments = field(default_factory=dict)
    sql: str = ""
    description: str = ""


@dataclass(frozen=True)
class Model:
    """A model.

    Attributes:
        name: Its name.
        kind: What it becomes.
        sql: The template of its query.
        description: What one row is.
        columns: Column to what it holds.
        tests: Its generic tests.
    """

    name: str
    kind: Kind
    sql: str
    description: str
    columns: Mapping[str, str]
    tests: tuple[DataTest, ...]


@dataclass(frozen=True)
class Question:
    """A question of a reader, and the query that answers it.

    Attributes:
        number: Its place among the questions, from 1.
        text: The question.
        sql: The template of the query.
    """

    number: int
    text: str
    sql: str


@dataclass(frozen=True)
class Project:
    """The package.

    Attributes:
        models: The models by name.
        macros: The text of all macros and generic tests.
        tests: The tests that are queries of their own.
        questions: The questions, in order.
        sources: Loaded table to its columns, each with its type.
        variables: The variables with their defaults.
    """

    models: Mapping[str, Model]
    macros: str
    tests: tuple[DataTest, ...]
    questions: tuple[Question, ...]
    sources: Mapping[str, Mapping[str, str]]
    variables: Mapping[str, Any]

    @property
    def all_tests(self) -> Iterator[DataTest]:
        """The generic tests of the models, then the others."""
        for model in self.models.values():
            yield from model.tests
        yield from self.tests


@cache
def read_project() -> Project:
    """Read the package's files."""
    settings = _read_yaml(FOLDER / "dbt_project.yml")
    properties = [_read_yaml(path) for path in sorted((FOLDER / "models").rglob("*.yml"))]
    described = {entry["name"]: entry for file in properties for entry in file.get("models", ())}
    files = sorted((FOLDER / "models").rglob("*.sql"))
    sources = [source for file in properties for source in file.get("sources", ())]
    macros = [*sorted((FOLDER / "macros").glob("*.sql")), *sorted((FOLDER / "tests" / "generic").glob("*.sql"))]
    return Project(
        models={path.stem: _read_model(path, described[path.stem], settings["models"][NAME]) for path in files},
        macros="\n".join(path.read_text("utf-8") for path in macros),
        tests=tuple(_read_test(path) for path in sorted((FOLDER / "tests").glob("*.sql"))),
        questions=tuple(_read_question(path) for path in sorted((FOLDER / "analyses").glob("*.sql"))),
        sources={
            table["name"]: {column["name"]: column["data_type"] for column in table["columns"]}
            for source in sources
            for table in source["tables"]
        },
        variables=settings["vars"],
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return content


def _read_model(path: Path, entry: Mapping[str, Any], kinds: Mapping[str, Any]) -> Model:
    columns = entry.get("columns", ())
    tests: list[tuple[Any, dict[str, str]]] = [(test, {}) for test in entry.get("data_tests", ())]
    tests += [(test, {"column_name": column["name"]}) for column in columns for test in column.get("data_tests", ())]
    return Model(
        path.stem,
        kinds[path.parent.name]["+materialized"],
        path.read_text("utf-8"),
        entry["description"],
        {column["name"]: column["description"] for column in columns},
        tuple(_read_generic_test(path.stem, test, given) for test, given in tests),
    )


def _read_generic_test(model: str, test: Any, given: Arguments) -> DataTest:
    """A test in a model's properties: a name, or a name with arguments and settings."""
    [(macro, entry)] = test.items() if isinstance(test, dict) else [(test, {})]
    arguments = {**entry.get("arguments", {}), **given}
    named = entry.get("name") or "_".join([macro, model, *given.values()])
    severity = entry.get("config", {}).get("severity", "error")
    return DataTest(named, severity, macro, model, arguments, description=entry.get("description", ""))


def _read_test(path: Path) -> DataTest:
    sql = path.read_text("utf-8")
    severity = "warn" if "severity='warn'" in sql else "error"
    return DataTest(path.stem, severity, sql=sql, description=_read_comment(sql))


def _read_question(path: Path) -> Question:
    number, _, _ = path.stem.partition("_")
    text = path.read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return Question(int(number), _read_comment(text), "\n".join(lines))


def _read_comment(sql: str) -> str:
    """The comment at the beginning of a file, on one line."""
    lines = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)
