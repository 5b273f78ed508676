"""The API itself: from a request to its answer, without sockets."""

from __future__ import annotations

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
from cogny_source.sandbox.exports import DOWNLOADS, Exports
from cogny_source.sandbox.faults import EVERY_FAULT, draw_fault, dress, dresses_rows
from cogny_source.sandbox.instants import SECOND, format_instant
from cogny_source.sandbox.keys import DEFAULT_KEYS, TEST_PREFIX, Access, presented_key
from cogny_source.sandbox.limits import MONTH_SECONDS, Allowance, Limiter
from cogny_source.sandbox.listing import parse_query, select_page
from cogny_source.sandbox.making import Making
from cogny_source.sandbox.routes import ROOT, Route, find_route, has_scope, is_batch
from cogny_source.sandbox.rows import Row, report_content
from cogny_source.sandbox.stream import stream_report
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.table import Record, Table, dump
from cogny_source.sandbox.world import RESOURCES, World
from cogny_source.sandbox.writes import Writes

__all__ = ["ROOT", "Api", "Request", "RequestRecord"]

MAX_RECORDS = 100_000

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
        self._making = Making(world, lambda: self.switches)
        self._exports = Exports(world, lambda: self.switches)
        self._writes = Writes(world, self._making, self._exports)

    def fail_next(self, *faults: str) -> None:
        """Inject faults into the next requests, one each, before those drawn at random.

        Raises:
            ValueError: If there is no such fault.
        """
        unknown = set(faults) - set(EVERY_FAULT)
        if unknown:
            raise ValueError(f"no fault is named {', '.join(sorted(unknown))}")
        self._script.extend(faults)

    def answer(self, request: Request) -> Answer:
        """Answer one request and record it."""
        with self._lock:
            self._answered += 1
            request = replace(request, number=self._answered)
        fault = self._next_fault(request)
        answer = self._struck(request, fault) or self._lost(self._routed(request), fault)
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

    def _next_fault(self, request: Request) -> str | None:
        if self._script:
            return self._script.popleft()
        switches = self.switches
        if switches.away_requests:
            switches.away_requests -= 1
            return "html_521"
        return draw_fault(switches, request.number, writes=request.method != "GET")

    def _is_revoked(self, number: int) -> bool:
        most = self.switches.revoked_after_requests
        return most is not None and number > most

    def _struck(self, request: Request, fault: str | None) -> Answer | None:
        """The answer under a fault, or None if the request is answered as usual."""
        if fault == "reset":
            return Answer(0, b"")
        if fault is not None and fault.startswith("html_"):
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

    def _lost(self, answer: Answer, fault: str | None) -> Answer:
        """The answer, or what comes in its place once the request took effect."""
        if fault in ("lost_504", "lost_524"):
            return html_page(int(fault[-3:]))
        if fault == "lost_reset":
            return Answer(0, b"")
        return Answer(200, b"") if fault == "lost_empty" else answer

    def _routed(self, request: Request) -> Answer:
        headers: dict[str, str] = {}
        if request.path.startswith(DOWNLOADS):
            return self._exports.download(request.path, has_key=presented_key(request.headers) is not None)
        try:
            key = presented_key(request.headers) or ""
            access = self.keys.get(key)
            if access is None or self._is_revoked(request.number):
                raise ApiError(401, "UNAUTHORIZED", "the API key is missing or invalid")
            allowance = self._take(key, access, batch=is_batch(request.method, request.path))
            if allowance is not None:
                headers = self._limit_headers(allowance)
                if not allowance.granted:
                    return self._turned_away(request, ceil(allowance.reset_seconds), headers)
            answer = self._dispatch(request, access)
            return replace(answer, headers={**answer.headers, **headers})
        except ApiError as error:
            if error.status == 429:
                return self._turned_away(request, self.switches.retry_after_seconds, headers, error)
            return failure(error, self._meta(request), headers)

    def _take(self, key: str, access: Access, *, batch: bool) -> Allowance | None:
        """Count the request against the key's limit; None if the key has none."""
        limit, switches, now = access.requests_per_minute, self.switches, self._clock()
        if access.requests_per_month is not None:
            return self._limiter.take(key, access.requests_per_month * 60 / MONTH_SECONDS, now, MONTH_SECONDS)
        if switches.requests_per_minute is not None and not key.startswith(TEST_PREFIX):
            limit = switches.requests_per_minute
        if limit is not None and batch:
            key, limit = f"{key} in batches", switches.batch_requests_per_minute
        return None if limit is None else self._limiter.take(key, limit, now, switches.window_seconds)

    def _dispatch(self, request: Request, access: Access) -> Answer:
        """Call what serves the operation, once the key has the scope for it."""
        route = find_route(request.method, request.path, single_rows=self.switches.single_rows)
        operation = route.operation
        if not has_scope(access.scopes, operation.scope):
            raise ApiError(
                403, "INSUFFICIENT_PERMISSIONS", "the key lacks a scope", {"required_scope": operation.scope}
            )
        with self.world.lock:
            self._making.settle()
            if operation.name == "list":
                return self._list(request, route.resource)
            if operation.name == "single":
                return success(self._shown(self._record(*_place(route))), self._meta(request))
            if operation.name == "content":
                return self._content(request, route.identity)
            if operation.name == "stream":
                return self._stream(request, route.identity)
            if route.identity:
                self._record(*_place(route))
            status, content = self._writes.perform(operation.name, route.identity, request.body, _host(request))
            return success(self._shown_content(route.resource, content), self._meta(request), status=status)

    def _list(self, request: Request, resource: str) -> Answer:
        switches = self.switches
        query = parse_query(resource, request.params, switches)
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
        if self.switches.lists_frozen:
            if not self._frozen:
                self._frozen = {name: deepcopy(self.world.table(name)) for name in RESOURCES}
            return self._frozen[resource]
        self._frozen.clear()
        hidden = self._making.hidden() if resource == "reports" else []
        if not hidden:
            return self.world.table(resource)
        table = deepcopy(self.world.table(resource))
        for identity in hidden:
            table.discard(identity)
        return table

    def _stream(self, request: Request, identity: str) -> Answer:
        self._record("reports", identity)
        last = request.headers.get("last-event-id", "")
        pieces = stream_report(self.world, self._making, self.switches, identity, int(last) if last.isdigit() else 0)
        return Answer(200, b"", "text/event-stream", pieces=pieces)

    def _content(self, request: Request, identity: str) -> Answer:
        report = self._record("reports", identity).row()
        if report["status"] != "completed":
            status = self.switches.unready_content_status
            raise ApiError(status, "REPORT_NOT_COMPLETED", "the report is not completed", {"status": report["status"]})
        return success(orjson.dumps(report_content(self.world.seed, report)), self._meta(request))

    def _shown_content(self, resource: str, content: Row) -> bytes:
        """The row that a write gives, as it is shown; whatever else it gives, as it is."""
        identity = content.get("id")
        record = self.world.table(resource).records.get(identity) if resource in RESOURCES and identity else None
        return self._shown(record) if record is not None and content.keys() >= {"created_at"} else dump(content)

    def _record(self, resource: str, identity: str) -> Record:
        record = self.world.table(resource).records.get(identity)
        if record is None:
            raise ApiError(404, _NOT_FOUND[resource], f"no such row in {resource}", {"id": identity})
        return record

    def _shown(self, record: Record) -> bytes:
        if dresses_rows(self.switches):
            return dump(dress(self.switches, record.row()))
        return record.body

    def _turned_away(
        self, request: Request, wait_seconds: int, headers: Mapping[str, str], error: ApiError | None = None
    ) -> Answer:
        advice = {
            "seconds": {"Retry-After": str(wait_seconds)},
            "date": {"Retry-After": formatdate(ceil(self._told_seconds()) + wait_seconds, usegmt=True)},
            "none": {},
        }[self.switches.retry_after]
        error = error or ApiError(429, "RATE_LIMIT_EXCEEDED", "too many requests")
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


def _place(route: Route) -> tuple[str, str]:
    return route.resource, route.identity


def _host(request: Request) -> str:
    return request.headers.get("host", "127.0.0.1")
