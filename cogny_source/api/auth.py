"""The API key and the header that carries it; the key appears nowhere else."""

from __future__ import annotations

from typing import Literal

from requests import PreparedRequest
from requests.auth import AuthBase

AuthHeader = Literal["bearer", "x-api-key"]


class KeyAuth(AuthBase):
    """Adds the key to each request.

    Args:
        api_key: The key, `sk_live_…` or `sk_test_…`.
        header: `bearer` for `Authorization: Bearer`, `x-api-key` for the legacy header.
    """

    def __init__(self, api_key: str, header: AuthHeader = "bearer") -> None:
        self._api_key = api_key
        self._header = header

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Set the header on a prepared request."""
        if self._header == "bearer":
            request.headers["Authorization"] = f"Bearer {self._api_key}"
        else:
            request.headers["X-API-Key"] = self._api_key
        return request

    def __repr__(self) -> str:
        """Show the header's name, not the key."""
        return f"KeyAuth(header={self._header!r})"
