"""Reading a response: the whole body before a deadline and within a size, or a failure in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from math import inf

import requests
from urllib3 import HTTPResponse
from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from cogny_source.api.outage import TLS_FAILED

# The deadline of an answer, in read time-outs: a slow server may keep within each single one.
READS_PER_ANSWER = 5
# The most that one system call returns; it does not wait for more.
READ_BYTES = 1 << 16
# Beside a deadline that has all but come, an answer still gets so long.
LEAST_SECONDS = 1.0

Failure = OSError | HTTPError


class DeadlinePassed(HTTPError):
    """The answer did not end before its deadline."""


class TooLong(HTTPError):
    """The answer is longer than the limit."""


@dataclass(frozen=True)
class Timeouts:
    """Time-outs of a request.

    Attributes:
        connect_seconds: To connect.
        read_seconds: For each read of the answer.
        most_seconds: For the whole answer, where that is less than `READS_PER_ANSWER` reads.
    """

    connect_seconds: float
    read_seconds: float
    most_seconds: float = inf

    @property
    def answer_seconds(self) -> float:
        """For the whole answer."""
        return min(READS_PER_ANSWER * self.read_seconds, self.most_seconds)

    def within(self, seconds: float) -> Timeouts:
        """The same, but no longer than some seconds, of which there is at least one."""
        if seconds >= self.answer_seconds:
            return self
        most = max(LEAST_SECONDS, seconds)
        return Timeouts(min(self.connect_seconds, most), min(self.read_seconds, most), most)


def read_body(response: requests.Response, is_late: Callable[[], bool], most_bytes: int) -> None:
    """Read a streamed response to its end, so that `response.content` holds its body.

    The connection returns to its pool at the end of the body, and is closed if the body does not end.

    Args:
        response: The response, of which only the headers were read.
        is_late: Whether the deadline has passed; called before each read.
        most_bytes: The longest body, both compressed and decompressed.

    Raises:
        DeadlinePassed: If the deadline has passed.
        TooLong: If the body is longer.
        HTTPError: If the body is cut short or cannot be decompressed, or a read times out.
    """
    pieces = []
    left = most_bytes
    with response:
        while True:
            if is_late():
                raise DeadlinePassed
            # The raw bytes: a read that decompresses would block until some output is there.
            piece = response.raw.read1(READ_BYTES)
            if not piece:
                break
            left -= len(piece)
            if left < 0:
                raise TooLong
            pieces.append(piece)
    body = b"".join(pieces)
    packing = response.headers.get("Content-Encoding")
    response.raw = BytesIO(_decompress(body, packing, is_late, most_bytes) if packing else body)
    _ = response.content


def _decompress(body: bytes, packing: str, is_late: Callable[[], bool], most_bytes: int) -> bytes:
    """Decompress a body piece by piece: a thousandth of the size may expand to all of it."""
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


def may_have_arrived(exc: Failure) -> bool:
    """Whether a request that failed may have reached the server; not if no connection was made.

    Args:
        exc: The error of sending the request or reading its answer.
    """
    if isinstance(exc, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return False
    cause = exc.args[0] if exc.args else None
    return not isinstance(getattr(cause, "reason", cause), NewConnectionError | NameResolutionError)


def describe_failure(exc: Failure, timeouts: Timeouts) -> str:
    """What failed on a connection, in one sentence.

    Args:
        exc: The error of sending the request or reading its answer.
        timeouts: Its time-outs.
    """
    if isinstance(exc, DeadlinePassed):
        return f"the answer did not end within {timeouts.answer_seconds:g} s"
    if isinstance(exc, requests.ReadTimeout | ReadTimeoutError):
        return f"no answer within {timeouts.read_seconds:g} s"
    if isinstance(exc, requests.exceptions.SSLError | SSLError):
        return TLS_FAILED
    if isinstance(exc, requests.exceptions.ContentDecodingError | DecodeError | ProtocolError):
        return "the answer was cut short"
    return "the connection failed or was reset"
