"""A client for tests of your own scripts: the sandbox behind it, without a socket, on a clock that only sleeps move.

with open_cogny(report_seconds=60.0) as client:
report = client.reports.create(client.sandbox.warehouse_id, "Why did sign-ups fall?")
assert client.reports.wait(report).is_completed  # a minute of the sandbox's time, no time of yours
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from cogny_source.api.http_client import Timing
from cogny_source.client.cogny import Cogny
from cogny_source.sandbox.answers import Answer, Piece
from cogny_source.sandbox.api import Api, Request
from cogny_source.sandbox.faults import draw_stall
from cogny_source.sandbox.rows import Row
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.world import World

BASE_URL = "https://api.sandbox.invalid/v1"
KEY = "sk_test_sandbox"
BORN = datetime(2025, 6, 2, 0, 0, 15, tzinfo=UTC)
DRIBBLES = 100
RESETS, CUTS = ("reset", "lost_reset"), ("cut_short", "lost_cut")


class Clock:
    """A clock that stands still until somebody sleeps. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        """Begin at some epoch seconds."""
        self._seconds = seconds
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """The time, in epoch seconds."""
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        with self._lock:
            self._seconds += seconds


class Sandbox:
    """The API behind a client: its rows, what it was asked, and how it misbehaves.

    Args:
        api: The API.
        clock: Its clock.

    Attributes:
        world: Its rows, which a test may read, `put`, `patch` and `delete`.
        clock: Its clock; `clock.sleep(60)` lets a minute pass.
    """

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self.world = api.world
        self.clock = clock

    @property
    def switches(self) -> Switches:
        """How it misbehaves; each may be set at any time."""
        return self._api.switches

    @property
    def warehouse_id(self) -> str:
        """A warehouse that is connected."""
        return next(str(row["id"]) for row in self.world.rows("warehouses") if row["status"] == "connected")

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of each request so far, below the base URL."""
        return [(record.method, record.path.removeprefix("/v1")) for record in self._api.recorded()]

    def rows(self, resource: str) -> list[Row]:
        """Every row of `tickets`, `reports` or `warehouses`, in creation order."""
        return self.world.rows(resource)

    def fail_next(self, *faults: str) -> None:
        """Let faults strike the next requests, one each, such as `lost_504` or `html_521`."""
        self._api.fail_next(*faults)


class SandboxCogny(Cogny):
    """A client of a sandbox in this process.

    Attributes:
        sandbox: The API behind it.
    """

    sandbox: Sandbox


def open_cogny(
    seed: int = 1,
    *,
    tickets: int = 200,
    reports: int = 20,
    warehouses: int = 5,
    api_key: str = KEY,
    settings: Mapping[str, Any] | None = None,
    **switches: Any,
) -> SandboxCogny:
    """A client of a sandbox in this process; every wait is over at once.

    Args:
        seed: What the rows depend on.
        tickets: How many tickets there are.
        reports: How many reports.
        warehouses: How many warehouses, the first of them connected.
        api_key: The key, which decides about scopes and limits: `sk_test_sandbox` has all and none.
        settings: Arguments of `Cogny`, such as `max_outage_seconds`.
        **switches: How the API misbehaves, as `Switches` names it: `lost_504=0.3`, `report_seconds=60.0`.

    Raises:
        ValueError: If there is no such switch, or its value makes no sense.
    """
    clock = Clock(BORN.timestamp())
    world = World(seed, tickets, reports, warehouses, now=BORN)
    world.clock = clock
    api = Api(world)
    api.switches.update(switches)
    timing = Timing(clock=clock, sleep=clock.sleep, jitter=lambda: 0.5, stopwatch=clock)
    arguments: dict[str, Any] = {"base_url": BASE_URL, "auth_header": "bearer", **(settings or {})}
    client = SandboxCogny(api_key, timing=timing, adapter=SandboxAdapter(api, clock), **arguments)
    client.sandbox = Sandbox(api, clock)
    return client


class SandboxAdapter(BaseAdapter):
    """Answers the requests of a session from an API in this process.

    Args:
        api: The API.
        clock: Is moved on where an answer takes its time.
    """

    def __init__(self, api: Api, clock: Clock) -> None:
        super().__init__()
        self._api = api
        self._clock = clock
        self._asked = 0

    def send(self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> requests.Response:
        """Answer a request, or fail as a connection would."""
        read_seconds = timeout[1] if isinstance(timeout, tuple) else timeout or 60.0
        self._asked += 1
        late_seconds = draw_stall(self._api.switches, self._asked)
        answer = self._api.answer(_read_request(request))
        if late_seconds > read_seconds:
            self._clock.sleep(read_seconds)
            raise requests.ReadTimeout(request=request)
        self._clock.sleep(late_seconds)
        if answer.fault in RESETS and answer.pieces is None:
            raise requests.ConnectionError("the connection was reset", request=request)
        pieces = answer.pieces or _cut(answer, self._api.switches.stall_seconds)
        body = _Body(pieces, self._clock.sleep, read_seconds)
        length = {} if answer.pieces is not None else {"Content-Length": str(len(answer.body))}
        headers = {"Content-Type": answer.content_type, **length, **answer.headers}
        raw = HTTPResponse(body, headers, answer.status, preload_content=False, decode_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """There is nothing to close."""


class _Body(io.BufferedIOBase):
    """A body that comes in pieces, and takes its time."""

    def __init__(self, pieces: Iterator[Piece], sleep: Callable[[float], None], read_seconds: float) -> None:
        self._pieces = pieces
        self._sleep = sleep
        self._read_seconds = read_seconds
        self._held = b""

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        """What has come, at least a byte before the end."""
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            if piece.after_seconds > self._read_seconds:
                self._sleep(self._read_seconds)
                raise ReadTimeoutError(None, "", "no bytes")  # type: ignore[arg-type]
            self._sleep(piece.after_seconds)
            if piece.data is None:
                raise ProtocolError("the connection was cut")
            self._held = piece.data
        size = len(self._held) if size is None or size < 0 else size
        part, self._held = self._held[:size], self._held[size:]
        return part

    def read(self, size: int | None = -1) -> bytes:
        """The rest, or so many bytes of it."""
        parts = []
        left = -1 if size is None else size
        while left and (part := self.read1(left)):
            parts.append(part)
            left -= len(part) if left > 0 else 0
        return b"".join(parts)


def _cut(answer: Answer, stall_seconds: float) -> Iterator[Piece]:
    """A body as its fault lets it come."""
    if answer.fault in CUTS:
        return iter([Piece(0.0, answer.body[: len(answer.body) // 2]), Piece(0.0, None)])
    if answer.fault == "dribble":
        size = len(answer.body) // DRIBBLES + 1
        cuts = [answer.body[start : start + size] for start in range(0, len(answer.body), size)]
        return iter([Piece(stall_seconds / DRIBBLES, cut) for cut in cuts])
    return iter([Piece(0.0, answer.body)])


def _read_request(request: requests.PreparedRequest) -> Request:
    parts = urlsplit(str(request.url))
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(str(request.method), parts.path, params, {**headers, "host": parts.netloc}, body)
