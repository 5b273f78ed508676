"""The summary of a sync: a line a resource that fits a terminal of 80 columns."""

from __future__ import annotations

from cogny_source.cli.summary import Line, align_lines

TICKETS = Line("tickets", 30, 12, 0, 5_010, 2, 1.2)
REPORTS = Line("reports", 0, 0, 1, 1, 1, 0.4)


def test_lines_are_columns_with_a_total() -> None:
    """New, changed and deleted are told apart; the total lasts as long as the longest."""
    assert align_lines([TICKETS, REPORTS], 80) == [
        "tickets  +30 new, 12 changed             5,010 rows  2 requests  1.2 s",
        "reports  1 deleted                            1 row   1 request  0.4 s",
        "total    +30 new, 12 changed, 1 deleted  5,011 rows  3 requests  1.2 s",
    ]


def test_single_resource_needs_no_total() -> None:
    """It would say the same."""
    assert align_lines([TICKETS], 80) == ["tickets  +30 new, 12 changed  5,010 rows  2 requests  1.2 s"]


def test_long_lines_are_sentences() -> None:
    """Where the columns do not fit, no figure is cut."""
    lines = align_lines([TICKETS._replace(new=1_234_567, changed=1_234_567, deleted=1_234_567)], 80)
    assert lines == ["tickets: +1,234,567 new, 1,234,567 changed, 1,234,567 deleted, 5,010 rows, 2 requests, 1.2 s"]


def test_nothing_new_is_said() -> None:
    """In words."""
    assert "  nothing new  " in align_lines([REPORTS._replace(deleted=0)], 80)[0]
