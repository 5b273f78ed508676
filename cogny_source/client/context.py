"""What all resources of a client share: its requests, its clock, and the server's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any, Literal

from requests.adapters import BaseAdapter

from cogny_source.api.calls import Call, Params
from cogny_source.api.envelope import Answer
from cogny_source.api.http_client import HttpClient, Timing
from cogny_source.api.meter import Meter
from cogny_source.errors import TransientError
from cogny_source.settings import Settings
from cogny_source.timestamps import shift

Method = Literal["POST", "PATCH", "DELETE"]


@dataclass(frozen=True)
class BeforeDeadline:
    """Sends requests before a deadline.

    Attributes:
        http: Sends them.
        stopwatch: Monotonic seconds.
        until: The deadline, by the stopwatch.
    """

    http: HttpClient
    stopwatch: Callable[[], float]
    until: float

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """Read one answer.

        Raises:
            TransientError: If the deadline has passed.
        """
        if self.stopwatch() >= self.until:
            raise TransientError("the deadline has passed", path=path)
        return self.http.send(Call("GET", path, params, scope=scope, patient=patient), meter, until=self.until)


@dataclass(frozen=True)
class Context:
    """A client's parts.

    Attributes:
        http: Sends the requests, at their pace.
        settings: The settings.
        timing: Clock, sleep and chance.
        adapter: Sends the requests in place of connections, in tests.
        meter: Counts what the requests cost.
    """

    http: HttpClient
    settings: Settings
    timing: Timing
    adapter: BaseAdapter | None = None
    meter: Meter = field(default_factory=Meter)

    def get(self, path: str, scope: str, *, params: Params | None = None, until: float = inf) -> Answer:
        """Read something.

        Args:
            path: The path below the base URL.
            scope: The scope that it needs.
            params: The query.
            until: No attempt begins after this moment of the stopwatch.
        """
        return self.before(until).get(path, params or {}, self.meter, scope=scope)

    def write(
        self, method: Method, path: str, scope: str | None, body: dict[str, Any] | None = None, *, batch: bool = False
    ) -> Answer:
        """Change or make something; sent again only if it surely did not run."""
        return self.http.send(Call(method, path, body=body, scope=scope, batch=batch), self.meter)

    def before(self, until: float) -> BeforeDeadline:
        """Reads the pages of a list; none begins after a moment of the stopwatch."""
        return BeforeDeadline(self.http, self.timing.stopwatch, until)

    def now(self) -> datetime:
        """This machine's time."""
        return datetime.fromtimestamp(self.timing.clock(), UTC)

    def server_time_of(self, moment: float, told: datetime | None) -> datetime:
        """A moment of the stopwatch by the server's clock.

        Args:
            moment: The moment.
            told: The server's clock by an answer that has just come; None for this machine's clock.
        """
        return shift(told or self.now(), moment - self.timing.stopwatch())
