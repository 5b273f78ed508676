"""What a soak's scenarios are played with: an API with habits, its clock, and a writer."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cogny_source.sandbox import RESOURCES, World
from tests.support.truth import instant

Row = dict[str, Any]
# A key with a limit that is never reached: only such a key is told rate-limit headers.
LIVE_KEY = "sk_live_soak"
TEST_KEY = "sk_test_sandbox"
BORN = datetime(2025, 3, 1, 12, tzinfo=UTC)
DATED = ("tickets", "reports")
ORDERS = ("oldest_first", "newest_first", "least_recently_updated_first", "recently_updated_first")
FILTERS = (["*"], ["updated_after"], ["created_after"], ["created_before", "updated_before"])
FAULTS = ("error_500", "html_502", "html_521", "reset", "cut_short", "empty_200", "success_false")


class Clock:
    """The server's clock: it moves a little whenever it is read, and as far as it is told.

    Args:
        tick_seconds: How far it moves by itself.
    """

    def __init__(self, tick_seconds: float) -> None:
        self.seconds = BORN.timestamp()
        self._tick_seconds = tick_seconds

    def __call__(self) -> float:
        """Seconds since 1970."""
        self.seconds += self._tick_seconds
        return self.seconds

    @property
    def now(self) -> datetime:
        """The time, without a tick."""
        return datetime.fromtimestamp(self.seconds, UTC)


@dataclass(frozen=True)
class Habits:
    """What an API does all the while, and what its reader set.

    Attributes:
        switches: Of the sandbox.
        faults: Switches of the faults, with their probabilities.
        churn: Switches of the writer.
        api_key: A test key, or one that rate-limit headers are told.
        overlap_seconds: The setting.
        start_date: The setting.
        deletes: Whether rows vanish.
        page_rows: How many rows are asked for at once; few, so that small worlds have many pages.
    """

    switches: dict[str, Any]
    faults: dict[str, float]
    churn: dict[str, int]
    api_key: str
    overlap_seconds: float
    start_date: datetime | None
    deletes: bool
    page_rows: int

    @property
    def lifetime_rows(self) -> int | None:
        """How many rows of a listing can be read before its cursors have expired; None for all."""
        pages: int | None = self.switches["cursor_lifetime_pages"]
        return None if pages is None else pages * self.page_rows

    def counts(self, resource: str) -> bool:
        """Whether the API tells how many rows of a resource the destination should hold."""
        if resource == "warehouses":
            return True  # each sync reads all of them
        if not self.switches["total_count"] and resource not in self.switches["pagination_omitted"]:
            return False
        if self.start_date is None:
            return True
        ignored = set(self.switches["ignored_filters"].get(resource, ()))
        return not ignored & {"*", "created_after"} and not self.switches["total_count_unfiltered"]


def draw_habits(rng: random.Random) -> Habits:
    """Draw what an API does, within its contract."""
    cursors = rng.choice(("keyset", "keyset", "offset", "expiring"))
    clock = rng.choice(("meta", "meta", "meta", "date", "none"))
    count = rng.choice(("filtered", "filtered", "filtered", "filtered", "missing", "unfiltered"))
    omitted = [name for name in RESOURCES if rng.random() < (0.7 if name == "warehouses" else 0.1)]
    # A list that comes in an order of its own and outlives its cursors cannot be read by anyone.
    own_way = 0.0 if cursors == "expiring" else 0.3
    switches: dict[str, Any] = {
        "inclusive_bounds": rng.random() < 0.5,
        "cursor_kind": "offset" if cursors == "offset" else "keyset",
        "cursor_lifetime_pages": rng.choice((3, 5, 8)) if cursors == "expiring" else None,
        "total_count": count != "missing",
        "total_count_unfiltered": count == "unfiltered",
        "pagination_omitted": omitted,
        "meta_timestamp": clock == "meta",
        "date_header": clock != "none",
        "rate_headers": rng.random() < 0.5,
        "requests_per_minute": 1_000_000,
        "ignored_sorts": {name: rng.choice(ORDERS) for name in DATED if rng.random() < own_way},
        "ignored_filters": {name: rng.choice(FILTERS) for name in DATED if rng.random() < own_way},
        "fault_seed": rng.getrandbits(16),
    }
    faults = {name: rng.choice((0.02, 0.1)) for name in rng.sample(FAULTS, rng.choice((0, 0, 1, 3)))}
    # Without the envelope's clock the time is known to the second, and after the rows were read: an overlap bears it.
    overlap = rng.choice((0.0, 1.0, 60.0, 600.0)) if clock == "meta" else rng.choice((60.0, 600.0))
    switches["clock_offset_seconds"] = rng.choice((0.0, 0.0, 0.0, -3600.0, overlap / 2))
    deletes, page_rows = rng.random() < 0.7, rng.choice((20, 20, 100))
    # More than a page's rows would keep an incremental pass from ending.
    churn = {"churn_per_page": rng.choice((1, 3, page_rows // 5)), "churn_creates_per_page": rng.choice((0, 1))}
    churn["churn_deletes_per_page"] = rng.choice((0, 1)) if deletes else 0
    start = BORN - timedelta(days=rng.choice((30, 200)), microseconds=rng.getrandbits(30))
    start_date = start if rng.random() < 0.25 else None
    key = rng.choice((TEST_KEY, LIVE_KEY))
    return Habits(switches, faults, churn, key, overlap, start_date, deletes, page_rows)


class Versions:
    """Every version of every row that the API ever held.

    Args:
        world: Whose rows are watched from now on.
    """

    def __init__(self, world: World) -> None:
        self._known: dict[str, dict[str, list[Row]]] = {name: {} for name in RESOURCES}
        for name in RESOURCES:
            self._watch(world, name)

    def _watch(self, world: World, name: str) -> None:
        table, known = world.table(name), self._known[name]
        put = table.put
        for row in world.rows(name):
            known[row["id"]] = [row]

        def put_and_note(row: Row) -> Any:
            known.setdefault(row["id"], []).append(row)
            return put(row)

        table.put = put_and_note  # type: ignore[method-assign]

    def of(self, resource: str, identity: str) -> list[Row]:
        """A row's versions, the oldest first."""
        return self._known[resource].get(identity, [])

    def at(self, resource: str, identity: str, updated_at: datetime | None) -> Row | None:
        """A row as it was from an instant on."""
        found = [row for row in self.of(resource, identity) if instant(row.get("updated_at")) == updated_at]
        return found[-1] if found else None


@dataclass
class Writer:
    """Changes the world as an account's people do.

    Attributes:
        world: What is changed.
        rng: What is drawn from.
        clock: The server's.
        deletes: Whether rows vanish.
        most_ties: So many rows share a timestamp at most.
        graveyard: Rows that vanished, by resource.
        revived: Keys of rows that came back just as they were, which no filter by time shows.
    """

    world: World
    rng: random.Random
    clock: Clock
    deletes: bool
    most_ties: int
    graveyard: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in RESOURCES})
    revived: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in RESOURCES})

    def write(self) -> str:
        """Make a few changes; returns what they were."""
        does: list[Callable[[], str]] = [self.change, self.change, self.create, self.change_at_once, self.live]
        does += [self.delete, self.delete, self.revive, self.recreate] if self.deletes else []
        return "write: " + "; ".join(does[self.rng.randrange(len(does))]() for _ in range(self.rng.randint(1, 5)))

    def change(self) -> str:
        """Change some rows, one after another."""
        resource = self.rng.choice(RESOURCES)
        keys = self._draw(resource, 30)
        for key in keys:
            self.world.patch(resource, key, **self._draw_fields(resource))
        return f"change {len(keys)} {resource}"

    def change_at_once(self) -> str:
        """Change many rows, all at one instant."""
        resource = self.rng.choice(DATED)
        keys = self._draw(resource, self.most_ties)
        self._pass_a_second()
        stamp = self.clock.now.isoformat()
        for key in keys:
            self.world.patch(resource, key, updated_at=stamp, **self._draw_fields(resource))
        self._pass_a_second()
        return f"change {len(keys)} {resource} at once"

    def create(self) -> str:
        """Add rows."""
        resource, count = self.rng.choice(DATED), self.rng.randint(1, 40)
        self.world.churn(resource, created=count)
        if self.rng.random() < 0.3:
            identity = f"wh_{self.rng.getrandbits(40):010x}"
            self.world.put("warehouses", {"id": identity, "name": "new", "type": "x", "status": "connected"})
        return f"create {count} {resource}"

    def live(self) -> str:
        """Let people work for an hour."""
        self.clock.seconds += 3600
        self.world.advance(self.clock.now, created=self.rng.randint(0, 20), changed=self.rng.randint(0, 40))
        return "live"

    def delete(self) -> str:
        """Take rows away."""
        resource = self.rng.choice(RESOURCES)
        keys = self._draw(resource, 2 if resource == "warehouses" else 25)
        rows = {row["id"]: row for row in self.world.rows(resource)}
        for key in keys:
            self.graveyard[resource].append(rows[key])
            self.world.delete(resource, key)
        return f"delete {len(keys)} {resource}"

    def revive(self) -> str:
        """Bring rows back that had vanished, just as they were or changed."""
        resource, changed = self.rng.choice(RESOURCES), self.rng.random() < 0.3
        grave = self.graveyard[resource]
        rows = [grave.pop(self.rng.randrange(len(grave))) for _ in range(min(len(grave), self.rng.randint(1, 8)))]
        for row in rows:
            self.world.put(resource, row)
            if changed:
                self.world.patch(resource, row["id"], **self._draw_fields(resource))
            else:
                self.revived[resource].add(row["id"])
        return f"revive {len(rows)} {resource}{' changed' * changed}"

    def recreate(self) -> str:
        """Bring rows back under their old keys, as new ones."""
        resource = self.rng.choice(DATED)
        grave = self.graveyard[resource]
        rows = [grave.pop() for _ in range(min(len(grave), 3))]
        for row in rows:
            self._pass_a_second()
            stamp = self.clock.now.isoformat()
            self.world.put(resource, row | {"created_at": stamp, "updated_at": stamp, **self._draw_fields(resource)})
        self._pass_a_second()
        return f"recreate {len(rows)} {resource}"

    def tie(self) -> str:
        """Give many rows one time of creation, as an import does."""
        resource, field_name = self.rng.choice(DATED), self.rng.choice(("created_at", "both"))
        rows = self.world.rows(resource)
        first = self.rng.randrange(len(rows))
        for row in rows[first : first + self.most_ties]:
            stamps = {"created_at": rows[first]["created_at"]}
            if field_name == "both":
                stamps["updated_at"] = rows[first]["created_at"]
            self.world.put(resource, row | stamps)
        return f"tie {field_name} of {min(self.most_ties, len(rows) - first)} {resource}"

    def _draw(self, resource: str, most: int) -> list[str]:
        keys = [row["id"] for row in self.world.rows(resource)]
        least = min(len(keys), most)
        return self.rng.sample(keys, self.rng.randint(1, least)) if keys else []

    def _draw_fields(self, resource: str) -> Row:
        note = f"soak {self.rng.getrandbits(32):08x}"
        if resource == "warehouses":
            return {"status": self.rng.choice(("connected", "disconnected")), "name": note}
        if resource == "tickets":
            items = [f"{note} {number}" for number in range(self.rng.choice((0, 0, 1, 4)))]
            return {"notes": note, "action_items": items, "status": self.rng.choice(("open", "completed"))}
        findings = [note] * self.rng.choice((0, 1, 3))
        summary = {"total_queries": 1, "total_insights": len(findings), "key_findings": findings}
        return {"metadata": {"note": note}, "summary": self.rng.choice((None, summary))}

    def _pass_a_second(self) -> None:
        self.clock.seconds += 1
