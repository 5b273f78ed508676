"""A clock set by hand, and a server that answers what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

NOW = datetime(2025, 6, 2, 0, 0, 15, tzinfo=UTC)
TEST_KEY = "sk_test_sandbox"


class Clock:
    """A clock that stands still until somebody sleeps.

    Attributes:
        seconds: What it shows, in epoch seconds.
        slept: Every sleep, in seconds.
        on_sleep: Called at each sleep, to mend what was broken.
    """

    def __init__(self) -> None:
        """Begin a quarter past a full minute."""
        self.seconds = NOW.timestamp()
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        with self._lock:
            self.slept.append(seconds)
            self.seconds += seconds
        self.on_sleep()


@dataclass(frozen=True)
class Canned:
    """An answer as it goes over the wire.

    Attributes:
        status: The HTTP status.
        body: What is sent of the body.
        headers: Sent as they are; `Content-Length` fits the body unless it or `Transfer-Encoding` is among them.
        hangs: Whether the connection stays open and silent after the body.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    hangs: bool


class Edge:
    """A server on the loopback that sends canned answers, the last of them for ever, and keeps what it was sent.

    Attributes:
        received: Path and headers of each request.
        bodies: Method and body of each request.
        connections: The client's port of each request; those of one connection have the same.
        before_each_byte: Set, bodies come byte by byte, and it is called before each.
        decides: Set, it gives status and headers of each answer in place of those that were told.
    """

    def __init__(self) -> None:
        """Bind a free port."""
        self._answers: list[Canned] = []
        self.received: list[tuple[str, dict[str, str]]] = []
        self.bodies: list[tuple[str, bytes]] = []
        self.connections: list[int] = []
        self.before_each_byte: Callable[[], object] | None = None
        self.decides: Callable[[], tuple[int, Mapping[str, str]]] | None = None
        self._released = threading.Event()
        edge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every answer waits 40 ms for an ACK of its headers

            def do_GET(self) -> None:
                edge.bodies.append((self.command, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
                edge._answer(self)

            do_POST = do_PATCH = do_DELETE = do_GET

            def log_message(self, *_: Any) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and let go of every connection that hangs."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        """The address, with a version such as the API has."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def will_answer(
        self,
        body: bytes | Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        hangs: bool = False,
    ) -> None:
        """Send this next, after what was told before; the last answer is repeated."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._answers.append(Canned(status, content, headers or {}, hangs))

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.received.append((request.path, dict(request.headers.items())))
        self.connections.append(request.client_address[1])
        canned = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if self.decides is not None:
            status, headers = self.decides()
            canned = replace(canned, status=status, headers=headers)
        request.send_response_only(canned.status)
        length = {} if "Transfer-Encoding" in canned.headers else {"Content-Length": str(len(canned.body))}
        for name, value in {**length, **canned.headers}.items():
            request.send_header(name, value)
        request.end_headers()
        self._send_body(request, canned.body)
        if canned.hangs:
            self._released.wait()
            request.close_connection = True

    def _send_body(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.before_each_byte is None:
            request.wfile.write(body)
            return
        for number in range(len(body)):
            self.before_each_byte()
            request.wfile.write(body[number : number + 1])
