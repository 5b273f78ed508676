"""Writes: the operations that change or make something, and those that count tickets or write them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from cogny_source.sandbox.answers import invalid
from cogny_source.sandbox.bodies import (
    check_bulk,
    check_changes,
    check_dismissal,
    check_export,
    check_report,
    check_webhook,
    read_body,
)
from cogny_source.sandbox.exports import Exports
from cogny_source.sandbox.instants import format_instant
from cogny_source.sandbox.making import Making
from cogny_source.sandbox.rows import UNFINISHED, Row
from cogny_source.sandbox.world import World

OK, CREATED = 200, 201
_COUNTED = ("status", "priority", "category")

Result = tuple[int, Row]


class Writes:
    """Performs the operations; to be used under the world's lock."""

    def __init__(self, world: World, making: Making, exports: Exports) -> None:
        """Write into a world.

        Args:
            world: Whose rows change.
            making: The reports in the making.
            exports: The files that were written out.
        """
        self._world = world
        self._making = making
        self._exports = exports
        self.webhooks: list[Row] = []
        """The subscriptions, with their secrets."""
        self._operations: dict[str, Callable[[str, bytes, str], Result]] = {
            "stats": self._count,
            "update": self._update,
            "dismiss": self._dismiss,
            "bulk_update": self._update_many,
            "export": self._export,
            "create_report": self._create_report,
            "cancel": self._cancel,
            "create_webhook": self._create_webhook,
        }

    def perform(self, name: str, identity: str, body: bytes, host: str) -> Result:
        """Perform an operation on a row that is there.

        Args:
            name: The operation.
            identity: The id in its path; empty if it has none.
            body: Its body.
            host: The host that the request named.

        Returns:
            The status, and what the answer holds.

        Raises:
            ApiError: If it makes no sense.
        """
        return self._operations[name](identity, body, host)

    def _count(self, *_: Any) -> Result:
        rows = [record.facets for record in self._world.table("tickets").records.values()]
        counts = {f"by_{name}": dict(Counter(str(row.get(name)) for row in rows)) for name in _COUNTED}
        return OK, {"total_count": len(rows), **counts}

    def _update(self, identity: str, body: bytes, _: str) -> Result:
        return OK, self._world.patch("tickets", identity, **check_changes(read_body(body)))

    def _dismiss(self, identity: str, body: bytes, _: str) -> Result:
        return OK, self._world.patch("tickets", identity, **check_dismissal(read_body(body)))

    def _update_many(self, _: str, body: bytes, __: str) -> Result:
        ids, changes = check_bulk(read_body(body))
        there = [identity for identity in dict.fromkeys(ids) if identity in self._world.table("tickets").records]
        for identity in there:
            self._world.patch("tickets", identity, **changes)
        failed = len(dict.fromkeys(ids)) - len(there)
        return OK, {"updated_count": len(there), "failed_count": failed, "updated_ids": there}

    def _export(self, _: str, body: bytes, host: str) -> Result:
        return OK, self._exports.write(*check_export(read_body(body)), host)

    def _create_report(self, _: str, body: bytes, __: str) -> Result:
        wish = read_body(body)
        check_report(wish)
        return CREATED, self._making.create(wish)

    def _cancel(self, identity: str, *_: Any) -> Result:
        status = self._world.table("reports").records[identity].facets["status"]
        if status not in UNFINISHED:
            raise invalid("id", f"the report is {status} already")
        row = self._world.patch("reports", identity, status="cancelled")
        return OK, {"id": identity, "status": "cancelled", "cancelled_at": row["updated_at"]}

    def _create_webhook(self, _: str, body: bytes, __: str) -> Result:
        wish = read_body(body)
        hook = {
            "id": f"whk_{len(self.webhooks):012x}",
            **check_webhook(wish),
            "created_at": format_instant(self._world.observe(), 4),
        }
        self.webhooks.append(hook | {"secret": wish["secret"]})
        return CREATED, hook
