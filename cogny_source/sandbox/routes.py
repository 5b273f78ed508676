"""Routes: the fifteen operations of the contract, each with its method, path and scope."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cogny_source.sandbox.answers import ApiError

ROOT = "/v1"
ANY_WRITING = "*:write"


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: Its name here.
        method: Its HTTP method.
        path: Its path, a pattern whose groups are resource and id.
        scope: The scope that it needs; `ANY_WRITING` stands for any that ends in `:write`.
        batch: Whether it counts as a batch operation.
    """

    name: str
    method: str
    path: re.Pattern[str]
    scope: str
    batch: bool = False

    @property
    def writes(self) -> bool:
        """Whether it changes or makes something."""
        return self.method != "GET"


@dataclass(frozen=True)
class Route:
    """Where a request leads.

    Attributes:
        operation: The operation.
        resource: `tickets`, `reports`, `warehouses` or `webhooks`.
        identity: The id in the path; empty if there is none.
    """

    operation: Operation
    resource: str
    identity: str = ""


def _operation(name: str, method: str, path: str, scope: str, *, batch: bool = False) -> Operation:
    return Operation(name, method, re.compile(ROOT + path.replace("{id}", "([^/]+)")), scope, batch)


# An earlier one wins: `/tickets/stats` is no ticket.
OPERATIONS = (
    _operation("stats", "GET", "/(tickets)/stats", "tickets:read"),
    _operation("bulk_update", "POST", "/(tickets)/bulk-update", "tickets:write", batch=True),
    _operation("export", "POST", "/(tickets)/export", "tickets:read", batch=True),
    _operation("list", "GET", "/(tickets)", "tickets:read"),
    _operation("single", "GET", "/(tickets)/{id}", "tickets:read"),
    _operation("update", "PATCH", "/(tickets)/{id}", "tickets:write"),
    _operation("dismiss", "POST", "/(tickets)/{id}/dismiss", "tickets:write"),
    _operation("list", "GET", "/(reports)", "reports:read"),
    _operation("create_report", "POST", "/(reports)", "reports:write"),
    _operation("single", "GET", "/(reports)/{id}", "reports:read"),
    _operation("cancel", "DELETE", "/(reports)/{id}", "reports:write"),
    _operation("stream", "GET", "/(reports)/{id}/stream", "reports:read"),
    _operation("content", "GET", "/(reports)/{id}/content", "reports:read"),
    _operation("list", "GET", "/(warehouses)", "warehouses:read"),
    _operation("create_webhook", "POST", "/(webhooks)", ANY_WRITING),
)


def find_route(method: str, path: str, *, single_rows: bool = True) -> Route:
    """The operation that a request asks for.

    Args:
        method: The HTTP method.
        path: The path, without the query.
        single_rows: Whether rows can be asked for by their ids.

    Raises:
        ApiError: 404 if there is no such path, 405 if it is there for other methods.
    """
    known = False
    for operation in OPERATIONS:
        match = operation.path.fullmatch(path)
        if match is None or (operation.name == "single" and not single_rows):
            continue
        if operation.method == method:
            return Route(operation, *match.groups())
        known = True
    if known:
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"{method} is not served here")
    raise ApiError(404, "NOT_FOUND", "there is no such path")


def is_batch(method: str, path: str) -> bool:
    """Whether a request counts as a batch operation."""
    return any(it.batch and it.method == method and it.path.fullmatch(path) for it in OPERATIONS)


def has_scope(scopes: frozenset[str], needed: str) -> bool:
    """Whether a key's scopes are enough for an operation."""
    if needed == ANY_WRITING:
        return any(scope.endswith(":write") for scope in scopes)
    return needed in scopes
