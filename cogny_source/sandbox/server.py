"""The server: a sandbox listening on a loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from cogny_source.sandbox.api import ROOT, Api, RequestRecord
from cogny_source.sandbox.asgi import TRANSPORT, Message, Receive, SandboxApp, Send
from cogny_source.sandbox.keys import Access
from cogny_source.sandbox.rows import Row
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.world import World

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 10.0
_IDLE_SECONDS = 600


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets the application reach the transport, so that it can break the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Message, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = with_transport


class _Server(Server):
    """A uvicorn server that tells when it listens, and stops at once, whatever connections are open."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.listening = Event()
        self._halt: asyncio.Event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.listening.set()
        await self._halt.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for sock in sockets or []:
            sock.close()

    def halt(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._halt.set)


class SandboxServer:
    """A sandbox that serves a world over HTTP while the context lasts.

    Example:
        >>> with SandboxServer(World(seed=1)) as sandbox:
        ...     requests.get(f"{sandbox.base_url}/tickets", headers={"Authorization": "Bearer sk_test_sandbox"})
    """

    def __init__(
        self,
        world: World | None = None,
        switches: Switches | None = None,
        keys: Mapping[str, Access] | None = None,
        port: int = 0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Prepare a server; it listens once `start` was called or the context was entered.

        Args:
            world: Whose rows are served; a fresh `World()` unless given.
            switches: How to misbehave.
            keys: What each key grants.
            port: Where to listen; any free port unless given.
            clock: Seconds since 1970, for the world's time and the windows of rate limits. Unless given the world's
                own clock is kept: the wall clock, or, if it was born at a given time, one that stands still.
        """
        self.world = world if world is not None else World()
        if clock is not None:
            self.world.clock = clock
        self.api = Api(self.world, switches, keys)
        self._port = port
        self._server: _Server | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        """Start to listen."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def switches(self) -> Switches:
        """How the sandbox misbehaves; set its fields, or set it as a whole, at any time."""
        return self.api.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self.api.switches = switches

    @property
    def base_url(self) -> str:
        """The address of the API, with its version."""
        return f"http://{_LOOPBACK}:{self._port}{ROOT}"

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests to the API answered so far, oldest first."""
        return self.api.recorded()

    def fail_next(self, *faults: str) -> None:
        """Let faults strike the next requests, one each; named as the switches are."""
        self.api.fail_next(*faults)

    def served_rows(self, resource: str) -> list[Row]:
        """Every row as it is shown under the present switches, in creation order."""
        return self.api.served_rows(resource)

    def start(self) -> Self:
        """Listen, and return once a client can connect.

        Raises:
            OSError: If the port is taken.
            RuntimeError: If the server does not come up.
        """
        # asyncio turns Nagle's algorithm off only where the protocol is named; with it, answers wait 40 ms for an ACK.
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_LOOPBACK, self._port))
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        options: dict[str, Any] = {"http": _Protocol, "ws": "none", "lifespan": "off", "loop": "asyncio"}
        quiet: dict[str, Any] = {"log_config": None, "log_level": "critical", "access_log": False}
        plain: dict[str, Any] = {"server_header": False, "date_header": False, "timeout_keep_alive": _IDLE_SECONDS}
        config = Config(SandboxApp(self.api), **options, **quiet, **plain)
        self._server = _Server(config)
        self._thread = Thread(target=self._server.run, args=([listener],), name="sandbox", daemon=True)
        self._thread.start()
        if not self._server.listening.wait(_START_SECONDS):
            raise RuntimeError("the sandbox does not listen")
        return self

    def stop(self) -> None:
        """Stop listening and drop every connection; harmless if it does not listen."""
        if self._server is None or self._thread is None:
            return
        self._server.halt()
        self._thread.join()
        self._server = self._thread = None
