"""Streams: the making of a report as events, cut and stalled where a switch says so."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import requests

from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.api import Api, Request

KEY = "sk_test_sandbox"


class Player:
    """Plays streams on a clock of its own."""

    def __init__(self, world: World) -> None:
        self.seconds = world.now.timestamp()
        world.clock = lambda: self.seconds
        self.api = Api(world)
        body = orjson.dumps({"warehouse_id": world.rows("warehouses")[0]["id"], "prompt": "Why?"})
        self.report = orjson.loads(self.ask("POST", "/reports", body).body)["data"]["id"]

    def ask(self, method: str, path: str, body: bytes = b"", last: str | None = None) -> Any:
        """One request."""
        headers = {"x-api-key": KEY} | ({} if last is None else {"last-event-id": last})
        return self.api.answer(Request(method, "/v1" + path, {}, headers, body))

    def play(self, last: str | None = None) -> tuple[list[dict[str, Any]], bool]:
        """The events of a stream, and whether it was cut."""
        text, cut = b"", False
        for piece in self.ask("GET", f"/reports/{self.report}/stream", last=last).pieces:
            self.seconds += piece.after_seconds
            cut = cut or piece.data is None
            if cut:
                break
            text += piece.data
        return [read(block) for block in text.decode().split("\n\n") if block and not block.startswith(":")], cut


def read(block: str) -> dict[str, Any]:
    """An event."""
    fields = [line.partition(": ") for line in block.splitlines()]
    event = {name: value for name, _, value in fields if name != "data"}
    return event | {"data": orjson.loads("\n".join(value for name, _, value in fields if name == "data"))}


COURSE = ["status", "status", "query", "result", "insight", "visualization", "completed"]


def test_events_tell_the_making_as_it_happens(world: World) -> None:
    """They take as long as the report, and end with it."""
    player = Player(world)
    began = player.seconds
    events, cut = player.play()
    assert ([event["event"] for event in events], cut) == (COURSE, False)
    assert [event["id"] for event in events] == [str(number) for number in range(1, 8)]
    assert player.seconds - began == pytest.approx(5.0, abs=0.01)
    assert events[-1]["data"] == next(row for row in world.rows("reports") if row["id"] == player.report)
    assert events[-1]["data"]["status"] == "completed"
    assert player.play() == (events, False)


def test_a_cut_stream_goes_on_after_the_last_event(world: World) -> None:
    """With ids it does not repeat; without, it begins anew."""
    player = Player(world)
    player.api.switches.stream_drops_after_events = 3
    first, cut = player.play()
    assert ([event["event"] for event in first], cut) == (COURSE[:3], True)
    second, _ = player.play(first[-1]["id"])
    assert [event["event"] for event in second] == COURSE[3:6]
    player.api.switches.stream_event_ids = False
    third, _ = player.play("3")
    assert [event["event"] for event in third] == COURSE[:3]
    assert "id" not in third[0]


def test_a_stalled_stream_keeps_still_and_is_cut(world: World) -> None:
    """For as long as the switch says."""
    player = Player(world)
    player.api.switches.update({"stream_stalls_after_events": 1, "stall_seconds": 100.0})
    began = player.seconds
    events, cut = player.play()
    assert (len(events), cut) == (1, True)
    assert player.seconds - began >= 100


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_failure_ends_with_an_error(world: World, how: str) -> None:
    """Its data tells the status."""
    player = Player(world)
    if how == "cancelled":
        player.ask("DELETE", f"/reports/{player.report}")
    else:
        player.api.switches.failing_reports = 1.0
    events, cut = player.play()
    assert (events[-1]["event"], events[-1]["data"]["status"], cut) == ("error", how, False)


def test_a_report_that_was_born_unfinished_ends_with_its_status(world: World) -> None:
    """Nobody works on it."""
    player = Player(world)
    player.report = next(row["id"] for row in world.rows("reports") if row["status"] == "processing")
    events, cut = player.play()
    assert ([event["data"]["status"] for event in events], cut) == (["queued", "processing"], False)


def test_over_a_socket(sandbox: SandboxServer) -> None:
    """A whole stream ends, a cut one breaks; an unknown report answers 404."""
    done = next(row["id"] for row in sandbox.world.rows("reports") if row["status"] == "completed")
    url, headers = f"{sandbox.base_url}/reports/{done}/stream", {"X-API-Key": KEY}
    answer = requests.get(url, headers=headers, timeout=5)
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.text.count("event: ") == 7
    sandbox.switches.stream_drops_after_events = 2
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(url, headers=headers, timeout=5)
    assert requests.get(f"{sandbox.base_url}/reports/rpt_0/stream", headers=headers, timeout=5).status_code == 404
