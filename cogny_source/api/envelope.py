"""The API's envelope: turns a response into a typed answer or a typed error."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from requests import Response

from cogny_source.api.nesting import flatten_depths, is_shallow
from cogny_source.errors import (
    AuthError,
    BadRequest,
    CognyError,
    ContractError,
    EdgeRefusal,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
)
from cogny_source.plain_text import safe_text
from cogny_source.timestamps import parse_instant

LONG_INTEGER = re.compile(rb"[:,\[\s](-?\d{19,})(?![\d.eE])")
# Maps each digit to 0: searching a run of zeros takes a tenth of the time of a regular expression.
DIGITS_AS_ZEROS = bytes(ord("0") if byte in b"0123456789" else byte for byte in range(256))
# The shortest integers that may need more than 64 bits.
WIDE_INTEGERS = (b"0" * 20, b"-" + b"0" * 19)
EXACT_INTEGERS = range(-(2**63), 2**64)
MOST_DIGITS_OF_64_BITS = 20
# Longest text of the API in a message, so that no whole page lands in a log line.
MOST_CHARACTERS = 500
# Python parses no longer integers; longer ones are kept as text.
MAX_INTEGER_DIGITS = 4_000
SCOPE = re.compile(r"[a-z_]+:(read|write)")
REFUSALS: dict[int, type[CognyError]] = {401: AuthError, 403: Forbidden, 404: NotFound}
# Request Timeout and Too Early: the same request may succeed later.
PASSING_STATUSES = (408, 425)
# The API refuses in its envelope. A refusal without JSON comes from an edge in front of the API.
EDGE_STATUSES = (400, 401, 403, 404)
# The status that an error code means in an answer with status 200.
STATUS_OF_CODE = {
    "INVALID_PARAMETER": 400,
    "WAREHOUSE_NOT_CONNECTED": 400,
    "INVALID_PROMPT": 400,
    "INVALID_DATE_RANGE": 400,
    "INSUFFICIENT_PERMISSIONS": 403,
    "WAREHOUSE_NOT_FOUND": 404,
    "REPORT_NOT_FOUND": 404,
    "RATE_LIMIT_EXCEEDED": 429,
}


@dataclass(frozen=True)
class Answer:
    """A successful answer.

    Attributes:
        data: The envelope's `data`.
        pagination: The envelope's `pagination`; None if absent, empty if it is null.
        server_time: The server's clock at the answer (UTC); None if unknown.
        doubtful_time: Whether it differs from this machine's clock by more than five minutes.
        request_id: The request's id as the API repeats it, else as it was sent.
        confirmed: Whether the envelope says `"success": true`; data without that member count too.
    """

    data: Any
    pagination: dict[str, Any] | None
    server_time: datetime | None
    request_id: str | None
    doubtful_time: bool = False
    confirmed: bool = False


def parse_json(body: bytes) -> Any:
    """Parse JSON without losing a digit of an integer; values nested too deeply are kept as text.

    Args:
        body: The response's body.

    Raises:
        ValueError: If it is not JSON.
    """
    if not is_shallow(body):
        body = flatten_depths(body)
    shape = body.translate(DIGITS_AS_ZEROS)
    may_be_wide = any(digits in shape for digits in WIDE_INTEGERS)
    if not may_be_wide or all(_is_exact(match[1]) for match in LONG_INTEGER.finditer(body)):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # a lone surrogate, NaN, or a number beyond a double: the standard library accepts them
    try:
        return _parse_slowly(body)
    except RecursionError:  # brackets in texts hid the depth
        return _parse_slowly(flatten_depths(body))


def _parse_slowly(body: bytes) -> Any:
    return json.loads(body, parse_constant=str, parse_float=_parse_float, parse_int=_parse_integer)


def _is_exact(digits: bytes) -> bool:
    """Whether orjson reads an integer exactly; beyond 64 bits it returns a float."""
    return len(digits) <= MOST_DIGITS_OF_64_BITS and int(digits) in EXACT_INTEGERS


def _parse_integer(text: str) -> int | str:
    return int(text) if len(text) <= MAX_INTEGER_DIGITS else text


def _parse_float(text: str) -> float | str:
    number = float(text)
    return number if abs(number) != float("inf") else text


def read_answer(response: Response, path: str) -> Answer:
    """Read a response's envelope.

    Args:
        response: The response, its body complete.
        path: The path below the base URL, for messages.

    Raises:
        RateLimited: On 429.
        ServerError: On 5xx, 408 and 425, and on a 200 without an envelope or with an unknown error code.
        EdgeRefusal: On a refusal that is not JSON.
        AuthError: On 401; `Forbidden`, `NotFound` and `BadRequest` on the other client errors.
    """
    sent_id = response.request.headers.get("X-Request-ID")
    request_id = _text(response.headers.get("X-Request-ID")) or (sent_id if isinstance(sent_id, str) else None)
    try:
        envelope = parse_json(response.content)
    except ValueError:
        envelope = None
    if isinstance(envelope, dict) and isinstance(envelope.get("meta"), dict):
        request_id = _text(envelope["meta"].get("request_id")) or request_id
    if response.status_code in (200, 201) and isinstance(envelope, dict) and not _reports_failure(envelope):
        if "data" in envelope:
            return _build_answer(envelope, response, request_id)
        envelope = None
    raise _build_error(response, envelope, path, request_id)


def _reports_failure(envelope: dict[str, Any]) -> bool:
    """Whether an envelope reports anything but success.

    `success` must be true if present. A non-empty `error` makes any envelope a failure: data beside an error may be
    incomplete.
    """
    return envelope.get("success", True) is not True or bool(envelope.get("error"))


def find_contradiction(answer: Answer, *, from_the_start: bool) -> str | None:
    """Why an answer cannot be right; None if it can.

    Args:
        answer: The answer.
        from_the_start: Whether it is the first page of a list without a filter. The count of a filtered list may
            count all rows, so an empty page beside it proves nothing.
    """
    pagination = answer.pagination or {}
    total = pagination.get("total_count")
    counts_rows = isinstance(total, int) and not isinstance(total, bool) and total > 0
    if answer.data is None and (pagination.get("has_more") or pagination.get("next_cursor") or counts_rows):
        return "the answer holds no data, but its pagination says that there are rows"
    if from_the_start and counts_rows and answer.data in ([], None):
        return f"the list is empty, but the API counts {total} rows in it"
    return None


def _build_answer(envelope: dict[str, Any], response: Response, request_id: str | None) -> Answer:
    pagination = envelope.get("pagination")
    if pagination and not isinstance(pagination, dict):
        raise ContractError("the API's pagination is no object", status=response.status_code, request_id=request_id)
    meta = envelope.get("meta")
    return Answer(
        envelope["data"],
        (pagination or {}) if "pagination" in envelope else None,
        parse_instant(meta.get("timestamp")) if isinstance(meta, dict) else None,
        request_id,
        confirmed=envelope.get("success") is True,
    )


def _build_error(response: Response, envelope: object, path: str, request_id: str | None) -> CognyError:
    error = envelope.get("error") if isinstance(envelope, dict) else None
    error = error if isinstance(error, dict) else {}
    code = _text(error.get("code"))
    status = response.status_code
    message = _text(error.get("message"))
    meant = STATUS_OF_CODE.get(code or "", status) if status == 200 else status
    if meant == 429:
        return RateLimited(
            message or "the rate limit is used up", status=status, code=code, request_id=request_id, path=path
        )
    if status in EDGE_STATUSES and not isinstance(envelope, dict):
        message = f"the edge in front of the API refused the request ({status}, no JSON)"
        return EdgeRefusal(message, status=status, request_id=request_id, path=path)
    if 200 <= meant < 300 or meant >= 500 or meant in PASSING_STATUSES:
        message = message or _describe_body(response, envelope)
        return ServerError(message, status=status, code=code, request_id=request_id, path=path)
    if 300 <= meant < 400:
        message = "the API answered with a redirect, which is not followed: check the base URL"
        return ContractError(message, status=status, code=code, request_id=request_id, path=path)
    if meant == 403:
        message = _describe_scope(message, error)
    elif meant == 401:
        message = message or "the API key is missing or invalid"
    refusal = REFUSALS.get(meant, BadRequest)
    return refusal(message or "the API refused the request", status=status, code=code, request_id=request_id, path=path)


def _describe_body(response: Response, envelope: object) -> str:
    if response.status_code >= 500:
        return "the API is failing" if envelope is not None else "the API is away (no JSON in the answer)"
    if response.status_code in PASSING_STATUSES:
        return "the API did not take the request in time"
    if not response.content:
        return "the answer is empty"
    return "the answer is no envelope of the API" if envelope is None else "the API reports a failure without a message"


def _describe_scope(message: str | None, error: dict[str, Any]) -> str:
    details = error.get("details")
    scopes = [value for value in details.values() if isinstance(value, str)] if isinstance(details, dict) else []
    named = [scope for scope in scopes if SCOPE.fullmatch(scope)]
    text = message or "the API key lacks a scope"
    return f"{text}; missing scope: {named[0]}" if named and named[0] not in text else text


def _text(value: object) -> str | None:
    """A text of the API on one line, safe to print and to log."""
    return safe_text(" ".join(value[:MOST_CHARACTERS].split())) or None if isinstance(value, str) else None
