"""The connections of a client: each can be ended from another thread, and bears answers before the answer."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

# Before the answer to one request; a server that sends more never comes to it.
MOST_INFORMATIONAL = 10
SWITCHING_PROTOCOLS = 101
# As many threads may read at a time.
POOL_SIZE = 32


class Lines:
    """What connections are open, or being made. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: WeakSet[socket.socket] = WeakSet()
        self._hung_up: Future[None] = Future()

    def dial(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """Make a connection in a thread of its own: nothing ends a look-up of a name, or a connection half made.

        Raises:
            ConnectionAbortedError: If the lines are hung up meanwhile.
            OSError: If there is no connection.
        """
        coming: Future[socket.socket] = Future()

        def run() -> None:
            try:
                coming.set_result(connect())
            except (OSError, HTTPError, ValueError) as error:
                coming.set_exception(error)
            finally:
                coming.cancel()  # of no effect but after an error that nobody foresaw

        threading.Thread(target=run, name="dial", daemon=True).start()
        either: list[Future[Any]] = [coming, self._hung_up]
        wait(either, return_when=FIRST_COMPLETED)
        if self._hung_up.done():
            coming.add_done_callback(_close_quietly)
            raise ConnectionAbortedError
        return coming.result()

    def add(self, line: socket.socket) -> None:
        """Let a connection be ended with the others."""
        with self._lock:
            self._open.add(line)
            if self._hung_up.done():
                _shut(line)

    def hang_up(self) -> None:
        """End all connections, at once and for good; whoever waits for one of them gets an error."""
        with self._lock:
            if not self._hung_up.done():
                self._hung_up.set_result(None)
            for line in self._open:
                _shut(line)


class LineAdapter(HTTPAdapter):
    """Sends requests over lines.

    Args:
        lines: Where its connections are kept.
    """

    def __init__(self, lines: Lines) -> None:
        # What the pools use at this moment, so that a recorder of HTTP may stand in its place.
        self._pools = {
            "http": _make_pool(HTTPConnectionPool, lines),
            "https": _make_pool(HTTPSConnectionPool, lines),
        }
        super().__init__(pool_connections=1, pool_maxsize=POOL_SIZE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the pools of connections through a proxy; one of SOCKS keeps its own."""
        manager = super().proxy_manager_for(*args, **kwargs)
        if not type(manager).__name__.startswith("SOCKS"):
            manager.pool_classes_by_scheme = self._pools
        return manager


class LineResponse(http.client.HTTPResponse):
    """An answer whose informational ones (100 to 199) are read and passed over, as RFC 9110, 15.2 asks.

    The standard library does so with 100 alone, and takes any other for the answer; the real one would then be read
    as that of the next request.
    """

    fp: Any

    def begin(self) -> None:
        """Read status and headers; headers that break off before they tell where the body ends are no headers."""
        super().begin()
        if self.headers.defects and self.length is None and not self.chunked:
            raise http.client.BadStatusLine("headers that cannot be read")

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INFORMATIONAL + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            if status == SWITCHING_PROTOCOLS:
                break
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine("informational answers, and no answer")


class _Line:
    """A connection that is among the lines; a mix-in of urllib3's."""

    response_class = LineResponse
    lines: Lines
    sock: Any
    _twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        line = self.lines.dial(super()._new_conn)  # type: ignore[misc]
        # TLS takes the socket over while it shakes hands; its twin can be ended meanwhile.
        self._twin = line.dup()
        self.lines.add(self._twin)
        return line

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
            line = getattr(self.sock, "socket", self.sock)  # within TLS to a proxy
            if isinstance(line, socket.socket):
                self.lines.add(line)
        finally:
            if self._twin is not None:
                self._twin.close()
                self._twin = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection may carry another request: not where bytes are left that nobody asked for."""
        pending = getattr(self.sock, "pending", None)
        return bool(super().is_connected) and not (pending and pending())  # type: ignore[misc]


def _make_pool(pool: type[HTTPConnectionPool], lines: Lines) -> type[HTTPConnectionPool]:
    connection = type("Line", (_Line, pool.ConnectionCls), {"lines": lines})
    return type("LinePool", (pool,), {"ConnectionCls": connection})


def _shut(line: socket.socket) -> None:
    # The method of a TLS socket would first forget its keys, in the middle of what another thread reads.
    with suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)


def _close_quietly(coming: Future[socket.socket]) -> None:
    if not coming.cancelled() and coming.exception() is None:
        coming.result().close()
