"""The world is deterministic, consistent, and never goes back in time."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogny_source.sandbox import RESOURCES, World, data
from cogny_source.sandbox.instants import parse_instant, to_micros

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def snapshot(world: World) -> str:
    """Every row of a world as one text."""
    return json.dumps({name: world.rows(name) for name in RESOURCES}, ensure_ascii=False)


def lived(seed: int, now: datetime = NOW) -> World:
    """A world after two turns and some churn."""
    world = World(seed=seed, tickets=100, now=now)
    world.advance(now + HOUR, created=7, changed=9, deleted=3)
    world.churn("tickets", changed=2, created=1, deleted=1)
    world.churn("reports", changed=2, created=1, deleted=1)
    world.advance(now + 2 * HOUR)
    return world


def by_id(world: World, resource: str) -> dict[str, Any]:
    """The rows of a resource by id."""
    return {row["id"]: row for row in world.rows(resource)}


def test_same_calls_make_the_same_world() -> None:
    """Same seed, same now, same calls: same bytes."""
    assert snapshot(lived(3)) == snapshot(lived(3))


@pytest.mark.parametrize("other", [lived(4), lived(3, NOW + HOUR)])
def test_another_seed_or_time_makes_another_world(other: World) -> None:
    """The rows depend on the seed and on the birth."""
    assert snapshot(lived(3)) != snapshot(other)


@pytest.mark.parametrize(
    ("tickets", "reports", "warehouses", "sizes"),
    [
        (0, None, None, (0, 20, 12)),
        (2000, None, None, (2000, 40, 12)),
        (30, 0, 0, (30, 0, 0)),
        (5, 3, 40, (5, 3, 40)),
    ],
)
def test_sizes(tickets: int, reports: int | None, warehouses: int | None, sizes: tuple[int, int, int]) -> None:
    """A world is born as large as it was asked to be."""
    world = World(tickets=tickets, reports=reports, warehouses=warehouses, now=NOW)
    assert tuple(world.count(name) for name in RESOURCES) == sizes


@pytest.mark.parametrize("world", [World(seed=1, tickets=500, reports=200, now=NOW), lived(5)])
def test_lifecycles_are_consistent(world: World) -> None:
    """Times follow each other, and finished rows have gone on since they were created."""
    now = to_micros(world.now)
    for row in world.rows("tickets") + world.rows("reports"):
        created, updated = parse_instant(row["created_at"]), parse_instant(row["updated_at"])
        assert created <= updated <= now
        assert created > to_micros(NOW - timedelta(days=365))
        if row["status"] not in ("open", "queued"):
            assert created < updated


def test_reports_carry_what_their_status_allows(world: World) -> None:
    """Only completed reports have a completed_at and a summary."""
    for row in world.rows("reports"):
        completed = row["status"] == "completed"
        assert (row["completed_at"] is not None, row["summary"] is not None) == (completed, completed)
        if completed:
            assert parse_instant(row["created_at"]) < parse_instant(row["completed_at"])


def test_small_worlds_show_every_word_of_the_vocabulary() -> None:
    """Eight tickets and five reports are enough for every category, status and priority."""
    world = World(tickets=8, reports=5, now=NOW)
    tickets = world.rows("tickets")
    assert {row["category"] for row in tickets} == set(data.CATEGORIES)
    assert {row["status"] for row in tickets} == set(data.TICKET_STATUSES)
    assert {row["priority"] for row in tickets} == set(data.PRIORITIES)
    assert {row["status"] for row in world.rows("reports")} == set(data.REPORT_STATUSES)


def test_rows_exercise_loaders() -> None:
    """Texts, empty lists, nulls and big whole numbers of every kind turn up among 300 tickets."""
    rows = World(tickets=300, now=NOW).rows("tickets")
    text = json.dumps(rows, ensure_ascii=False)
    signs = ("ü", "ñ", "配", "\N{ARABIC LETTER ALEF}", "💶", "\\n", "\\\\", '\\"', "\u2028")
    assert [sign for sign in signs if sign not in text] == []
    for field in ("assignee", "notes", "effort"):
        assert {row[field] is None for row in rows} == {True, False}
    assert {row["action_items"] == [] for row in rows} == {True, False}
    assert {row["supporting_data"] == {} for row in rows} == {True, False}
    assert max(row["supporting_data"].get("user_id", 0) for row in rows) > 2**53
    suffixes = Counter((len(row["updated_at"]), row["updated_at"][-1]) for row in rows)
    assert set(suffixes) == {(20, "Z"), (24, "Z"), (27, "Z"), (25, "0"), (29, "0"), (32, "0")}


@pytest.mark.parametrize(("ties", "least", "most"), [(0.0, 0, 20), (0.5, 150, 1000)])
def test_ties_are_as_frequent_as_asked(ties: float, least: int, most: int) -> None:
    """Rows share instants with their neighbours when asked to."""
    world = World(tickets=1000, now=NOW, ties=ties)
    shared = Counter(parse_instant(row["created_at"]) for row in world.rows("tickets"))
    assert least <= sum(count for count in shared.values() if count > 1) <= most


def test_warehouses_carry_timestamps_on_demand() -> None:
    """Timestamps of warehouses are not documented, and so an option."""
    plain, stamped = (World(now=NOW, warehouse_timestamps=on).rows("warehouses")[0] for on in (False, True))
    assert list(plain) == ["id", "name", "type", "status"]
    assert list(stamped) == ["id", "name", "type", "status", "created_at", "updated_at"]


def test_advance_does_what_the_turn_says(world: World) -> None:
    """The turn names every row that was created, changed or deleted; all others are as before."""
    before = {name: by_id(world, name) for name in RESOURCES}
    turn = world.advance(NOW + HOUR, created=20, changed=30, deleted=5)
    after = {name: by_id(world, name) for name in RESOURCES}
    assert (len(turn.created["tickets"]), len(turn.created["reports"])) == (20, 2)
    assert (len(turn.changed["tickets"]), len(turn.deleted["tickets"])) == (30, 5)
    for name in ("tickets", "reports"):
        assert after[name].keys() - before[name].keys() == set(turn.created[name])
        assert before[name].keys() - after[name].keys() == set(turn.deleted.get(name, []))
        common = before[name].keys() & after[name].keys()
        assert {key for key in common if before[name][key] != after[name][key]} == set(turn.changed[name])
    assert after["warehouses"] == before["warehouses"]
    assert world.now == NOW + HOUR


def test_changes_are_stamped_within_the_turn(world: World) -> None:
    """Whatever a turn touches is updated later than the last time told, and not after its end."""
    turn = world.advance(NOW + HOUR, created=20, changed=30)
    rows = by_id(world, "tickets") | by_id(world, "reports")
    touched = [key for ids in (turn.created, turn.changed) for keys in ids.values() for key in keys]
    assert all(to_micros(NOW) < parse_instant(rows[key]["updated_at"]) <= to_micros(NOW + HOUR) for key in touched)


def test_turn_of_one_microsecond(world: World) -> None:
    """Even the shortest turn stamps its changes within it."""
    world.advance(NOW + timedelta(microseconds=1), created=5, changed=5)
    newest = max(parse_instant(row["updated_at"]) for name in ("tickets", "reports") for row in world.rows(name))
    assert newest == to_micros(NOW) + 1


def test_unfinished_reports_end_in_time(world: World) -> None:
    """Turn by turn every report reaches an end, and each end is reached by some."""
    for turn in range(1, 12):
        world.advance(NOW + turn * HOUR, created=0, changed=0)
    assert {row["status"] for row in world.rows("reports")} == {"completed", "failed", "cancelled"}


def test_changed_tickets_change_in_many_ways(world: World) -> None:
    """Lists are shortened, emptied and lengthened; statuses, notes, assignees and impacts move."""
    before = by_id(world, "tickets")
    world.advance(NOW + HOUR, changed=250, created=0)
    after = by_id(world, "tickets")
    pairs = [(before[key], after[key]) for key in before]
    for field in ("status", "notes", "assignee", "estimated_impact"):
        assert any(old[field] != new[field] for old, new in pairs)
    lengths = {(len(new["action_items"]) > len(old["action_items"]), not new["action_items"]) for old, new in pairs}
    assert lengths == {(True, False), (False, True), (False, False)}


def test_advance_into_the_past_is_refused(world: World) -> None:
    """The world never goes back."""
    with pytest.raises(ValueError, match="already at"):
        world.advance(NOW)


def test_patch_is_stamped_later_than_any_time_told(world: World) -> None:
    """A change has a later updated_at than the world's time before it."""
    identity = world.rows("tickets")[0]["id"]
    told = world.now
    changed = world.patch("tickets", identity, notes="new")
    assert (changed["notes"], changed["updated_at"]) == ("new", "2025-06-01T12:00:00.000001Z")
    assert world.now > told
    assert by_id(world, "tickets")[identity] == changed


def test_patch_keeps_a_given_stamp(world: World) -> None:
    """A test may set updated_at itself."""
    identity = world.rows("tickets")[0]["id"]
    assert world.patch("tickets", identity, updated_at="2025-01-01T00:00:00Z")["updated_at"] == "2025-01-01T00:00:00Z"


def test_patch_of_a_warehouse_adds_no_stamp(world: World) -> None:
    """Rows without updated_at do not get one."""
    row = world.rows("warehouses")[0]
    assert world.patch("warehouses", row["id"], status="error") == row | {"status": "error"}


def test_put_adds_and_replaces(world: World) -> None:
    """A row put is kept as it is."""
    world.put("tickets", {"id": "tkt_1", "created_at": "2025-01-01T00:00:00Z", "odd": [1, None]})
    world.put("tickets", {"id": "tkt_1", "created_at": None, "status": ["list"]})
    assert by_id(world, "tickets")["tkt_1"] == {"id": "tkt_1", "created_at": None, "status": ["list"]}
    assert world.count("tickets") == 251


@pytest.mark.parametrize("stamp", ["yesterday", "", None, 5, ["2025-01-01"]])
def test_a_stamp_nobody_can_read_stands_first(world: World, stamp: object) -> None:
    """A row with such a stamp is kept as it is, before all others."""
    row = world.rows("tickets")[9] | {"created_at": stamp}
    world.put("tickets", row)
    assert world.rows("tickets")[0] == row


def test_whole_numbers_of_any_size_are_kept(world: World) -> None:
    """Numbers beyond 64 bits come back as they were put, and can be changed around."""
    row = world.rows("tickets")[0] | {"supporting_data": {"big": 2**80, "small": -(2**63)}}
    world.put("tickets", row)
    assert world.rows("tickets")[0] == row
    assert world.patch("tickets", row["id"], updated_at=row["updated_at"], notes="n") == row | {"notes": "n"}


def test_delete_takes_the_row_away(world: World) -> None:
    """A deleted row is gone, and cannot be deleted or patched again."""
    identity = world.rows("tickets")[0]["id"]
    world.delete("tickets", identity)
    assert identity not in by_id(world, "tickets")
    with pytest.raises(KeyError, match=identity):
        world.delete("tickets", identity)
    with pytest.raises(KeyError, match=identity):
        world.patch("tickets", identity, notes="")


def test_rows_are_copies(world: World) -> None:
    """Spoiling a row that was handed out does not spoil the truth."""
    before = snapshot(world)
    world.rows("tickets")[0]["supporting_data"]["spoilt"] = True
    assert snapshot(world) == before


def test_churn_leaves_warehouses_alone(world: World) -> None:
    """Warehouses do not churn."""
    before = snapshot(world)
    world.churn("warehouses", changed=3, created=3, deleted=3)
    assert snapshot(world) == before


def test_world_without_a_given_time_follows_the_clock() -> None:
    """Born now, it lives by the wall clock, and an earlier reading does not turn it back."""
    before = datetime.now(UTC)
    world = World(tickets=1, reports=0)
    assert before <= world.born_at <= world.now <= datetime.now(UTC) + timedelta(seconds=1)
    told = world.now
    world.clock = lambda: 0.0
    assert world.now == told
    world.clock = lambda: told.timestamp() + 60
    assert world.now >= told + timedelta(seconds=59)
