"""The dictionary of the tables: its page is the one that the code declares."""

from __future__ import annotations

import pytest

from cogny_source.destinations.registry import list_column_types
from cogny_source.schema import RESOURCE_TABLES
from cogny_source.schema.dbml import describe_tables, render_dbml
from cogny_source.schema.markdown import render_tables
from tests.support.papers import PAPERS
from tests.support.syncs import ROOT


@pytest.fixture
def _papers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Papers are a resource."""
    monkeypatch.setitem(RESOURCE_TABLES, PAPERS.name, PAPERS)


@pytest.mark.usefixtures("_papers")
def test_dictionary_shows_composite_keys_and_the_table_around() -> None:
    """Markdown, DBML and JSON name the key of a nested child table, and its parent, which is a child itself."""
    told = {table["name"]: table for table in describe_tables()}
    assert told["papers__claims"]["primary_key"] == ["paper_id", "section_position", "position"]
    assert told["papers__claims"]["references"] == [
        {"column": "paper_id", "table": "papers__sections", "parent_column": "paper_id"},
        {"column": "section_position", "table": "papers__sections", "parent_column": "position"},
    ]
    assert told["papers__sections"]["references"] == [
        {"column": "paper_id", "table": "papers", "parent_column": "paper_id"}
    ]
    dbml = render_dbml()
    assert "    (paper_id, section_position, claim_position, position) [pk]\n" in dbml
    assert "Ref: papers__notes.(paper_id, section_position) > papers__sections.(paper_id, position)\n" in dbml
    assert "Ref: papers__keywords.paper_id > papers.paper_id\n" in dbml
    page = render_tables(list_column_types())
    assert '    papers__sections ||--o{ papers__claims : "paper_id, section_position"\n' in page
    assert "| **section_position** | bigint | Place of the parent in its list, from 0. |\n" in page


def test_page_is_not_stale() -> None:
    """`make docs` would write what stands there."""
    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == render_tables(list_column_types())
