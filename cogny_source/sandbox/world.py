"""The world: every row that the sandbox serves, its clock, and how the rows change over time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from threading import RLock
from typing import Any

from cogny_source.sandbox import data
from cogny_source.sandbox.birth import born_reports, born_tickets, born_warehouses
from cogny_source.sandbox.instants import SECOND, draw_between, format_instant, to_datetime, to_micros
from cogny_source.sandbox.rows import UNFINISHED, Row, change_report, change_ticket, new_id, new_report, new_ticket
from cogny_source.sandbox.table import Table

RESOURCES = ("tickets", "reports", "warehouses")
_NO_WAREHOUSE = "wh_000000000000"


@dataclass(frozen=True)
class Turn:
    """What one step of the world changed: ids by resource."""

    number: int
    created: dict[str, list[str]]
    changed: dict[str, list[str]]
    deleted: dict[str, list[str]]


class World:
    """All tickets, reports and warehouses; safe to use from several threads.

    The world's time never runs backwards. With `now` given it stands still except when the world is advanced or
    changed; without, it follows the wall clock. Every change gets a time later than any returned before it.
    """

    def __init__(
        self,
        seed: int = 0,
        tickets: int = 1000,
        reports: int | None = None,
        warehouses: int | None = None,
        now: datetime | None = None,
        ties: float = 0.2,
        *,
        warehouse_timestamps: bool = False,
    ) -> None:
        """Make the world; the same arguments make the same rows.

        Args:
            seed: The seed of all random draws.
            tickets: How many tickets there are at first.
            reports: How many reports; `max(20, tickets // 50)` unless given.
            warehouses: How many warehouses; 12 unless given.
            now: When the world begins, an aware datetime; the current time unless given.
            ties: The share of rows that take a timestamp of a neighbour.
            warehouse_timestamps: Whether warehouses carry `created_at` and `updated_at`.
        """
        self.lock = RLock()
        self.seed = seed
        self.clock: Callable[[], float] | None = time.time if now is None else None
        self.born_at = now or datetime.now(UTC)
        self._now = to_micros(self.born_at)
        self._turns = 0
        self._churns = 0
        rng = Random(f"{seed}:birth")
        places = born_warehouses(rng, 12 if warehouses is None else warehouses, self._now, warehouse_timestamps)
        self._warehouse_ids = tuple(place["id"] for place in places) or (_NO_WAREHOUSE,)
        report_count = max(20, tickets // 50) if reports is None else reports
        self._tables = {
            "tickets": Table(born_tickets(rng, tickets, self._now, ties, self._warehouse_ids)),
            "reports": Table(born_reports(rng, report_count, self._now, ties, self._warehouse_ids)),
            "warehouses": Table(places),
        }

    @property
    def now(self) -> datetime:
        """The world's time; later changes get later times."""
        return to_datetime(self.observe())

    def observe(self) -> int:
        """Read the clock, if there is one, and return the world's time in microseconds."""
        with self.lock:
            if self.clock is not None:
                self._now = max(self._now, int(self.clock() * SECOND))
            return self._now

    def table(self, resource: str) -> Table:
        """The live table of a resource; to be read under the lock."""
        return self._tables[resource]

    def rows(self, resource: str) -> list[Row]:
        """A copy of every row, as it is stored, in creation order."""
        with self.lock:
            table = self._tables[resource]
            joined = b",".join([table.records[identity].body for identity in table.ids()])
        rows: list[Row] = json.loads(b"[" + joined + b"]")
        return rows

    def count(self, resource: str) -> int:
        """How many rows there are."""
        return len(self._tables[resource])

    def put(self, resource: str, row: Row) -> None:
        """Add a row, or replace the one with its id; it is kept as given, even with a timestamp that cannot be read."""
        with self.lock:
            self._tables[resource].put(row)

    def patch(self, resource: str, identity: str, **fields: Any) -> Row:
        """Change fields of a row; `updated_at` becomes the world's next moment unless it is given.

        Raises:
            KeyError: If there is no such row.
        """
        with self.lock:
            row = self._tables[resource].records[identity].row() | fields
            if "updated_at" in row and "updated_at" not in fields:
                row["updated_at"] = format_instant(self._next_moment(), 4)
            return self._tables[resource].put(row).row()

    def delete(self, resource: str, identity: str) -> None:
        """Remove a row.

        Raises:
            KeyError: If there is no such row.
        """
        with self.lock:
            if identity not in self._tables[resource].records:
                raise KeyError(identity)
            self._tables[resource].discard(identity)

    def advance(self, to: datetime, created: int = 10, changed: int = 20, deleted: int = 0) -> Turn:
        """Advance the world to a later time; what happens depends on the seed and the number of the turn alone.

        Args:
            to: The world's time afterwards.
            created: New tickets; a tenth as many reports are requested too, at least one if any ticket is new.
            changed: Tickets that change. Every unfinished report progresses too.
            deleted: Tickets that are deleted.

        Raises:
            ValueError: If `to` is not later than the last time returned.
        """
        with self.lock:
            start, end = self._now, to_micros(to)
            if end <= start:
                raise ValueError(f"the world is already at {to_datetime(start).isoformat()}")
            self._turns += 1
            rng = Random(f"{self.seed}:turn:{self._turns}")

            def moment(after: int = start) -> int:
                return draw_between(rng, max(start, after), end) if after < end else end

            turn = self._live(rng, moment, (created, changed, deleted))
            self._now = end
            return turn

    def churn(self, resource: str, changed: int = 0, created: int = 0, deleted: int = 0) -> None:
        """Change, add and drop rows of a resource at once, each with a time later than any returned so far."""
        if resource == "warehouses":
            return
        with self.lock:
            self._churns += 1
            rng = Random(f"{self.seed}:churn:{self._churns}")
            for identity in self._draw(rng, resource, deleted):
                self.delete(resource, identity)
            for identity in self._draw(rng, resource, changed):
                self._change(rng, resource, identity, self._next_moment())
            for _ in range(created):
                self._create(rng, resource, self._next_moment())

    def pass_moment(self) -> int:
        """Move on by as little as there is, and tell the time, in microseconds; for rows that are put."""
        with self.lock:
            return self._next_moment()

    def _next_moment(self) -> int:
        self._now = self.observe() + 1
        return self._now

    def _live(self, rng: Random, moment: Callable[..., int], counts: tuple[int, int, int]) -> Turn:
        created, changed, deleted = counts
        gone = self._draw(rng, "tickets", deleted)
        for identity in gone:
            self.delete("tickets", identity)
        worked_on = self._draw(rng, "tickets", changed)
        for identity in worked_on:
            self._change(rng, "tickets", identity, moment())
        gone_on = [row["id"] for row in self.rows("reports") if row["status"] in UNFINISHED]
        asked = [self._create(rng, "reports", moment()) for _ in range(max(1, created // 10) if created else 0)]
        for identity in gone_on + asked:
            self._go_on(rng, identity, moment)
        new = [self._create(rng, "tickets", moment()) for _ in range(created)]
        return Turn(
            number=self._turns,
            created={"tickets": new, "reports": asked},
            changed={"tickets": worked_on, "reports": gone_on},
            deleted={"tickets": gone},
        )

    def _go_on(self, rng: Random, identity: str, moment: Callable[..., int]) -> None:
        """Move a report one or two statuses further, as far as time allows."""
        for _ in range(1 + rng.getrandbits(1)):
            record = self._tables["reports"].records[identity]
            later = moment(record.updated_at)
            if record.facets["status"] in UNFINISHED and later > record.updated_at:
                self._change(rng, "reports", identity, later)

    def _draw(self, rng: Random, resource: str, count: int) -> list[str]:
        keys = self._tables[resource].view("created_at")
        return [keys[place][1] for place in rng.sample(range(len(keys)), min(count, len(keys)))]

    def _create(self, rng: Random, resource: str, moment: int) -> str:
        table = self._tables[resource]
        prefix, new_row = ("tkt", new_ticket) if resource == "tickets" else ("rpt", new_report)
        identity = new_id(rng, prefix)
        while identity in table.records:
            identity = new_id(rng, prefix)
        table.put(new_row(rng, identity, data.pick(rng, self._warehouse_ids), moment))
        return identity

    def _change(self, rng: Random, resource: str, identity: str, moment: int) -> None:
        row = self._tables[resource].records[identity].row()
        change = change_ticket if resource == "tickets" else change_report
        self._tables[resource].put(change(rng, row, moment))
