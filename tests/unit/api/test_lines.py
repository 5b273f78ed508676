"""Connections: answers before the answer, answers to other requests, and an end from another thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cogny_source.api.http_client import HttpClient, Timing
from cogny_source.api.lines import MOST_INFORMATIONAL
from cogny_source.api.meter import Meter
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.engine.cancellation import CancelToken
from cogny_source.errors import CognyError, NetworkError, Stopped
from cogny_source.settings import Settings
from tests.support.certificates import Authority
from tests.support.wire import Play, Wire, answer, sent_id

if TYPE_CHECKING:
    from tests.support.edge import Clock

Made = Callable[..., HttpClient]

EARLY = "HTTP/1.1 {} Early\r\nLink: </style.css>\r\n\r\n"


@pytest.mark.parametrize("statuses", [[100], [102], [103], [103, 103, 102, 100, 199]])
@pytest.mark.parametrize("apart", [False, True])
def test_informational_answers_are_passed_over(
    make_client: Made, meter: Meter, statuses: list[int], apart: bool
) -> None:
    """However many come before the answer, at once or apart from it, each request gets its own."""
    gaps = threading.Event()

    def play(line: socket.socket, head: str) -> None:
        for status in statuses:
            line.sendall(EARLY.format(status).encode())
        if apart:
            gaps.wait(0.02)
        line.sendall(answer([{"id": head.split()[1]}]))

    with Wire(play) as wire:
        client = make_client(wire.base_url)
        data = [client.get(path, {}, meter).data for path in ("/tickets", "/reports", "/warehouses")]
    assert data == [[{"id": f"/v1{path}"}] for path in ("/tickets", "/reports", "/warehouses")]
    assert (wire.connections, meter.requests) == (1, 3)


@pytest.mark.parametrize("early", [EARLY.format(102) * (MOST_INFORMATIONAL + 1), EARLY.format(101)])
def test_informational_answers_without_an_end_are_a_failure(make_client: Made, meter: Meter, early: str) -> None:
    """The connection is closed, and the request is sent again over another."""

    def play(line: socket.socket, _: str) -> None:
        line.sendall((early.encode() if wire.connections == 1 else b"") + answer([]))

    with Wire(play) as wire:
        assert make_client(wire.base_url).get("/tickets", {}, meter).data == []
    assert (wire.connections, meter.retries) == (2, 1)


def test_an_answer_to_another_request_is_refused(
    make_client: Made, meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    """One that repeats the id of an earlier request fails; the next goes over a connection of its own."""

    def play(line: socket.socket, head: str) -> None:
        first = sent_id(wire.heads[0])
        late = "/reports" in head and len(wire.heads) == 2
        line.sendall(answer([{"id": head.split()[1]}], first if late else sent_id(head)))

    with Wire(play) as wire:
        client = make_client(wire.base_url)
        client.get("/tickets", {}, meter)
        assert client.get("/reports", {}, meter).data == [{"id": "/v1/reports"}]
    assert (wire.connections, meter.retries) == (2, 1)
    assert caplog.messages[0].startswith("the answer is that of another request (path /reports, request id ")


@pytest.mark.parametrize("told", ["req_7", "3f0e7b9c-2d55-4f0a-9d3e-1c2b3a4d5e6f", None])
def test_ids_of_the_apis_own_are_none_of_ours(make_client: Made, meter: Meter, told: str | None) -> None:
    """An API that names requests in its own way is believed."""
    with Wire(lambda line, _: line.sendall(answer([], told))) as wire:
        client = make_client(wire.base_url)
        assert [client.get("/tickets", {}, meter).data for _ in range(3)] == [[]] * 3
    assert (meter.requests, meter.retries) == (3, 0)


@pytest.mark.parametrize(
    "rest", [answer([{"id": "late"}]), answer(["late"] * 20_000), b"\r\n", b"HTTP/1.1 200 OK\r\n"], ids=len
)
def test_what_follows_an_answer_is_no_other_answer(make_client: Made, meter: Meter, rest: bytes) -> None:
    """Bytes that nobody asked for end with their connection."""

    def play(line: socket.socket, head: str) -> None:
        line.sendall(answer([{"id": head.split()[1]}]) + rest)

    with Wire(play) as wire:
        client = make_client(wire.base_url)
        data = [client.get(path, {}, meter).data for path in ("/tickets", "/reports", "/tickets")]
    assert data == [[{"id": "/v1/tickets"}], [{"id": "/v1/reports"}], [{"id": "/v1/tickets"}]]


def test_headers_that_break_off_are_a_failure(make_client: Made, meter: Meter) -> None:
    """A line that is no header may hide where the body ends: nothing is read until a time-out."""

    def play(line: socket.socket, _: str) -> None:
        whole = answer([])
        line.sendall(b"HTTP/1.1 200 OK\r\n" + whole if wire.connections == 1 else whole)

    with Wire(play) as wire:
        assert make_client(wire.base_url).get("/tickets", {}, meter).data == []
    assert (wire.connections, meter.retries) == (2, 1)


def hang(wire_of: Callable[[], Wire], before: bytes = b"") -> Play:
    """A server that sends so much, and then nothing."""

    def play(line: socket.socket, _: str) -> None:
        line.sendall(before)
        wire_of().released.wait()

    return play


@contextmanager
def hanging(phase: str, tmp_path: Any) -> Iterator[Wire]:
    """A server that hangs in a phase of a request."""
    wire: Wire
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n"
    parts = {"headers": b"", "half-headers": head, "body": head + b'\r\n{"data":', "early": EARLY.format(103).encode()}
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\n{"
    if phase == "handshake":
        wire = Wire(None, Authority(tmp_path).serve("127.0.0.1"))
    elif phase == "tls-body":
        wire = Wire(hang(lambda: wire, parts["body"]), Authority(tmp_path).serve("127.0.0.1"))
    else:
        wire = Wire(hang(lambda: wire, {**parts, "closing": closing}[phase]))
    with wire:
        yield wire


@pytest.mark.parametrize("phase", ["headers", "half-headers", "early", "body", "closing", "handshake", "tls-body"])
def test_a_request_that_hangs_is_ended_from_another_thread(
    clock: Clock, meter: Meter, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """Whatever it waits for, it ends as stopped, and no other is sent."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Authority(tmp_path).file))
    with hanging(phase, tmp_path) as wire:
        assert_is_ended(wire.base_url, wire.asked, clock, meter)
        assert len(wire.heads) == (0 if phase == "handshake" else 1)
        assert wire.connections == 1


def test_a_connection_that_is_never_made_is_ended_from_another_thread(
    clock: Clock, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up of a name that hangs, or a host that does not answer, holds nobody."""
    dialled, released = threading.Event(), threading.Event()

    def connect(*_: object, **__: object) -> None:
        dialled.set()
        released.wait()
        raise TimeoutError

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    assert_is_ended("https://api.cogny.example/v1", dialled, clock, meter)
    released.set()


def assert_is_ended(base_url: str, asked: threading.Event, clock: Clock, meter: Meter) -> None:
    """Hang up once a request is under way; it and the next one end as stopped, and none is sent again."""
    flag = CancelToken()
    timing = Timing(clock, clock.sleep, check=flag.check)
    settings = Settings("sk_test_sandbox", base_url, read_timeout_seconds=200.0, connect_timeout_seconds=200.0)
    client = HttpClient(settings, RateLimiter(Pace(None), clock, clock), timing)

    def stop() -> None:
        asked.wait()
        flag.set(15)
        client.hang_up()

    thread = threading.Thread(target=stop)
    thread.start()
    for _ in range(2):
        with pytest.raises(Stopped):
            client.get("/tickets", {}, meter)
    thread.join()
    client.close()
    assert (meter.requests, clock.slept) == (1, [])


def test_a_line_that_was_hung_up_takes_no_request(make_client: Made, meter: Meter) -> None:
    """Whoever has no flag to look at gets a failure."""
    with Wire(lambda line, _: line.sendall(answer([]))) as wire:
        client = make_client(wire.base_url)
        client.get("/tickets", {}, meter)
        client.hang_up()
        with pytest.raises(CognyError) as caught:
            client.get("/tickets", {}, Meter())
    assert isinstance(caught.value, NetworkError)
    assert len(wire.heads) == 1
