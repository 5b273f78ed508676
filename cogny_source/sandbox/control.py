"""Control routes, by which other processes read the true rows, advance the world and set the switches."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from cogny_source.sandbox.answers import Answer
from cogny_source.sandbox.api import Api, Request
from cogny_source.sandbox.instants import parse_instant, to_datetime
from cogny_source.sandbox.table import dump
from cogny_source.sandbox.world import RESOURCES

CONTROL_ROOT = "/_sandbox"


class Control:
    """Answers the control routes; faults, keys and limits do not apply to them."""

    def __init__(self, api: Api) -> None:
        """Control an API and its world."""
        self._api = api

    def answer(self, request: Request) -> Answer:
        """Answer one request: 400 if its body is invalid, 404 if there is no such route."""
        route = request.path.removeprefix(CONTROL_ROOT + "/")
        try:
            if request.method == "GET":
                return self._read(route, request)
            if (request.method, route) == ("POST", "advance"):
                return _json(200, self._advance(_read_object(request)))
            if (request.method, route) == ("PUT", "switches"):
                self._api.switches.update(_read_object(request))
                return _json(200, self._api.switches.as_dict())
        except (ValueError, TypeError, OverflowError) as exc:
            return _json(400, {"error": str(exc)})
        return _json(404, {"error": "there is no such control route"})

    def _read(self, route: str, request: Request) -> Answer:
        kind, _, resource = route.partition("/")
        if kind == "rows" and resource in RESOURCES:
            served = request.params.get("as") == "served"
            rows = self._api.served_rows(resource) if served else self._api.world.rows(resource)
            return Answer(200, b"[" + b",".join(map(dump, rows)) + b"]")
        if route == "requests":
            return _json(200, [asdict(record) for record in self._api.recorded()])
        if route == "switches":
            return _json(200, self._api.switches.as_dict())
        if route == "health":
            world = self._api.world
            return _json(200, {"now": world.now.isoformat(), "rows": {name: world.count(name) for name in RESOURCES}})
        return _json(404, {"error": "there is no such control route"})

    def _advance(self, order: dict[str, Any]) -> dict[str, Any]:
        world = self._api.world
        counts = {name: order.pop(name) for name in ("created", "changed", "deleted") if name in order}
        if not all(isinstance(count, int) and count >= 0 for count in counts.values()):
            raise ValueError("created, changed and deleted are counts")
        with world.lock:
            to = _read_goal(order, world.now)
            turn = world.advance(to, **counts)
        return {"now": to.astimezone(UTC).isoformat()} | asdict(turn)


def _read_goal(order: dict[str, Any], now: datetime) -> datetime:
    if set(order) == {"seconds"}:
        return now + timedelta(seconds=order["seconds"])
    if set(order) == {"to"}:
        return to_datetime(parse_instant(order["to"]))
    raise ValueError("give either seconds or to, and besides only created, changed and deleted")


def _read_object(request: Request) -> dict[str, Any]:
    content = orjson.loads(request.body)
    if not isinstance(content, dict):
        raise TypeError("the body must be a JSON object")
    return content


def _json(status: int, content: Any) -> Answer:
    return Answer(status, orjson.dumps(content))
