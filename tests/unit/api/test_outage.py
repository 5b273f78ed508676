"""A host that cannot be reached: its name, the cause, and few lines about it."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from threading import Thread

import pytest
import requests
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, SSLError

from cogny_source.api.http_client import HttpClient
from cogny_source.api.meter import Meter
from cogny_source.api.outage import Outage, find_address, find_obstacle
from cogny_source.errors import Unreachable
from cogny_source.sandbox import SandboxServer, World
from tests.support.edge import NOW, Clock

SENTENCE = "cannot connect to api.cogny.com:443: connection refused"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://api.cogny.com/v1", "api.cogny.com:443"),
        ("http://127.0.0.1:8080/v1", "127.0.0.1:8080"),
        ("http://localhost/v1", "localhost:80"),
        ("http://[::1]:8080/v1", "[::1]:8080"),
    ],
)
def test_address_is_host_and_port(url: str, address: str) -> None:
    """The scheme's port where none is named."""
    assert find_address(url) == address


def wrap(reason: Exception) -> requests.ConnectionError:
    """A failure as requests raises it."""
    return requests.ConnectionError(MaxRetryError(HTTPConnectionPool("api.cogny.com"), "/v1", reason))


def refused(number: int) -> requests.ConnectionError:
    """A connection that the system refuses with this error number."""
    reason = NewConnectionError(HTTPConnection("api.cogny.com"), "no")
    reason.__cause__ = OSError(number, "in the system's words")
    return wrap(reason)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (refused(errno.ECONNREFUSED), "connection refused"),
        (refused(errno.ENETUNREACH), "network is unreachable"),
        (refused(errno.EHOSTUNREACH), "no route to host"),
        (wrap(NewConnectionError(HTTPConnection("api.cogny.com"), "no")), "no connection"),
        (wrap(SSLError("handshake")), "the TLS connection failed (certificate or protocol)"),
        (requests.ConnectTimeout(), "no connection within 2.5 s"),
        (requests.exceptions.ProxyError(), "the proxy refused the connection"),
        (wrap(ProtocolError("reset")), None),
        (requests.ReadTimeout(), None),
        (requests.exceptions.SSLError("within the body"), None),
        (requests.ConnectionError(), None),
    ],
)
def test_cause_is_named_where_there_was_no_connection(error: OSError, cause: str | None) -> None:
    """A connection that breaks later is another failure."""
    assert find_obstacle(error, 2.5) == cause


def test_outage_is_told_once_and_each_half_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever number of requests fails, with how long it goes on; and its end, once."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    outage = Outage("api.cogny.com:443", clock)
    for second in range(61):
        clock.seconds = float(second)
        outage.tell(SENTENCE, 900.0 - second)
    outage.end()
    outage.end()
    assert caplog.messages == [
        f"{SENTENCE}; trying again for up to 15 min",
        f"{SENTENCE}; trying again for up to 14 min",
        f"{SENTENCE}; trying again for up to 14 min",
        "connected to api.cogny.com:443 again after 1 min",
    ]


def test_second_outage_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """Also within half a minute of the first one's line."""
    clock = Clock()
    outage = Outage("api.cogny.com:443", clock)
    outage.tell(SENTENCE, 60.0)
    outage.end()
    outage.tell(SENTENCE, 60.0)
    assert len(caplog.records) == 2


def test_three_readers_without_network_write_as_few_lines_as_one(
    clock: Clock, make_client: Callable[..., HttpClient], caplog: pytest.LogCaptureFixture
) -> None:
    """One client speaks for all of its requests, and tells no id of a request that never arrived."""
    failed: list[Unreachable] = []

    def read() -> None:
        try:
            client.get("/tickets", {}, Meter())
        except Unreachable as error:
            failed.append(error)

    with socket.socket() as unused, caplog.at_level(logging.INFO):
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        client = make_client(f"http://{address}/v1")
        threads = [Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(failed) == 3
    assert 1 <= len(caplog.messages) <= 1 + sum(clock.slept) / 30
    beginning = f"cannot connect to {address}: connection refused; trying again for up to "
    assert [line for line in caplog.messages if not line.startswith(beginning)] == []
    assert "request id" not in caplog.text + str(failed[0])


def test_connection_that_comes_back_is_told(
    clock: Clock, make_client: Callable[..., HttpClient], caplog: pytest.LogCaptureFixture
) -> None:
    """And the request is answered."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    with ExitStack() as stack, caplog.at_level(logging.INFO):
        world = World(seed=7, tickets=3, reports=1, warehouses=1, now=NOW)

        def come_back() -> None:
            if len(clock.slept) == 1:
                stack.enter_context(SandboxServer(world, port=port, clock=clock))

        clock.on_sleep = come_back
        client = make_client(f"http://127.0.0.1:{port}/v1")
        assert client.get("/warehouses", {}, Meter()).data == world.rows("warehouses")
    assert caplog.messages == [
        f"cannot connect to 127.0.0.1:{port}: connection refused; trying again for up to 2 min 3 s",
        f"connected to 127.0.0.1:{port} again after 0.5 s",
    ]
