"""The envelope: every status, code and broken body to the answer or the error it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from cogny_source.api.envelope import Answer, find_contradiction, parse_json, read_answer
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

PATH = "/tickets"
HTML = b"<!DOCTYPE html>\n<html><head><title>api.cogny.com | 521</title></head></html>"


def respond(
    status: int, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> requests.Response:
    """A response as requests would hand it over, sent under the request id `sent`."""
    response = requests.Response()
    response.status_code = status
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response.headers.update(headers or {})
    response.request = requests.Request("GET", "https://api.cogny.com/v1" + PATH).prepare()
    response.request.headers["X-Request-ID"] = "sent"
    return response


def refuse(code: str, message: str = "no", **details: Any) -> dict[str, Any]:
    """An error envelope."""
    error = {"code": code, "message": message, "details": details}
    return {"success": False, "error": error, "meta": {"request_id": "req_1"}}


def catch(status: int, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None) -> CognyError:
    """The error that a response stands for."""
    with pytest.raises(CognyError) as caught:
        read_answer(respond(status, body, headers), PATH)
    return caught.value


def test_a_success_gives_data_pagination_and_meta() -> None:
    """What the envelope holds comes out typed."""
    body = {
        "success": True,
        "data": [{"id": "tkt_1"}],
        "pagination": {"has_more": False, "next_cursor": None, "total_count": 1},
        "meta": {"timestamp": "2025-02-03T10:30:00.25Z", "request_id": "req_1"},
    }
    assert read_answer(respond(200, body), PATH) == Answer(
        data=[{"id": "tkt_1"}],
        pagination={"has_more": False, "next_cursor": None, "total_count": 1},
        server_time=datetime(2025, 2, 3, 10, 30, 0, 250000, tzinfo=UTC),
        request_id="req_1",
        confirmed=True,
    )


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("pagination", [None, []])
def test_pagination_may_be_null_or_empty(status: int, pagination: object) -> None:
    """Then it says nothing, which is not the same as none at all."""
    body = {"success": True, "data": {"id": "rpt_1"}, "pagination": pagination}
    assert read_answer(respond(status, body), PATH) == Answer({"id": "rpt_1"}, {}, None, "sent", confirmed=True)


@pytest.mark.parametrize(
    ("meta", "headers", "request_id"),
    [
        ({"request_id": "req_1"}, {"X-Request-ID": "header"}, "req_1"),
        ({"request_id": ""}, {"X-Request-ID": "header"}, "header"),
        ({"request_id": 7}, {"X-Request-ID": "header"}, "header"),
        ({}, {"X-Request-ID": "header"}, "header"),
        ([], {}, "sent"),
        (None, {}, "sent"),
    ],
)
@pytest.mark.parametrize("success", [True, False])
def test_the_request_id_comes_from_meta_else_header_else_as_sent(
    meta: object, headers: dict[str, str], request_id: str, success: bool
) -> None:
    """Answers and errors alike carry an id under which the request can be found."""
    body = {"success": success, "data": [], "meta": meta}
    if success:
        assert read_answer(respond(200, body, headers), PATH).request_id == request_id
    else:
        assert catch(200, body, headers).request_id == request_id


def test_a_request_that_was_sent_without_an_id_has_none() -> None:
    """No id is made up."""
    response = respond(200, {"success": True, "data": []})
    del response.request.headers["X-Request-ID"]
    assert read_answer(response, PATH).request_id is None


@pytest.mark.parametrize(
    ("stamp", "server_time"),
    [
        ("2025-02-03T10:30:00Z", datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        ("2025-02-03T10:30:00+00:00", datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        ("2025-02-03T12:30:00+02:00", datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        ("yesterday", None),
        (1738578600, None),
        (None, None),
    ],
)
def test_the_servers_time_is_metas(stamp: object, server_time: datetime | None) -> None:
    """The envelope tells its own clock; what the header `Date` says is held against it by the client."""
    body = {"success": True, "data": [], "meta": {"timestamp": stamp}}
    headers = {"Date": "Mon, 03 Feb 2025 11:00:00 GMT"}
    assert read_answer(respond(200, body, headers), PATH).server_time == server_time


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_PARAMETER", BadRequest),
        (400, "WAREHOUSE_NOT_CONNECTED", BadRequest),
        (400, "INVALID_PROMPT", BadRequest),
        (400, "INVALID_DATE_RANGE", BadRequest),
        (401, "UNAUTHORIZED", AuthError),
        (403, "INSUFFICIENT_PERMISSIONS", Forbidden),
        (404, "WAREHOUSE_NOT_FOUND", NotFound),
        (404, "REPORT_NOT_FOUND", NotFound),
        (429, "RATE_LIMIT_EXCEEDED", RateLimited),
        (500, "QUERY_FAILED", ServerError),
        (405, "METHOD_NOT_ALLOWED", BadRequest),
        (408, "REQUEST_TIMEOUT", ServerError),
        (425, "TOO_EARLY", ServerError),
        (409, "CONFLICT", BadRequest),
        (422, "UNPROCESSABLE", BadRequest),
        (503, "UNAVAILABLE", ServerError),
        # A failure under status 200 is what its code says; a code that no page documents may pass.
        (200, "INVALID_PARAMETER", BadRequest),
        (200, "WAREHOUSE_NOT_CONNECTED", BadRequest),
        (200, "INVALID_PROMPT", BadRequest),
        (200, "INVALID_DATE_RANGE", BadRequest),
        (200, "INSUFFICIENT_PERMISSIONS", Forbidden),
        (200, "WAREHOUSE_NOT_FOUND", NotFound),
        (200, "REPORT_NOT_FOUND", NotFound),
        (200, "RATE_LIMIT_EXCEEDED", RateLimited),
        (200, "QUERY_FAILED", ServerError),
        (200, "UPSTREAM_DEGRADED", ServerError),
    ],
)
def test_every_code_has_its_error(status: int, code: str, kind: type[CognyError]) -> None:
    """Status and code name the kind of error, which carries what finds the request."""
    error = catch(status, refuse(code, "so it is"))
    assert (type(error), error.message, error.status, error.code, error.request_id, error.path) == (
        kind,
        "so it is",
        status,
        code,
        "req_1",
        PATH,
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [(status, EdgeRefusal) for status in (400, 401, 403, 404)]
    + [(418, BadRequest), (429, RateLimited)]
    + [(status, ServerError) for status in (200, 408, 425, 500, 502, 503, 504, *range(520, 527))],
)
@pytest.mark.parametrize(
    "body", [HTML, b"", b'{"success":true,"data":[{"id":"tkt_', b"[]", b"null", b"\xff\xfe\xfd"], ids=repr
)
def test_without_an_envelope_the_status_decides(status: int, kind: type[CognyError], body: bytes) -> None:
    """HTML, nothing, half a body, other JSON and noise have no code; a 200 of that sort may pass."""
    error = catch(status, body)
    assert (type(error), error.status, error.code, error.request_id) == (kind, status, None, "sent")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"", "the answer is empty"),
        (200, HTML, "the answer is no envelope of the API"),
        (200, {"success": True, "meta": {}}, "the answer is no envelope of the API"),
        (200, {"success": False}, "the API reports a failure without a message"),
        (500, {"success": False}, "the API is failing"),
        (521, HTML, "the API is away (no JSON in the answer)"),
        (429, HTML, "the rate limit is used up"),
        (401, HTML, "the edge in front of the API refused the request (401, no JSON)"),
        (403, HTML, "the edge in front of the API refused the request (403, no JSON)"),
        (404, HTML, "the edge in front of the API refused the request (404, no JSON)"),
        (408, HTML, "the API did not take the request in time"),
        (401, {}, "the API key is missing or invalid"),
        (403, {"message": "Forbidden"}, "the API key lacks a scope"),
        (400, {"success": False, "error": {"message": 7, "code": 7}}, "the API refused the request"),
        (400, {"success": False, "error": "bad"}, "the API refused the request"),
        (307, HTML, "the API answered with a redirect, which is not followed: check the base URL"),
    ],
)
def test_an_answer_without_a_message_is_described(status: int, body: bytes | dict[str, Any], message: str) -> None:
    """The message is a plain sentence, and never a piece of the body."""
    assert catch(status, body).message == message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_breaks_the_contract(status: int) -> None:
    """The API redirects nowhere; whoever does is not followed."""
    assert type(catch(status, b"", {"Location": "https://example.com/"})) is ContractError


@pytest.mark.parametrize("status", [201, 202, 204, 206])
@pytest.mark.parametrize("body", [b"", HTML, {"success": False, "error": {"code": "UPSTREAM_DEGRADED"}}], ids=repr)
def test_any_other_success_without_its_data_may_pass(status: int, body: bytes | dict[str, Any]) -> None:
    """The API did not refuse: the answer is missing, as it is under an empty 200."""
    assert type(catch(status, body)) is ServerError


@pytest.mark.parametrize("status", [500, 502])
def test_a_success_envelope_under_a_failing_status_is_a_failure(status: int) -> None:
    """The status outweighs what the body says."""
    assert type(catch(status, {"success": True, "data": []})) is ServerError


@pytest.mark.parametrize(
    ("message", "details", "told"),
    [
        ("no", {"required_scope": "tickets:read"}, "no; missing scope: tickets:read"),
        ("tickets:read is missing", {"required_scope": "tickets:read"}, "tickets:read is missing"),
        ("no", {"hint": "ask an admin", "scope": "reports:read"}, "no; missing scope: reports:read"),
        ("no", {"docs": "https://docs.cogny.com", "scope": "reports:read"}, "no; missing scope: reports:read"),
        ("no", {"docs": "https://docs.cogny.com"}, "no"),
        ("no", {"scope": 7}, "no"),
        ("no", {}, "no"),
        ("", {"required_scope": "tickets:read"}, "the API key lacks a scope; missing scope: tickets:read"),
    ],
)
def test_a_403_names_the_scope_once(message: str, details: dict[str, Any], told: str) -> None:
    """Where the API says which scope is missing, so does the error."""
    assert catch(403, refuse("INSUFFICIENT_PERMISSIONS", message, **details)).message == told


@pytest.mark.parametrize("details", [None, [], "tickets:read", 7])
def test_a_403_bears_details_of_any_kind(details: object) -> None:
    """Details that are no object name no scope."""
    body = {"success": False, "error": {"code": "INSUFFICIENT_PERMISSIONS", "message": "no", "details": details}}
    assert catch(403, body).message == "no"


def test_an_answer_that_does_not_say_success_counts_by_its_data() -> None:
    """Data without the word are data, which nobody confirmed."""
    assert read_answer(respond(200, {"data": [1]}), PATH) == Answer([1], None, None, "sent", confirmed=False)
    assert read_answer(respond(200, {"data": None}), PATH).data is None


@pytest.mark.parametrize("success", [False, "false", "no", "true", 0, 1, None, [], {}], ids=repr)
@pytest.mark.parametrize("data", [[], [{"id": "tkt_1"}], None], ids=repr)
def test_success_that_is_not_true_is_a_failure_that_may_pass(success: object, data: object) -> None:
    """Whatever data come with it, an answer that does not say that all went well is asked for again."""
    error = catch(200, {"success": success, "data": data, "pagination": {"has_more": False}})
    assert (type(error), error.message) == (ServerError, "the API reports a failure without a message")


@pytest.mark.parametrize("success", [{}, {"success": True}, {"success": 0}], ids=repr)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "QUERY_FAILED", "message": "so it is"}, ServerError),
        ({"code": "RATE_LIMIT_EXCEEDED", "message": "so it is"}, RateLimited),
        ({"code": "INSUFFICIENT_PERMISSIONS", "message": "so it is"}, Forbidden),
        ({"message": "so it is"}, ServerError),
    ],
    ids=repr,
)
def test_an_error_beside_data_is_what_its_code_says(
    success: dict[str, Any], error: dict[str, Any], kind: type[CognyError]
) -> None:
    """Data beside an error may be what is left of them; the error counts as it does alone."""
    caught = catch(200, {**success, "data": [], "error": error})
    assert (type(caught), caught.message) == (kind, "so it is")


@pytest.mark.parametrize("error", ["out of order", 7, ["a"]], ids=repr)
def test_an_error_of_any_form_counts(error: object) -> None:
    """It need be no object."""
    assert type(catch(200, {"success": True, "data": [], "error": error})) is ServerError


@pytest.mark.parametrize("error", [None, False, "", {}, []], ids=repr)
def test_an_error_that_says_nothing_is_none(error: object) -> None:
    """Some APIs write the member always."""
    assert read_answer(respond(200, {"success": True, "data": [1], "error": error}), PATH).data == [1]


@pytest.mark.parametrize(
    ("data", "pagination", "from_the_start", "contradicts"),
    [
        ([], {"total_count": 7}, True, True),
        ([], {"total_count": 7}, False, False),
        ([], {"total_count": 0}, True, False),
        ([], {"total_count": -1}, True, False),
        ([], {"total_count": True}, True, False),
        ([], {"total_count": "7"}, True, False),
        ([], None, True, False),
        ([{}], {"total_count": 7}, True, False),
        (None, {"total_count": 7}, False, True),
        (None, {"total_count": 0, "has_more": True}, False, True),
        (None, {"next_cursor": "c"}, False, True),
        (None, {"total_count": 0, "has_more": False, "next_cursor": None}, True, False),
        (None, None, True, False),
        ({"id": "rpt_1"}, None, True, False),
    ],
)
def test_an_answer_that_contradicts_itself_is_recognised(
    data: object, pagination: dict[str, Any] | None, from_the_start: bool, contradicts: bool
) -> None:
    """A count without a row does so where no filter explains it, and null where rows are promised."""
    answer = Answer(data, pagination, None, None)
    assert (find_contradiction(answer, from_the_start=from_the_start) is not None) is contradicts


@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_what_the_api_says_is_safe_to_print(status: int) -> None:
    """Half a surrogate pair and control characters stand as escapes in message, code and request id."""
    odd = "a\x1b[2J\ud83d \u202eb"
    error = catch(status, {"success": False, "error": {"message": odd, "code": odd}, "meta": {"request_id": odd}})
    safe = r"a\x1b[2J\ud83d \u202eb"
    assert (error.message, error.code, error.request_id) == (safe, safe, safe)
    str(error).encode()


@pytest.mark.parametrize(
    "number",
    [0, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30 + 7, -(10**40) - 7],
)
def test_integers_keep_every_digit(number: int) -> None:
    """Whole numbers beyond 53 and 64 bits come out as they went in."""
    value = parse_json(b'{"a":[%d]}' % number)["a"][0]
    assert (type(value), value) == (int, number)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"0.1", 0.1),
        (b"-1.5e3", -1500.0),
        (b"1e308", 1e308),
        (b"0.1234567890123456789", 0.12345678901234568),
        (b"12345678901234567890.5", 12345678901234567000.0),
    ],
)
def test_fractions_are_doubles(text: bytes, value: float) -> None:
    """Numbers with a point or an exponent come out as the nearest double."""
    assert parse_json(text) == value
    assert type(parse_json(text)) is float


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_what_no_double_holds_stays_a_text(text: str) -> None:
    """JSON as other languages write it is kept as it was written, next to long numbers too."""
    assert parse_json(f'{{"a":{text}}}'.encode()) == {"a": text}
    assert parse_json(f'{{"a":{text},"b":{10**20}}}'.encode()) == {"a": text, "b": 10**20}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'"\ud83d"', "\ud83d"),
        (rb'"a\udc00b"', "a\udc00b"),
        (rb'"\ud83d\ude00"', "😀"),
        ('"\u00e4\u2028😀"'.encode(), "\u00e4\u2028😀"),
        (b'\xef\xbb\xbf"bom"', "bom"),
        (rb'"\u0000"', "\x00"),
    ],
)
def test_texts_are_kept_even_where_half_a_character_is_missing(body: bytes, text: str) -> None:
    """Lone surrogates, marks at the beginning and control characters do not end a page."""
    assert parse_json(body) == text


@pytest.mark.parametrize("body", [b"", HTML, b'{"a":', b'{"a":1}{', b"\xff", b"[" * 100_000, b"'a'"])
def test_what_is_no_json_raises_value_error(body: bytes) -> None:
    """Neither cut bodies nor bottomless ones get through."""
    with pytest.raises(ValueError, match=r"."):
        parse_json(body)
