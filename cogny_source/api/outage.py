"""A host that cannot be reached: why, and one line about it for all requests of a client."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from socket import gaierror
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError

from cogny_source.formatting import span
from cogny_source.log_fields import fields

logger = logging.getLogger(__name__)

TELL_EVERY_SECONDS = 30.0
TLS_FAILED = "the TLS connection failed (certificate or protocol)"
PORTS = {"http": 80, "https": 443}


def find_address(url: str) -> str:
    """Host and port of a URL, such as `api.cogny.com:443`."""
    parts = urlsplit(url)
    host = str(parts.hostname)
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or PORTS.get(parts.scheme, 0)}"


def find_obstacle(error: OSError | HTTPError, connect_seconds: float) -> str | None:
    """Why no connection was made, in words; None if there was one.

    Args:
        error: The error of sending a request.
        connect_seconds: The time-out of connecting.
    """
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {connect_seconds:g} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refused the connection"
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, SSLError):
        return TLS_FAILED
    if not isinstance(reason, NewConnectionError):
        return None
    cause = reason.__cause__
    if isinstance(cause, gaierror):
        return "the host name cannot be resolved: no network, or a wrong base URL"
    number = getattr(cause, "errno", None)
    return "no connection" if number is None else os.strerror(number).lower()


class Outage:
    """Tells that a host cannot be reached: once for all requests, and again every `TELL_EVERY_SECONDS`. Thread-safe.

    Args:
        address: Host and port.
        stopwatch: Monotonic seconds.
    """

    def __init__(self, address: str, stopwatch: Callable[[], float]) -> None:
        self.address = address
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._told_at = 0.0

    def tell(self, sentence: str, lasts_seconds: float) -> None:
        """A request could not be sent, and is repeated.

        Args:
            sentence: The error's message.
            lasts_seconds: How long it is repeated at most.
        """
        with self._lock:
            now = self._stopwatch()
            if self._began_at is None:
                self._began_at = now
            elif now - self._told_at < TELL_EVERY_SECONDS:
                return
            self._told_at = now
        patience = span(lasts_seconds, blank=" ")
        logger.warning("%s; trying again for up to %s", sentence, patience, extra=fields(host=self.address))

    def end(self) -> None:
        """A request was answered."""
        if self._began_at is None:
            return
        with self._lock:
            began_at, self._began_at = self._began_at, None
        if began_at is not None:
            lasted = span(self._stopwatch() - began_at, blank=" ")
            logger.info("connected to %s again after %s", self.address, lasted, extra=fields(host=self.address))
