"""The API itself: from a request to its answer, without sockets."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from math import ceil
from threading import Lock

import orjson

from cogny_source.sandbox.answers import Answer, ApiError, failure, html_page, success
from cogny_source.sandbox.faults import REQUEST_FAULTS, draw_fault, dress, dresses_rows
from cogny_source.sandbox.instants import SECOND, format_instant
from cogny_source.sandbox.keys import DEFAULT_KEYS, TEST_PREFIX, Access, presented_key
from cogny_source.sandbox.limits import Allowance, Limiter
from cogny_source.sandbox.listing import parse_query, select_page
from cogny_source.sandbox.rows import Row, report_content
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.table import Record, Table, dump
from cogny_source.sandbox.world import RESOURCES, World

ROOT = "/v1"
MAX_RECORDS = 100_000

_ROUTES = {
    "list": re.compile(ROOT + "/(tickets|reports|warehouses)"),
    "single": re.compile(ROOT + "/(tickets|reports)/([^/]+)"),
    "content": re.compile(ROOT + "/(reports)/([^/]+)/content"),
}
_NOT_FOUND = {"tickets": "TICKET_NOT_FOUND", "reports": "REPORT_NOT_FOUND"}


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names are in lower case."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    number: int = 0


@dataclass(frozen=True)
class RequestRecord:
    """What is kept of an answered request; never its key.

    Attributes:
        time: When it was answered, in seconds on the server's clock.
        method: The HTTP method.
        path: Without the query.
        params: The query.
        status: The answer's status; 0 if the connection was reset instead.
        fault: The fault that was injected, if any.
    """

    time: float
    method: str
    path: str
    params: Mapping[str, str]
    status: int
    fault: str | None = None


class Api:
    """Answers requests from a world, under switches that may be set at any time."""

    def __init__(
        self, world: World, switches: Switches | None = None, keys: Mapping[str, Access] | None = None
    ) -> None:
        """Serve a world.

        Args:
            world: Whose rows are served.
            switches: How to misbehave; not at all unless given.
            keys: What each key grants; `DEFAULT_KEYS` unless given.
        """
        self.world = world
        self.switches = switches or Switches()
        self.keys = DEFAULT_KEYS if keys is None else keys
        self.requests: deque[RequestRecord] = deque(maxlen=MAX_RECORDS)
        self._limiter = Limiter()
        self._script: deque[str] = deque()
        self._lock = Lock()
        self._answered = 0
        self._frozen: dict[str, Table] = {}

    def fail_next(self, *faults: str) -> None:
        """Inject faults into the next requests, one each, before those drawn at random.

        Raises:
            ValueError: If there is no such fault.
        """
        unknown = set(faults) - set(REQUEST_FAULTS)
        if unknown:
            raise ValueError(f"no fault is named {', '.join(sorted(unknown))}")
        self._script.extend(faults)

    def answer(self, request: Request) -> Answer:
        """Answer one request and record it."""
        with self._lock:
            self._answered += 1
            request = replace(request, number=self._answered)
        fault = self._next_fault(request.number)
        answer = self._struck(request, fault) or self._routed(request)
        answer = replace(answer, headers={**self._date(), **answer.headers}, fault=fault)
        record = RequestRecord(self._clock(), request.method, request.path, request.params, answer.status, fault)
        with self._lock:
            self.requests.append(record)
        return answer

    def recorded(self) -> list[RequestRecord]:
        """The requests answered so far, oldest first."""
        with self._lock:
            return list(self.requests)

    def served_rows(self, resource: str) -> list[Row]:
        """Every row as it is shown under the switches, in creation order."""
        return [dress(self.switches, row) for row in self.world.rows(resource)]

    def _next_fault(self, number: int) -> str | None:
        if self._script:
            return self._script.popleft()
        switches = self.switches
        if switches.away_requests:
            switches.away_requests -= 1
            return "html_521"
        return draw_fault(switches, number)

    def _is_revoked(self, number: int) -> bool:
        most = self.switches.revoked_after_requests
        return most is not None and number > most

    def _struck(self, request: Request, fault: str | None) -> Answer | None:
        """The answer under a fault, or None if the request is answered as usual."""
        if fault == "reset":
            return Answer(0, b"")
        if fault in ("html_502", "html_521"):
            return html_page(int(fault[-3:]))
        if fault == "empty_200":
            return Answer(200, b"")
        if fault == "empty_list":
            return success(b"[]", self._meta(request))
        if fault == "error_500":
            error = ApiError(500, "QUERY_FAILED", "the query could not be run")
            return failure(error, self._meta(request))
        if fault == "success_false":
            error = ApiError(200, "UPSTREAM_DEGRADED", "a part of the service is not available")
            return failure(error, self._meta(request))
        if fault == "rate_limited":
            return self._turned_away(request, self.switches.retry_after_seconds, {})
        return None

    def _routed(self, request: Request) -> Answer:
        headers: dict[str, str] = {}
        try:
            key = presented_key(request.headers) or ""
            access = self.keys.get(key)
            if access is None or self._is_revoked(request.number):
                raise ApiError(401, "UNAUTHORIZED", "the API key is missing or invalid")
            allowance = self._take(key, access)
            if allowance is not None:
                headers = self._limit_headers(allowance)
                if not allowance.granted:
                    return self._turned_away(request, ceil(allowance.reset_seconds), headers)
            return replace(self._dispatch(request, access), headers=headers)
        except ApiError as error:
            return failure(error, self._meta(request), headers)

    def _take(self, key: str, access: Access) -> Allowance | None:
        """Count the request against the key's limit; None if the key has none."""
        limit, switches = access.requests_per_minute, self.switches
        if switches.requests_per_minute is not None and not key.startswith(TEST_PREFIX):
            limit = switches.requests_per_minute
        return None if limit is None else self._limiter.take(key, limit, self._clock(), switches.window_seconds)

    def _dispatch(self, request: Request, access: Access) -> Answer:
        """Call the function that serves the path, once the key has the scope for it."""
        matches = {name: match for name, route in _ROUTES.items() if (match := route.fullmatch(request.path))}
        if not matches or ("single" in matches and not self.switches.single_rows):
            raise ApiError(404, "NOT_FOUND", "there is no such path")
        if request.method != "GET":
            raise ApiError(405, "METHOD_NOT_ALLOWED", f"{request.method} is not served here")
        name, match = matches.popitem()
        resource, *identity = match.groups()
        scope = f"{resource}:read"
        if scope not in access.scopes:
            raise ApiError(403, "INSUFFICIENT_PERMISSIONS", "the key lacks a scope", {"required_scope": scope})
        if name == "list":
            return self._list(request, resource)
        if name == "single":
            return self._single(request, resource, *identity)
        return self._content(request, *identity)

    def _list(self, request: Request, resource: str) -> Answer:
        switches = self.switches
        query = parse_query(resource, request.params, switches)
        with self.world.lock:
            meta = self._meta(request)
            table = self._listed_table(resource)
            page = select_page(table, query, switches, request.number)
            data = b",".join([self._shown(table.records[identity]) for identity in page.ids])
            churn = (switches.churn_per_page, switches.churn_creates_per_page, switches.churn_deletes_per_page)
            if any(churn):
                self.world.churn(resource, *churn)
        return success(b"[" + data + b"]", meta, page.pagination)

    def _listed_table(self, resource: str) -> Table:
        """The rows that a list shows; to be called under the world's lock."""
        if not self.switches.lists_frozen:
            self._frozen.clear()
            return self.world.table(resource)
        if not self._frozen:
            self._frozen = {name: deepcopy(self.world.table(name)) for name in RESOURCES}
        return self._frozen[resource]

    def _single(self, request: Request, resource: str, identity: str) -> Answer:
        with self.world.lock:
            return success(self._shown(self._record(resource, identity)), self._meta(request))

    def _content(self, request: Request, identity: str) -> Answer:
        with self.world.lock:
            report = self._record("reports", identity).row()
            if report["status"] != "completed":
                status = {"status": report["status"]}
                raise ApiError(400, "REPORT_NOT_COMPLETED", "the report is not completed", status)
            return success(orjson.dumps(report_content(self.world.seed, report)), self._meta(request))

    def _record(self, resource: str, identity: str) -> Record:
        record = self.world.table(resource).records.get(identity)
        if record is None:
            raise ApiError(404, _NOT_FOUND[resource], f"no such row in {resource}", {"id": identity})
        return record

    def _shown(self, record: Record) -> bytes:
        if dresses_rows(self.switches):
            return dump(dress(self.switches, record.row()))
        return record.body

    def _turned_away(self, request: Request, wait_seconds: int, headers: Mapping[str, str]) -> Answer:
        advice = {
            "seconds": {"Retry-After": str(wait_seconds)},
            "date": {"Retry-After": formatdate(ceil(self._told_seconds()) + wait_seconds, usegmt=True)},
            "none": {},
        }[self.switches.retry_after]
        error = ApiError(429, "RATE_LIMIT_EXCEEDED", "too many requests")
        return failure(error, self._meta(request), {**headers, **advice})

    def _limit_headers(self, allowance: Allowance) -> dict[str, str]:
        if not self.switches.rate_headers:
            return {}
        reset = ceil(self._told_seconds() + allowance.reset_seconds)
        return {"X-RateLimit-Remaining": str(allowance.remaining), "X-RateLimit-Reset": str(reset)}

    def _meta(self, request: Request) -> dict[str, str]:
        identity = request.headers.get("x-request-id") or f"req_{request.number:012x}"
        if not self.switches.meta_timestamp:
            return {"request_id": identity}
        return {"timestamp": format_instant(self._told_instant(), 4), "request_id": identity}

    def _date(self) -> dict[str, str]:
        return {"Date": formatdate(self._told_seconds(), usegmt=True)} if self.switches.date_header else {}

    def _told_instant(self) -> int:
        return self.world.observe() + round(self.switches.clock_offset_seconds * SECOND)

    def _told_seconds(self) -> float:
        return self._told_instant() / SECOND

    def _clock(self) -> float:
        return (self.world.clock or time.time)()
