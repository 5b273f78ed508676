"""The way over the network: an answer that is whole before its deadline, or a failure put in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import requests
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, NameResolutionError, ProtocolError, ReadTimeoutError, SSLError

# A server that dribbles keeps to the time-out of every read; the whole answer may take so many of them.
READS_PER_ANSWER = 5
# At most what one system call gives; it does not wait for more than has come.
READ_BYTES = 1 << 16

Failure = requests.RequestException | HTTPError


class DeadlinePassed(HTTPError):
    """The answer goes on after its deadline."""


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


def read_body(response: requests.Response, is_late: Callable[[], bool]) -> None:
    """Read a streamed response to its end, so that `response.content` holds its body.

    The connection goes back to its pool at the end of the body, and is closed if that does not come.

    Args:
        response: The response, of which nothing but the headers was read.
        is_late: Tells whether the deadline has passed; asked before each read.

    Raises:
        DeadlinePassed: If it has.
        HTTPError: If the body is cut short, or a read times out.
        requests.RequestException: If it cannot be unpacked.
    """
    pieces = []
    with response:
        while True:
            if is_late():
                raise DeadlinePassed
            # As it travels: requests turns unpacking off, which would go on reading until something is unpacked.
            piece = response.raw.read1(READ_BYTES)
            if not piece:
                break
            pieces.append(piece)
    body = BytesIO(b"".join(pieces))
    packing = response.headers.get("Content-Encoding")
    # Only what is packed goes through urllib3 once more, which costs more than all else here.
    response.raw = HTTPResponse(body, {"Content-Encoding": packing}, preload_content=False) if packing else body
    _ = response.content


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
    if isinstance(exc, requests.exceptions.ContentDecodingError | ProtocolError):
        return "the answer was cut short"
    cause = exc.args[0] if exc.args else None
    if isinstance(getattr(cause, "reason", None), NameResolutionError):
        return "the host name cannot be resolved: no network, or a wrong base URL"
    return "the connection failed or was reset"
