"""Text from outside: what is unseen in it is shown, and nothing in it acts."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cogny_source.cli.console import PlainConsole
from cogny_source.cli.display import print_differences, print_status, print_summary
from cogny_source.cli.exits import report_failure
from cogny_source.cli.live_progress import Watch
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.errors import BadRequest
from cogny_source.extract.context import Difference
from cogny_source.monitoring.health import ResourceFacts
from cogny_source.monitoring.run_history import Run, RunHistory
from cogny_source.monitoring.status import assess
from cogny_source.plain_text import cut_text, dump_safe_json, hide_keys, safe_lines, safe_text
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
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


class Counted:
    """A destination that holds two rows of everything, without a time of change."""

    def count_rows(self, _: str) -> tuple[int, int]:
        return 2, 0

    def query(self, query: str) -> list[tuple[object, ...]]:
        return [(2, 0)] if "count" in query else [(None,)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [red] ä 😀 \u200d", "plain [red] ä 😀 \u200d"),
        ("\x1b[2J\x07\r\n\t\x08\x7f", r"\x1b[2J\x07\r\n\t\x08\x7f"),
        ("\u202e\u2066\u200f\u2028\u2029\ufeff\U000e0041", r"\u202e\u2066\u200f\u2028\u2029\ufeff\U000e0041"),
        ("\ud800\udfff", r"\ud800\udfff"),
    ],
)
def test_what_is_unseen_is_shown(text: str, shown: str) -> None:
    """As an escape; every letter, and what joins letters, stays."""
    assert safe_text(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_safe_text_can_be_written_on_one_line(text: str) -> None:
    """Whatever the text is; a text that is safe stays as it is."""
    safe = safe_text(text)
    safe.encode()
    assert len(safe.splitlines()) <= 1
    assert safe_text(safe) == safe
    lines = safe_lines(text).split("\n")
    assert lines == [safe_lines(part) for part in text.split("\n")]
    assert all(len(line.splitlines()) <= 1 for line in lines)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_json_reads_the_same_and_acts_on_nothing(text: str, ascii_only: bool) -> None:
    """Whatever a text holds, and in any encoding."""
    dumped = dump_safe_json({text: [text, None]}, ascii_only=ascii_only, indent=2)
    assert json.loads(dumped) == {text: [text, None]}
    assert safe_lines(dumped) == dumped
    assert dumped.isascii() or not ascii_only


@pytest.mark.parametrize("ascii_only", [False, True])
def test_half_a_surrogate_pair_is_shown_in_json(ascii_only: bool) -> None:
    """Readers of JSON refuse its escape."""
    dumped = dump_safe_json("\ud800é", ascii_only=ascii_only)
    assert json.loads(dumped) == "\\ud800é"
    orjson.loads(dumped)


def test_keys_are_cut_down_to_their_prefix() -> None:
    """A message that somebody else made may hold one."""
    assert hide_keys("sk_live_abc-1, 'sk_test_x' and cogny_lite_9") == "sk_live_…, 'sk_test_…' and cogny_lite_…"
    assert (cut_text("abcd", 4), cut_text("abcde", 4)) == ("abcd", "abc…")


def print_on(console_of: type[Console] = Console) -> tuple[Console, io.StringIO]:
    """A console, as wide as it needs, that writes into a text."""
    shown = io.StringIO()
    return Console(file=shown, width=500, force_terminal=True, color_system=None), shown


@pytest.mark.parametrize("name", NAMES)
def test_summary_shows_a_field_as_it_is_called(name: str) -> None:
    """A field that the API names is neither markup nor an order to the terminal."""
    run = ResourceRun("warehouses", "full", NOW)
    run.undeclared[name] = 2
    console, shown = print_on()
    print_summary(console, SyncResult("run", (run,)), Counted(), verbose=True)
    assert f"{safe_text(name)} (2)" in shown.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_differences_and_status_show_what_the_api_says(name: str) -> None:
    """Keys of rows, names of columns, and sentences of earlier runs."""
    run = ResourceRun("tickets", "full", NOW)
    run.counts.differences = (Difference("tickets", name, "differs", (name,), fresh=False),)
    console, shown = print_on()
    print_differences(console, SyncResult("run", (run,)), quiet=False)
    failed = Run("run", "tickets", "full", "failed", NOW, error=name)
    print_status(console, assess([ResourceFacts("tickets", RunHistory((failed,)))], NOW), name)
    assert shown.getvalue().count(safe_text(name)) == 4


@pytest.mark.parametrize("name", NAMES)
def test_error_shows_what_the_api_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, on the terminal that waits, and to whoever is told of the failure."""

    def fail() -> None:
        raise BadRequest(f"no {name}", code=name)

    told: list[str] = []
    assert report_failure(fail, verbose=False, on_failure=lambda _, sentence: told.append(sentence)) == 1
    assert capsys.readouterr().err == f"Error: no {safe_text(name)} (code {safe_text(name)})\n"
    assert told == [f"Error: no {safe_text(name)} (code {safe_text(name)})"]
    watch = Watch(lambda: 0.0)
    watch.wait(1.0, name)
    assert f"({safe_text(name)})" in watch.status


def test_sync_tells_of_fields_with_any_name(sandbox: SandboxServer, cogny: Script) -> None:
    """It ends well, names ten of them, and counts the others; a sum of all is in its record."""
    names = [*NAMES[:-1], *(f"field {number}" for number in range(2_000))]
    sandbox.world.put("warehouses", {**sandbox.world.rows("warehouses")[0], "id": "wh_odd", **dict.fromkeys(names, 1)})
    done = cogny("sync", "duckdb", "--resources", "warehouses", COLUMNS="500")
    told = [line for line in done.stderr.splitlines() if "warehouses: " in line and "WARNING" in line]
    assert [line.partition("warehouses: ")[2] for line in told] == [
        *(f"{name} fits no column; its values are kept in extra" for name in sorted(map(safe_text, names))[:10]),
        f"… and {len(names) - 10:,} further fields (see undeclared_fields in sync_runs)",
    ]
    assert "\x1b" not in done.stdout + done.stderr
    assert f"{len(names) - 10:,} further fields" in done.stdout


def test_console_shows_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a text is given to it as such, too."""
    PlainConsole().print("[red] :smile: [/x]")
    assert capsys.readouterr().out == "[red] :smile: [/x]\n"
