"""The connections of a client: another thread can abort them, and informational answers are skipped."""

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

# Informational answers before the answer to one request; more of them are an error.
MOST_INFORMATIONAL = 10
SWITCHING_PROTOCOLS = 101
# The most threads that read at a time.
POOL_SIZE = 32


class Lines:
    """The connections that are open or being made. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: WeakSet[socket.socket] = WeakSet()
        self._hung_up: Future[None] = Future()
        self._here = threading.local()

    @property
    def is_connecting(self) -> bool:
        """Whether the last connection that this thread began to make was not made, its TLS handshake included."""
        return getattr(self._here, "connecting", False)

    @is_connecting.setter
    def is_connecting(self, connecting: bool) -> None:
        self._here.connecting = connecting

    def dial(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """Connect in a separate thread, as nothing can abort a DNS lookup or a half-open connection.

        Raises:
            ConnectionAbortedError: If `hang_up` is called meanwhile.
            OSError: If the connection fails.
        """
        coming: Future[socket.socket] = Future()

        def run() -> None:
            try:
                coming.set_result(connect())
            except (OSError, HTTPError, ValueError) as error:
                coming.set_exception(error)
            finally:
                coming.cancel()  # has an effect only after an unforeseen error

        threading.Thread(target=run, name="dial", daemon=True).start()
        either: list[Future[Any]] = [coming, self._hung_up]
        wait(either, return_when=FIRST_COMPLETED)
        if self._hung_up.done():
            coming.add_done_callback(_close_quietly)
            raise ConnectionAbortedError
        return coming.result()

    def add(self, line: socket.socket) -> None:
        """Add a connection to those that `hang_up` ends."""
        with self._lock:
            self._open.add(line)
            if self._hung_up.done():
                _shut(line)

    def hang_up(self) -> None:
        """End all connections at once and for good; threads that wait for them get an error."""
        with self._lock:
            if not self._hung_up.done():
                self._hung_up.set_result(None)
            for line in self._open:
                _shut(line)


class LineAdapter(HTTPAdapter):
    """Sends requests over connections that can be aborted.

    Args:
        lines: Keeps the connections.
    """

    def __init__(self, lines: Lines) -> None:
        # Subclass the pools' connection classes of this moment: a recorder of HTTP may have replaced them.
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
        """Make the pools of connections through a proxy; a SOCKS proxy keeps its own pools."""
        manager = super().proxy_manager_for(*args, **kwargs)
        if not type(manager).__name__.startswith("SOCKS"):
            manager.pool_classes_by_scheme = self._pools
        return manager


class LineResponse(http.client.HTTPResponse):
    """An answer that skips informational ones (100 to 199) before it, as RFC 9110, 15.2 demands.

    The standard library skips 100 alone and takes any other for the answer; the real answer would then be read as
    that of the next request.
    """

    fp: Any

    def begin(self) -> None:
        """Read status and headers; refuse headers that break off before they say where the body ends."""
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
    """A mix-in for urllib3's connections that registers them."""

    response_class = LineResponse
    lines: Lines
    sock: Any
    _twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        line = self.lines.dial(super()._new_conn)  # type: ignore[misc]
        # The TLS handshake takes the socket over; a duplicate of it can be shut down meanwhile.
        self._twin = line.dup()
        self.lines.add(self._twin)
        return line

    def connect(self) -> None:
        self.lines.is_connecting = True
        try:
            super().connect()  # type: ignore[misc]
            self.lines.is_connecting = False
            line = getattr(self.sock, "socket", self.sock)  # TLS within TLS to a proxy
            if isinstance(line, socket.socket):
                self.lines.add(line)
        finally:
            if self._twin is not None:
                self._twin.close()
                self._twin = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection may carry another request: not if unread bytes are left."""
        pending = getattr(self.sock, "pending", None)
        return bool(super().is_connected) and not (pending and pending())  # type: ignore[misc]


def _make_pool(pool: type[HTTPConnectionPool], lines: Lines) -> type[HTTPConnectionPool]:
    connection = type("Line", (_Line, pool.ConnectionCls), {"lines": lines})
    return type("LinePool", (pool,), {"ConnectionCls": connection})


def _shut(line: socket.socket) -> None:
    # The method of a TLS socket would drop its keys first, while another thread still reads.
    with suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)


def _close_quietly(coming: Future[socket.socket]) -> None:
    if not coming.cancelled() and coming.exception() is None:
        coming.result().close()
