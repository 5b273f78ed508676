"""Making: reports that were asked for over the API, and how far each of them is."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from cogny_source.sandbox.answers import ApiError
from cogny_source.sandbox.faults import strikes
from cogny_source.sandbox.instants import SECOND, format_instant
from cogny_source.sandbox.rows import UNFINISHED, Row, new_id, turn_report
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.world import World

# When a report is worked on, as a share of the time that it takes.
STARTED = 0.1
_CONNECTED = ("connected", "syncing")


class Making:
    """The reports in the making; to be used under the world's lock."""

    def __init__(self, world: World, switches: Callable[[], Switches]) -> None:
        """Begin with none.

        Args:
            world: Where the reports appear.
            switches: Tells how long a report takes, and how many may be in the making.
        """
        self._world = world
        self._switches = switches
        self._created: dict[str, int] = {}
        self._unfinished: set[str] = set()

    def create(self, wish: dict[str, Any]) -> Row:
        """Add a queued report.

        Raises:
            ApiError: 404 or 400 for its warehouse, 429 if too many are in the making.
        """
        self._check_warehouse(wish.get("warehouse_id"))
        most = self._switches().max_unfinished_reports
        if most is not None and len(self._unfinished) >= most:
            raise ApiError(429, "RATE_LIMIT_EXCEEDED", "too many reports are unfinished", {"unfinished": most})
        rng = Random(f"{self._world.seed}:made:{len(self._created)}")
        identity = new_id(rng, "rpt")
        while identity in self._world.table("reports").records:
            identity = new_id(rng, "rpt")
        row = self._new_row(identity, wish, self._world.pass_moment())
        self._world.put("reports", row)
        self._unfinished.add(identity)
        return row

    def _check_warehouse(self, identity: Any) -> None:
        record = self._world.table("warehouses").records.get(identity) if isinstance(identity, str) else None
        if record is None:
            raise ApiError(404, "WAREHOUSE_NOT_FOUND", "there is no such warehouse", {"warehouse_id": identity})
        if record.facets.get("status") not in _CONNECTED:
            raise ApiError(400, "WAREHOUSE_NOT_CONNECTED", "the warehouse is not connected")

    def _new_row(self, identity: str, wish: dict[str, Any], moment: int) -> Row:
        self._created[identity] = moment
        stamp = format_instant(moment, 4)
        return {
            "id": identity,
            "warehouse_id": wish["warehouse_id"],
            "status": "queued",
            "prompt": wish["prompt"],
            "created_at": stamp,
            "updated_at": stamp,
            "completed_at": None,
            "estimated_completion": format_instant(self.due(identity), 4),
            "url": f"https://app.cogny.com/reports/{identity}",
            "stream_url": f"https://api.cogny.com/v1/reports/{identity}/stream",
            "summary": None,
            "metadata": {} if self._switches().metadata_dropped else wish.get("metadata", {}),
        }

    def created_at(self, identity: str) -> int | None:
        """When a report was asked for over the API, in microseconds; None if it was not."""
        return self._created.get(identity)

    def due(self, identity: str, share: float = 1.0) -> int:
        """When a share of the time is over that a report takes, in microseconds."""
        return self._created[identity] + round(share * self._switches().report_seconds * SECOND)

    def settle(self) -> None:
        """Bring each unfinished report to where its time says."""
        if not self._unfinished:
            return
        now = self._world.observe()
        for identity in sorted(self._unfinished):
            record = self._world.table("reports").records.get(identity)
            if record is None or record.facets["status"] not in UNFINISHED:
                self._unfinished.discard(identity)
                continue
            if record.facets["status"] == "queued" and now >= self.due(identity, STARTED):
                self._turn(identity, "processing")
            if now >= self.due(identity):
                self._turn(identity, self._end(identity))
                self._unfinished.discard(identity)

    def _end(self, identity: str) -> str:
        switches = self._switches()
        fails = strikes(switches.fault_seed, "failing_reports", identity, switches.failing_reports)
        return "failed" if fails else "completed"

    def _turn(self, identity: str, status: str) -> None:
        record = self._world.table("reports").records[identity]
        rng = Random(f"{self._world.seed}:made:{identity}:{status}")
        # A change is stamped later than any time told before, though the report was due a moment ago.
        row = turn_report(rng, record.row(), status, self._world.pass_moment())
        if status == "processing":
            row["estimated_completion"] = format_instant(self.due(identity), 4)
        self._world.put("reports", row)

    def hidden(self) -> list[str]:
        """The ids of reports that lists do not show yet."""
        late = self._switches().listed_after_seconds * SECOND
        if not late:
            return []
        now = self._world.observe()
        return [identity for identity, created in self._created.items() if now < created + late]
