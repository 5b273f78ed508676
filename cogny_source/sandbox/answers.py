"""Answers: the envelopes of the API, its errors, and the pages that a proxy or an edge sends in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_HTML = """<!DOCTYPE html>
<html lang="en-US"><head><title>api.cogny.com | {status}: {reason}</title></head>
<body><h1>{reason} <small>Error code {status}</small></h1><p>The web server is not reachable.</p></body></html>
"""
_REASONS = {502: "Bad gateway", 504: "Gateway time-out", 521: "Web server is down", 524: "A timeout occurred"}


@dataclass(frozen=True)
class Piece:
    """A part of an answer that comes over time.

    Attributes:
        after_seconds: How long it lets wait.
        data: Its bytes; None if the connection is cut instead.
    """

    after_seconds: float
    data: bytes | None


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None
    """The fault that struck the request, for the record."""
    pieces: Iterator[Piece] | None = None
    """What comes over time, in place of the body."""


class ApiError(Exception):
    """A request that the API refuses."""

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        """Keep the parts of the error envelope."""
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})


def invalid(name: str, message: str) -> ApiError:
    """An invalid parameter."""
    return ApiError(400, "INVALID_PARAMETER", message, {"parameter": name})


def success(
    data: bytes, meta: Mapping[str, str], pagination: Mapping[str, Any] | None = None, status: int = 200
) -> Answer:
    """A success envelope around data that is serialised already."""
    tail = b"" if pagination is None else b',"pagination":' + orjson.dumps(pagination)
    return Answer(status, b'{"success":true,"data":' + data + tail + b',"meta":' + orjson.dumps(meta) + b"}")


def failure(error: ApiError, meta: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
    """An error envelope."""
    content = {"code": error.code, "message": error.message, "details": error.details}
    body = orjson.dumps({"success": False, "error": content, "meta": meta})
    return Answer(error.status, body, headers=headers or {})


def html_page(status: int) -> Answer:
    """What the edge answers when the origin does not respond."""
    page = _HTML.format(status=status, reason=_REASONS[status])
    return Answer(status, page.encode(), "text/html; charset=UTF-8")
