"""Which statements only read, and where one ends."""

from __future__ import annotations

import pytest

from cogny_source.cli.prompt import read_statements
from cogny_source.cli.query import is_reading


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "  select 1 ;  ",
        "FROM tickets",
        "WITH it AS (SELECT 1) SELECT * FROM it",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "-- counts them\nSELECT count(*) FROM tickets",
        "/* a; b */ SELECT 1",
        "SELECT 'a; DROP TABLE tickets' AS text",
        "SELECT 'it''s; so' AS text",
        'SELECT 1 AS "odd; name" -- and; so on',
        "DESCRIBE tickets",
        "SUMMARIZE tickets",
    ],
)
def test_what_reads_is_let_through(sql: str) -> None:
    """A semicolon in a text, a quoted name or a comment ends no statement."""
    assert is_reading(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "-- SELECT 1",
        "DROP TABLE tickets",
        "SELECT 1; DROP TABLE tickets",
        "SELECT 'a'; DROP TABLE tickets --'",
        "SELECT 1 -- '\n; DROP TABLE tickets -- '",
        "SELECT 'it\\'s'; DROP TABLE tickets",
        "selection",
        "COPY tickets TO 'x'",
        "ATTACH 'x'",
    ],
)
def test_what_does_more_is_not(sql: str) -> None:
    """Of two statements the second might change something."""
    assert not is_reading(sql)


def test_a_statement_goes_up_to_its_semicolon() -> None:
    """Over several lines; a line with a dot is a command, and the last statement needs no semicolon."""
    lines = ["select 1", ", 'a;b' -- c;", ";", "", ".tables", "select 2;", "select", ".5"]
    assert list(read_statements(lines)) == ["select 1\n, 'a;b' -- c;\n;", ".tables", "select 2;", "select\n.5"]


def test_quit_ends_at_once() -> None:
    """What follows is not read."""
    assert list(read_statements(["select 1;", ".quit", "select 2;"])) == ["select 1;"]
