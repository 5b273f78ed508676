"""Exports: tickets written out as a file, which lies on another origin than the API."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import orjson

from cogny_source.sandbox.answers import Answer, ApiError, failure
from cogny_source.sandbox.instants import HOUR, format_instant
from cogny_source.sandbox.listing import parse_query
from cogny_source.sandbox.rows import Row
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.world import World

DOWNLOADS = "/downloads/"
# What each tool that takes tickets in calls their fields.
_TOOLS = {
    "jira": {"Summary": "title", "Description": "description", "Priority": "priority", "Labels": "category"},
    "asana": {"Name": "title", "Notes": "description", "Assignee": "assignee"},
    "linear": {"Title": "title", "Description": "description", "Priority": "priority", "Status": "status"},
}
_TYPES = {"json": "application/json", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
_WORKBOOK = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml'
    '.sheet.main+xml"/><Override PartName="/xl/sheet.xml" ContentType="application/vnd.openxmlformats-officedocument'
    '.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship'
    ' Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    ' Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"'
    ' Target="sheet.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="tickets" sheetId="1"'
    ' r:id="a"/></sheets></workbook>',
}


class Exports:
    """The files that were written out; to be written under the world's lock."""

    def __init__(self, world: World, switches: Callable[[], Switches]) -> None:
        """Begin with none.

        Args:
            world: Whose tickets are written out.
            switches: Tells which filters are ignored.
        """
        self._world = world
        self._switches = switches
        self._files: dict[str, tuple[bytes, str, int]] = {}

    def write(self, kind: str, filters: dict[str, str], fields: list[str] | None, host: str) -> Row:
        """Write the tickets that the filters leave into a file.

        Args:
            kind: The format.
            filters: As of the list of tickets.
            fields: The fields; all if None.
            host: The host of the API.

        Raises:
            ApiError: 400 if a filter makes no sense.
        """
        table = self._world.table("tickets")
        query = parse_query("tickets", filters, self._switches())
        rows = [table.records[identity].row() for _, identity in table.view(query.field, query.selection)]
        identity, expires = f"exp_{len(self._files):012x}", self._world.observe() + HOUR
        name = f"{DOWNLOADS}{identity}.{kind if kind in ('json', 'xlsx') else 'csv'}"
        self._files[name] = _render(kind, rows, fields), _TYPES.get(kind, "text/csv; charset=utf-8"), expires
        return {
            "export_id": identity,
            "download_url": f"{_elsewhere(host)}{name}",
            "expires_at": format_instant(expires, 4),
            "ticket_count": len(rows),
        }

    def download(self, path: str, *, has_key: bool) -> Answer:
        """A file; 400 if the key came along, which is not this origin's business."""
        meta = {"request_id": path}
        if has_key:
            return failure(ApiError(400, "KEY_SENT", "no key belongs here"), meta)
        content, content_type, expires = self._files.get(path, (b"", "", 0))
        if self._world.observe() >= expires:
            return failure(ApiError(404, "NOT_FOUND", "the file has expired, or was never there"), meta)
        return Answer(200, content, content_type)


def _elsewhere(host: str) -> str:
    """Another origin that leads here too: this machine by its name, or a host that the test double answers for."""
    parts = urlsplit(f"//{host}")
    if parts.hostname == "127.0.0.1":
        return f"http://localhost:{parts.port or 80}"
    return f"https://files.{parts.hostname}"


def _render(kind: str, rows: list[Row], fields: list[str] | None) -> bytes:
    names = fields or sorted({name for row in rows for name in row})
    if kind == "json":
        return orjson.dumps([{name: row.get(name) for name in names} for row in rows])
    columns = _TOOLS.get(kind) or {name: name for name in names}
    cells = [list(columns), *([_show(row.get(name)) for name in columns.values()] for row in rows)]
    if kind == "xlsx":
        return _render_workbook(cells)
    out = io.StringIO()
    csv.writer(out).writerows(cells)
    return out.getvalue().encode()


def _show(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _render_workbook(cells: list[list[str]]) -> bytes:
    rows = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for cell in row) + "</row>"
        for row in cells
    )
    sheet = f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        for name, part in {**_WORKBOOK, "xl/sheet.xml": f"{sheet}</sheetData></worksheet>"}.items():
            book.writestr(name, part)
    return out.getvalue()
