"""Keys: their scopes and rate limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ALL_SCOPES = frozenset(
    {"reports:read", "reports:write", "tickets:read", "tickets:write", "warehouses:read", "warehouses:write"}
)

TEST_PREFIX = "sk_test_"


@dataclass(frozen=True)
class Access:
    """What one key grants.

    Attributes:
        scopes: The scopes of the key.
        requests_per_minute: The limit of its account; None for none.
        requests_per_month: How many requests thirty days grant, in place of that; None for any number.
    """

    scopes: frozenset[str] = ALL_SCOPES
    requests_per_minute: int | None = None
    requests_per_month: int | None = None


DEFAULT_KEYS: Mapping[str, Access] = MappingProxyType(
    {
        "sk_test_sandbox": Access(),
        "sk_live_standard_sandbox": Access(requests_per_minute=100),
        "sk_live_enterprise_sandbox": Access(requests_per_minute=1000),
        "cogny_lite_sandbox": Access(requests_per_month=15),
        "sk_live_reports_only_sandbox": Access(frozenset({"reports:read"}), requests_per_minute=100),
    }
)


def presented_key(headers: Mapping[str, str]) -> str | None:
    """The key that a request carries, as a bearer token or in the legacy header; names are in lower case."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return headers.get("x-api-key")
