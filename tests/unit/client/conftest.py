"""Fixtures: clients of a sandbox in this process, whose clock only sleeps move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cogny_source.testing import SandboxCogny, open_cogny

Open = Callable[..., SandboxCogny]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Let neither environment nor files hold a setting."""
    for name in ("API_KEY", "BASE_URL", "AUTH_HEADER", "REQUESTS_PER_MINUTE", "MAX_OUTAGE_SECONDS"):
        for prefix in ("COGNY_", "SOURCES__COGNY__"):
            monkeypatch.delenv(prefix + name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "machine"))


@pytest.fixture
def open_client() -> Iterator[Open]:
    """Open clients, as `open_client(lost_504=0.3)`."""
    clients: list[SandboxCogny] = []

    def make(**options: Any) -> SandboxCogny:
        clients.append(open_cogny(**options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(open_client: Open) -> SandboxCogny:
    """A client of a sandbox that behaves."""
    return open_client()
