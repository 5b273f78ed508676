"""Exports: what a file holds, where it lies, and that no key belongs there."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import orjson
import pytest
import requests

from cogny_source.sandbox import SandboxServer

KEY = {"X-API-Key": "sk_test_sandbox"}


def export(sandbox: SandboxServer, **body: Any) -> dict[str, Any]:
    """Ask for an export."""
    answer = requests.post(f"{sandbox.base_url}/tickets/export", json=body, headers=KEY, timeout=5)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


@pytest.mark.parametrize("kind", ["csv", "json", "xlsx", "jira", "asana", "linear"])
def test_each_format_holds_the_filtered_tickets(sandbox: SandboxServer, kind: str) -> None:
    """On another origin, without a key."""
    told = export(sandbox, format=kind, filters={"status": "open"})
    titles = [row["title"] for row in sandbox.world.rows("tickets") if row["status"] == "open"]
    assert told["ticket_count"] == len(titles)
    assert told["download_url"].startswith("http://localhost:")
    content = requests.get(told["download_url"], timeout=5).content
    if kind == "json":
        assert [row["title"] for row in orjson.loads(content)] == titles
    elif kind == "xlsx":
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            assert book.read("xl/sheet.xml").count(b"<row>") == len(titles) + 1
    else:
        column = {"csv": "title", "jira": "Summary", "asana": "Name", "linear": "Title"}[kind]
        assert [row[column] for row in csv.DictReader(io.StringIO(content.decode(), newline=""))] == titles


def test_fields_can_be_chosen(sandbox: SandboxServer) -> None:
    """In their order."""
    told = export(sandbox, format="csv", include_fields=["title", "id"])
    assert requests.get(told["download_url"], timeout=5).text.splitlines()[0] == "title,id"


def test_a_key_is_refused_there(sandbox: SandboxServer) -> None:
    """Whoever sends it learns that it was wrong."""
    url = export(sandbox, format="csv")["download_url"]
    assert requests.get(url, headers=KEY, timeout=5).json()["error"]["code"] == "KEY_SENT"
    assert requests.get(url + "x", timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"format": "pdf"}, "format"),
        ({"format": "csv", "filters": []}, "filters"),
        ({"format": "csv", "filters": {"created_after": "x"}}, "created_after"),
        ({"format": "csv", "include_fields": "id"}, "include_fields"),
    ],
)
def test_exports_that_make_no_sense(sandbox: SandboxServer, body: dict[str, Any], parameter: str) -> None:
    """They are refused with the parameter's name."""
    answer = requests.post(f"{sandbox.base_url}/tickets/export", json=body, headers=KEY, timeout=5)
    assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"parameter": parameter})
