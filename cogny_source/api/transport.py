"""The way over the network: an answer that is whole before its deadline, or a failure put in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import requests
from urllib3 import HTTPResponse
from urllib3.exceptions import DecodeError, HTTPError, NameResolutionError, ProtocolError, ReadTimeoutError, SSLError

# A server that dribbles keeps to the time-out of every read; the whole answer may take so many of them.
READS_PER_ANSWER = 5
# At most what one system call gives; it does not wait for more than has come.
READ_BYTES = 1 << 16

Failure = OSError | HTTPError


class DeadlinePassed(HTTPError):
    """The answer goes on after its deadline."""


class TooLong(HTTPError):
    """The answer goes on beyond the most that is borne."""


@dataclass(frozen=True)
class Timeouts:
    """How long an answer may take.

    Attributes:
        connect_seconds: For the connection.
        read_seconds: For each read of the answer.
    """

    connect_seconds: float
    read_seconds: float

    @property
    def answer_seconds(self) -> float:
        """For the request and its whole answer."""
        return READS_PER_ANSWER * self.read_seconds


def read_body(response: requests.Response, is_late: Callable[[], bool], most_bytes: int) -> None:
    """Read a streamed response to its end, so that `response.content` holds its body.

    The connection goes back to its pool at the end of the body, and is closed if that does not come.

    Args:
        response: The response, of which nothing but the headers was read.
        is_late: Tells whether the deadline has passed; asked before each read.
        most_bytes: A longer body is refused, as it travels and unpacked.

    Raises:
        DeadlinePassed: If it has.
        TooLong: If the body is longer.
        HTTPError: If it is cut short or cannot be unpacked, or a read times out.
    """
    pieces = []
    left = most_bytes
    with response:
        while True:
            if is_late():
                raise DeadlinePassed
            # As it travels: requests turns unpacking off, which would go on reading until something is unpacked.
            piece = response.raw.read1(READ_BYTES)
            if not piece:
                break
            left -= len(piece)
            if left < 0:
                raise TooLong
            pieces.append(piece)
    body = b"".join(pieces)
    packing = response.headers.get("Content-Encoding")
    response.raw = BytesIO(_unpack(body, packing, is_late, most_bytes) if packing else body)
    _ = response.content


def _unpack(body: bytes, packing: str, is_late: Callable[[], bool], most_bytes: int) -> bytes:
    """Unpack a body piece by piece: a thousandth of a body may hold all of it."""
    packed = HTTPResponse(BytesIO(body), {"Content-Encoding": packing}, preload_content=False)
    pieces = []
    left = most_bytes
    while piece := packed.read(READ_BYTES, decode_content=True):
        if is_late():
            raise DeadlinePassed
        left -= len(piece)
        if left < 0:
            raise TooLong
        pieces.append(piece)
    return b"".join(pieces)


def describe_failure(exc: Failure, timeouts: Timeouts) -> str:
    """What went wrong, in one sentence.

    Args:
        exc: What sending the request or reading its answer ended with.
        timeouts: Those that it was sent with.
    """
    if isinstance(exc, DeadlinePassed):
        return f"the answer did not end within {timeouts.answer_seconds:g} s"
    if isinstance(exc, requests.ConnectTimeout):
        return f"no connection within {timeouts.connect_seconds:g} s"
    if isinstance(exc, requests.ReadTimeout | ReadTimeoutError):
        return f"no answer within {timeouts.read_seconds:g} s"
    if isinstance(exc, requests.exceptions.SSLError | SSLError):
        return "the TLS connection failed (certificate or protocol)"
    if isinstance(exc, requests.exceptions.ProxyError):
        return "the proxy refused the connection"
    if isinstance(exc, requests.exceptions.ContentDecodingError | DecodeError | ProtocolError):
        return "the answer was cut short"
    cause = exc.args[0] if exc.args else None
    if isinstance(getattr(cause, "reason", None), NameResolutionError):
        return "the host name cannot be resolved: no network, or a wrong base URL"
    return "the connection failed or was reset"
