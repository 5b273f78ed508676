"""Rows that are odd in ways that parsers, encoders and databases do not bear, synced, verified and counted."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import dlt
import duckdb
import pytest

from cogny_source import sync
from cogny_source.errors import BadRequest
from cogny_source.settings import Settings
from tests.support.syncs import make_pipeline
from tests.support.wire import Wire

STAMP = "2025-06-02T10:30:00Z"


def nest(levels: int, core: str) -> str:
    """A value within so many arrays."""
    return "[" * levels + core + "]" * levels


def row(number: int, field: str, value: str) -> str:
    """A ticket as JSON, one of whose fields is odd."""
    identity = f'"id":"tkt_{number}","created_at":"{STAMP}","updated_at":"{STAMP}"'
    return f'{{{identity},{json.dumps(field)}:{value},"title":"as it is"}}'


def serve(rows: list[str], status: int = 200, error: str = "null") -> Wire:
    """A server that lists these tickets, and nothing else, in one page."""

    def play(line: socket.socket, head: str) -> None:
        listed = rows if "/tickets" in head.split()[1] else []
        success = "true" if status == 200 else "false"
        body = f'{{"success":{success},"data":[{",".join(listed)}],"error":{error}}}'.encode("ascii")
        line.sendall(f"HTTP/1.1 {status} OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return Wire(play)


def load(wire: Wire, folder: Path) -> dict[str, tuple[str | None, str | None]]:
    """Sync twice with all that compares rows; returns two columns by id."""
    settings = Settings("sk_test_sandbox", wire.base_url, requests_per_minute=None, contents="never")
    first, again = (sync(make_pipeline(folder), settings, census="always", verify=True) for _ in range(2))
    assert [run.counts.differences for run in (*first.resources, *again.resources)] == [()] * 6
    with duckdb.connect(str(folder / "cogny.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT id, supporting_data, extra FROM cogny_data.tickets").fetchall()
    return {identity: (data, extra) for identity, data, extra in found}


@pytest.mark.parametrize(
    ("levels", "core"),
    [
        (150, "1.0"),
        (500, "1.5"),
        (1_000, '"\\ud83d"'),
        (1_000, "123456789012345678901"),
        pytest.param(100_000, "1.5", marks=pytest.mark.long),
    ],
)
def test_deep_json_is_kept_and_harms_no_other_row(tmp_path: Path, levels: int, core: str) -> None:
    """In a declared column and in an undeclared one, whatever is at its bottom."""
    deep = nest(levels, core)
    rows = [row(1, "supporting_data", deep), row(2, "odd", deep), row(3, "supporting_data", '{"a":[1]}')]
    with serve(rows) as wire:
        found = load(wire, tmp_path)
    assert found["tkt_3"] == ('{"a":[1]}', None)
    data, extra = found["tkt_1"][0], found["tkt_2"][1]
    assert data is not None
    assert extra is not None
    assert data.count("[") == extra.count("[") == levels


@pytest.mark.parametrize(
    "name",
    [
        "half\ud83d",
        "esc\x1b[2J",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("two\nlines", "[/x]", "a.b")),
    ],
)
def test_odd_names_of_fields_are_kept_and_told_safely(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The value is in `extra` under its own name; the line that tells of it can be printed anywhere."""
    with serve([row(1, name, "7")]) as wire:
        found = load(wire, tmp_path)
    assert ":7" in str(found["tkt_1"][1])
    assert all(text.isprintable() for text in caplog.messages if "fits no column" in text)
    assert any("fits no column" in text for text in caplog.messages)


def test_a_refusal_in_odd_letters_ends_the_run_with_a_sentence(tmp_path: Path, pipeline: dlt.Pipeline) -> None:
    """Half a surrogate pair in message and code is recorded as its escape."""
    error = r'{"code":"ODD\ud83d","message":"no \ud83d\u001b[2J"}'
    with serve([], 400, error) as wire:
        settings = Settings("sk_test_sandbox", wire.base_url, requests_per_minute=None)
        with pytest.raises(BadRequest) as caught:
            sync(pipeline, settings)
    assert str(caught.value).startswith(r"no \ud83d\x1b[2J (path /")
    str(caught.value).encode()
