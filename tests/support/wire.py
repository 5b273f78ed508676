"""A server that a test plays byte by byte: what it sends on a connection, and when."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

# Takes a connection and the head of a request that came over it.
Play = Callable[[socket.socket, str], None]


class Wire:
    """Accepts connections, and lets a function answer each request; a context that leaves no thread behind.

    Args:
        play: Answers a request; None for a server that says nothing.
        tls: Speaks TLS with it.

    Attributes:
        heads: The head of each request.
        connections: How many connections were accepted.
        asked: Set with the first request, and with a connection where nothing is to be said.
        released: Set at the end; a function that hangs waits for it.
    """

    def __init__(self, play: Play | None, tls: ssl.SSLContext | None = None) -> None:
        """Bind a free port."""
        self._play = play
        self._tls = tls
        self.heads: list[str] = []
        self.connections = 0
        self.asked = threading.Event()
        self.released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._twins: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of all connections."""
        self.released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for twin in self._twins:
            with suppress(OSError), twin:
                twin.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    @property
    def base_url(self) -> str:
        """The address."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self.connections += 1
                self._twins.append(line.dup())  # TLS takes the socket itself over
                thread = threading.Thread(target=self._serve, args=(line,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, line: socket.socket) -> None:
        with suppress(OSError), line:
            if self._play is None:
                self.asked.set()
                self.released.wait()
                return
            if self._tls is not None:
                line = self._tls.wrap_socket(line, server_side=True)
            with line:
                while head := read_head(line):
                    self.heads.append(head)
                    self.asked.set()
                    self._play(line, head)


def read_head(line: socket.socket) -> str:
    """The head of the next request; empty at the end of the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = line.recv(1)
        if not byte:
            return ""
        head += byte
    return head.decode()


def sent_id(head: str) -> str:
    """The id of a request."""
    found = re.search(r"X-Request-ID: (\S+)", head)
    return found[1] if found else ""


def answer(data: Any, request_id: str | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """A successful answer, as it goes over the wire."""
    body = json.dumps({"success": True, "data": data, "meta": {"request_id": request_id}}).encode()
    lines = {"Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body
