"""Fixtures: a small world born at a fixed time, a server for it, and a reader of its lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from cogny_source.sandbox import SandboxServer, World

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
MOST_PAGES = 50


@pytest.fixture
def world() -> World:
    """A world of 250 tickets and 40 reports whose time stands still."""
    return World(seed=7, tickets=250, reports=40, now=NOW)


@pytest.fixture
def sandbox(world: World) -> Iterator[SandboxServer]:
    """A server for the world."""
    with SandboxServer(world) as server:
        yield server


@pytest.fixture
def get(sandbox: SandboxServer) -> Iterator[Callable[..., requests.Response]]:
    """Send a GET to the API, as `get("/tickets", status="open")`; `key` and `headers` are taken out."""
    with requests.Session() as session:

        def send(path: str, key: str | None = "sk_test_sandbox", **params: Any) -> requests.Response:
            headers = params.pop("headers", {}) | ({"Authorization": f"Bearer {key}"} if key else {})
            return session.get(sandbox.base_url + path, params=params, headers=headers, timeout=5)

        yield send


@pytest.fixture
def walk(get: Callable[..., requests.Response]) -> Callable[..., list[dict[str, Any]]]:
    """Read a list to its end, 100 rows a page unless told, at most 50 pages."""

    def read(resource: str, **params: Any) -> list[dict[str, Any]]:
        params = {"limit": 100} | params
        rows: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            answer = get(f"/{resource}", **params)
            answer.raise_for_status()
            body = answer.json()
            rows += body["data"]
            if not body.get("pagination", {}).get("has_more"):
                break
            params["cursor"] = body["pagination"]["next_cursor"]
        return rows

    return read
