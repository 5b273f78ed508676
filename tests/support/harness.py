"""A resource of the sandbox, read into a destination that is a dictionary."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cogny_source.api.http_client import HttpClient, Timing
from cogny_source.api.meter import Meter
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.extract.context import ReadContext
from cogny_source.extract.counting import note_count
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.plan import Plan
from cogny_source.extract.resource import read_resource
from cogny_source.records.chunk import Chunk
from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings


@dataclass
class Destination:
    """What was committed: rows by key, lists by parent, and the state; as a merge leaves them."""

    state: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, datetime | None] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    chunks: int = 0

    def commit(self, chunk: Chunk) -> None:
        """Merge a chunk and its state."""
        self.chunks += 1
        for table in chunk.tables.values():
            if "position" not in table.column_names:
                self.rows.update(zip(table["id"].to_pylist(), table["updated_at"].to_pylist(), strict=True))
                continue
            parents = table.column(0).to_pylist()
            self.lists.update({parent: [] for parent in parents})
            for parent, position, value in zip(
                parents, table["position"].to_pylist(), table["value"].to_pylist(), strict=True
            ):
                if position is not None:
                    self.lists[parent].append(value)
        if chunk.state is not None:
            self.state = chunk.state


class Api:
    """A sandbox, and one resource of it read by the connector."""

    def __init__(
        self, server: SandboxServer, resource: str = "tickets", *, clock_offset_seconds: float = 0, workers: int = 1
    ) -> None:
        self.server = server
        self.resource = resource
        self.workers = workers
        self.meter = Meter()
        settings = Settings("sk_test_sandbox", server.base_url, requests_per_minute=None, read_timeout_seconds=5)
        timing = Timing(lambda: time.time() + clock_offset_seconds, sleep=lambda _: None, jitter=lambda: 0.0)
        self.client = HttpClient(settings, RateLimiter(Pace(None), timing.clock), timing)

    def read(
        self,
        destination: Destination,
        plan: Plan | None = None,
        *,
        chunk_rows: int = 150,
        after_page: Callable[[], None] = lambda: None,
    ) -> Generator[None, None, None]:
        """Read and commit; yields after each commit, so that a caller can stop there."""
        self.meter = Meter()
        endpoint = ENDPOINTS[self.resource]
        reading = ReadContext(self.client, endpoint, self.meter, after_page, chunk_rows, workers=self.workers)
        if "backfill" in destination.state or (self.workers > 1 and destination.state):
            note_count(reading, None)
        for chunk in read_resource(reading, destination.state, plan or Plan()):
            destination.commit(chunk)
            yield

    def sync(self, destination: Destination, plan: Plan | None = None, *, chunk_rows: int = 150) -> Meter:
        """Read to the end."""
        for _ in self.read(destination, plan, chunk_rows=chunk_rows):
            pass
        return self.meter

    def truth(self) -> dict[str, datetime]:
        """Each listed row's newest version."""
        rows = self.server.world.rows(self.resource)
        return {row["id"]: datetime.fromisoformat(row["updated_at"]).astimezone(UTC) for row in rows}
