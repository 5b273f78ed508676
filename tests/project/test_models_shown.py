"""docs/models.md: its queries are those of the questions, and it names every model."""

from __future__ import annotations

import re

from cogny_source.models.project import read_project
from cogny_source.models.rendering import Renderer
from tests.support.models import MODELS, open_loaded
from tests.support.syncs import ROOT

PAGE = (ROOT / "docs" / "models.md").read_text("utf-8")


def test_queries_are_those_of_the_questions() -> None:
    """With the schema that they are built in by default."""
    shown = re.findall(r"### (\d+)\. ([^\n]+)\n\n(?:([^\n`]+)\n\n)?```sql\n([^`]*);\n```", PAGE)
    with open_loaded({}) as store:
        renderer = Renderer(read_project(), store, {})
        expected = [
            (
                str(question.number),
                " ".join(question.text.split()),
                renderer.render(question.sql).sql.replace(f'"memory"."{MODELS}"."', f"{MODELS}.").replace('"', ""),
            )
            for question in read_project().questions
        ]
    assert [(number, f"{head} {rest}".strip(), sql) for number, head, rest, sql in shown] == expected


def test_each_mart_is_named() -> None:
    """With what a row is."""
    named = set(re.findall(r"^\| `(\w+)` \| an? ", PAGE, re.MULTILINE))
    assert named == {name for name in read_project().models if name.startswith("cogny_")}
