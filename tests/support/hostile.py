"""Texts that act on a terminal or a page where they are not shown as text."""

from __future__ import annotations

NAMES = [
    "[/x]",
    "[red]",
    "[link=https://example.com]here[/link]",
    ":smile:",
    "\x1b[2J",
    "a\x07\r\x08b",
    "\u202eb",
    "\ud800",
]
