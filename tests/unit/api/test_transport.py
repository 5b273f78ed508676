"""The way over the network: whole answers and broken ones, deadlines, packing, and connections that are kept."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import requests
from urllib3.exceptions import SSLError

from cogny_source.api.http_client import HttpClient
from cogny_source.api.meter import Meter
from cogny_source.api.transport import Timeouts, describe_failure
from cogny_source.errors import AnswerTooLarge
from tests.support.wire import Wire

if TYPE_CHECKING:
    from tests.support.edge import Clock, Edge

Made = Callable[..., HttpClient]

OK = {"success": True, "data": [{"id": "tkt_1", "title": "a" * 1000}], "meta": {}}
BODY = json.dumps(OK).encode()
CHUNKED = {"Transfer-Encoding": "chunked"}


def chunks(body: bytes, size: int) -> bytes:
    """A body as chunked encoding writes it, its end left out."""
    cuts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(cut), cut) for cut in cuts)


@pytest.mark.parametrize(
    ("body", "headers"), [(BODY, {}), (gzip.compress(BODY), {"Content-Encoding": "gzip"})], ids=["plain", "gzip"]
)
def test_an_answer_that_dribbles_is_given_up_at_its_deadline(
    edge: Edge,
    make_client: Made,
    clock: Clock,
    meter: Meter,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    headers: dict[str, str],
) -> None:
    """A byte every ten seconds keeps to the time-out of each read, not to five of them; it is asked for again."""

    def advance() -> None:
        clock.seconds += 10.0

    edge.before_each_byte = advance
    clock.on_sleep = lambda: setattr(edge, "before_each_byte", None)
    edge.will_answer(body[:31], headers={**headers, "Content-Length": str(len(body))}, hangs=True)
    edge.will_answer(OK)
    client = make_client(edge.base_url, read_timeout_seconds=60.0)
    assert client.get("/tickets", {}, meter).data == OK["data"]
    assert caplog.messages[0].startswith("the answer did not end within 300 s (path /tickets, request id ")
    assert (clock.slept, meter.requests, len(set(edge.connections))) == ([0.5], 2, 2)


def test_an_answer_that_is_slow_but_ends_is_read(edge: Edge, make_client: Made, clock: Clock, meter: Meter) -> None:
    """Up to its deadline an answer may take its time."""

    def advance() -> None:
        clock.seconds += 300.0 / len(BODY)

    edge.before_each_byte = advance
    edge.will_answer(BODY)
    assert make_client(edge.base_url, read_timeout_seconds=60.5).get("/tickets", {}, meter).data == OK["data"]
    assert meter == Meter(requests=1)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, {}),
        (gzip.compress(BODY), {"Content-Encoding": "gzip"}),
        (zlib.compress(BODY), {"Content-Encoding": "deflate"}),
        (chunks(BODY, 7) + b"0\r\n\r\n", CHUNKED),
        (chunks(gzip.compress(BODY), 7) + b"0\r\n\r\n", {**CHUNKED, "Content-Encoding": "gzip"}),
    ],
    ids=["plain", "gzip", "deflate", "chunked", "chunked-gzip"],
)
@pytest.mark.parametrize("dribbles", [False, True])
def test_whole_answers_are_read_over_one_connection(
    edge: Edge, make_client: Made, body: bytes, headers: dict[str, str], dribbles: bool
) -> None:
    """However it is packed and cut, a body arrives, and the connection serves the next request."""
    edge.before_each_byte = (lambda: None) if dribbles else None
    edge.will_answer(body, headers=headers)
    client = make_client(edge.base_url)
    assert [client.get("/tickets", {}, Meter()).data for _ in range(3)] == [OK["data"]] * 3
    assert len(set(edge.connections)) == 1


def test_failures_keep_the_connection_too(edge: Edge, make_client: Made, meter: Meter) -> None:
    """An error's body, or none at all, is read to its end as well."""
    edge.will_answer(b"", 500)
    edge.will_answer(b"<html>", 521)
    edge.will_answer(b"", 204)
    edge.will_answer(OK)
    assert make_client(edge.base_url).get("/tickets", {}, meter).data == OK["data"]
    assert (meter.requests, len(set(edge.connections))) == (4, 1)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY[:-1], {"Content-Length": str(len(BODY))}),
        (b"", {"Content-Length": str(len(BODY))}),
        (gzip.compress(BODY)[:-30], {"Content-Encoding": "gzip", "Content-Length": str(len(gzip.compress(BODY)))}),
        (chunks(BODY, 100), CHUNKED),
        (chunks(BODY, 100)[:50], CHUNKED),
        (b"no number\r\n", CHUNKED),
    ],
    ids=["last-byte", "all", "gzip", "last-chunk", "within-a-chunk", "no-chunk"],
)
def test_a_body_that_ends_too_soon_is_never_taken_for_whole(
    edge: Edge,
    make_client: Made,
    meter: Meter,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    headers: dict[str, str],
) -> None:
    """Whatever tells the length of a body is heeded, and the request is sent again."""
    edge.will_answer(body, headers={**headers, "Connection": "close"})
    edge.will_answer(OK)
    assert make_client(edge.base_url).get("/tickets", {}, meter).data == OK["data"]
    assert meter == Meter(requests=2, retries=1, waited_seconds=0.5)
    assert caplog.messages[0].startswith("the answer was cut short (path /tickets, request id ")


BOMB = gzip.compress(b"[" + b" " * 50_000_000 + b"]")


@pytest.mark.parametrize(
    ("body", "packing"),
    [
        (BODY * 2000, None),
        (BOMB, "gzip"),
        (BOMB, "x-gzip"),
        (zlib.compress(b" " * 50_000_000), "deflate"),
        (gzip.compress(BOMB), "gzip, gzip"),
        (zlib.compress(gzip.compress(BOMB)), "gzip, gzip, deflate"),
    ],
    ids=["plain", "gzip", "x-gzip", "deflate", "twice", "thrice"],
)
def test_an_answer_that_is_too_long_is_refused_once(
    edge: Edge, make_client: Made, meter: Meter, body: bytes, packing: str | None
) -> None:
    """However small it travels, it is not unpacked beyond the bound, and not asked for again."""
    edge.will_answer(body, headers={"Content-Encoding": packing} if packing else {})
    with pytest.raises(
        AnswerTooLarge, match=r"^the answer holds more than 2 MB \(max_answer_megabytes\) \(path /tickets"
    ):
        make_client(edge.base_url, max_answer_megabytes=2.0).get("/tickets", {}, meter)
    assert meter == Meter(requests=1)


@pytest.mark.parametrize(
    "head", ["Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Content-Length: 99999999999999\r\n"]
)
def test_an_answer_without_an_end_is_ended(make_client: Made, meter: Meter, head: str) -> None:
    """The connection is closed at the bound, also where nothing tells how much follows."""
    piece = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    ended = threading.Event()

    def play(line: socket.socket, _: str) -> None:
        line.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
        try:
            while True:
                line.sendall(piece)
        except OSError:
            ended.set()
            raise

    with Wire(play) as wire:
        with pytest.raises(AnswerTooLarge):
            make_client(wire.base_url, max_answer_megabytes=1.0).get("/tickets", {}, meter)
        ended.wait()
    assert meter == Meter(requests=1)


def test_packings_may_be_stacked(edge: Edge, make_client: Made, meter: Meter) -> None:
    """Each is undone, in the order in which they are named."""
    edge.will_answer(zlib.compress(gzip.compress(BODY)), headers={"Content-Encoding": "gzip, deflate"})
    assert make_client(edge.base_url).get("/tickets", {}, meter).data == OK["data"]


def test_an_answer_just_within_the_bound_is_read(edge: Edge, make_client: Made, meter: Meter) -> None:
    """The bound itself belongs to what is borne, packed or not."""
    megabytes = len(BODY) / 2**20
    edge.will_answer(BODY)
    edge.will_answer(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})
    client = make_client(edge.base_url, max_answer_megabytes=megabytes)
    assert [client.get("/tickets", {}, meter).data for _ in range(2)] == [OK["data"]] * 2
    with pytest.raises(AnswerTooLarge):
        make_client(edge.base_url, max_answer_megabytes=(len(BODY) - 1) / 2**20).get("/tickets", {}, meter)


def test_a_tls_failure_within_an_answer_is_told_as_such() -> None:
    """It may come while the body is read."""
    message = "the TLS connection failed (certificate or protocol)"
    for error in (SSLError("bad record"), requests.exceptions.SSLError("bad record")):
        assert describe_failure(error, Timeouts(1.0, 1.0)) == message
