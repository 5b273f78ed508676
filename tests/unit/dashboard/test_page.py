"""The report's pure parts: its answer, words and scales."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from markupsafe import escape

from cogny_source.dashboard.page import Content, render
from cogny_source.dashboard.ticket_metrics import Promise, Tickets
from cogny_source.plain_text import safe_lines, safe_text
from tests.support.judgement import DONE, make


@pytest.mark.parametrize(
    "name", ["<script>x</script>", "[/x]", "\x1b[2J", "a\x07\r\x08b", "\u202eb", "\u2028", "\ud800", "='1'!A1"]
)
def test_page_shows_names_as_text(name: str) -> None:
    """A folder, a title, a metric, a sentence of the API: neither markup, nor what turns or ends a line of the page."""
    promise = Promise(name, None, name, name, name, 5.0, None, None)
    tickets = Tickets(Counter(open=1), (), None, {}, {}, {}, (promise,), None)
    status = make(("tickets", replace(DONE, status="failed", error=name)), (name, DONE))
    page = render(Content(name, status, tickets, None))
    page.encode()
    assert safe_lines(page) == page
    assert "<script" not in page
    assert str(escape(safe_text(name))) in page
