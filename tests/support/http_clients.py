"""What the tests of the HTTP client share: keys, faults, and a request that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cogny_source.api.http_client import HttpClient
from cogny_source.api.meter import Meter
from cogny_source.errors import (
    CognyError,
    NetworkError,
    ServerError,
    TransientError,
)

Made = Callable[..., HttpClient]

STANDARD, REPORTS_ONLY = "sk_live_standard_sandbox", "sk_live_reports_only_sandbox"
SECRET = "sk_live_7f3a9c51d2e84b60"
OK = {"success": True, "data": [], "meta": {}}
# Each fault with its error, and the status that the sandbox noted.
FAULTS: dict[str, tuple[type[TransientError], int, str]] = {
    "reset": (NetworkError, 0, "the connection failed or was reset"),
    "html_502": (ServerError, 502, "the API is away (no JSON in the answer)"),
    "html_521": (ServerError, 521, "the API is away (no JSON in the answer)"),
    "error_500": (ServerError, 500, "the query could not be run"),
    "empty_200": (ServerError, 200, "the answer is empty"),
    "success_false": (ServerError, 200, "a part of the service is not available"),
    "cut_short": (NetworkError, 200, "the answer was cut short"),
}


def fail(client: HttpClient, path: str = "/tickets", meter: Meter | None = None, **more: Any) -> CognyError:
    """The error that a request ends with."""
    with pytest.raises(CognyError) as caught:
        client.get(path, {}, meter or Meter(), **more)
    return caught.value
