"""A small file that keeps a world's seed, sizes and turns, so that the next process continues it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cogny_source.sandbox.world import World


@dataclass(frozen=True)
class History:
    """What is needed to make the same world again.

    Attributes:
        seed: The seed of the world.
        tickets: How many tickets it began with.
        reports: How many reports.
        warehouses: How many warehouses.
        born_at: When it began, in ISO 8601.
        turns: When it was advanced, in ISO 8601.
    """

    seed: int
    tickets: int
    reports: int | None
    warehouses: int | None
    born_at: str
    turns: tuple[str, ...] = ()

    def rebuild(self) -> World:
        """The world after its last turn; its time stands still."""
        born_at = datetime.fromisoformat(self.born_at)
        world = World(self.seed, self.tickets, self.reports, self.warehouses, now=born_at)
        for turn in self.turns:
            world.advance(datetime.fromisoformat(turn))
        return world

    def with_turn(self, moment: datetime) -> History:
        """The history with one more turn."""
        return History(**asdict(self) | {"turns": (*self.turns, moment.astimezone(UTC).isoformat())})

    def save(self, path: Path) -> None:
        """Write the history atomically: a reader sees the old file or the new one, never a part."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> History:
        """Read a history.

        Raises:
            ValueError: If the file holds no history.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(**content | {"turns": tuple(content["turns"])})
        except (KeyError, TypeError, json.JSONDecodeError) as exc:
            raise ValueError(f"{path.name} does not hold the history of a world") from exc


def live_on(path: Path, fresh: History, now: datetime) -> World:
    """Continue the world of a file, one turn later, or begin a new one; the file keeps it.

    Args:
        path: The file, which need not exist yet.
        fresh: The history of a new world, where it does not.
        now: When the next turn ends.
    """
    history = History.load(path).with_turn(now) if path.exists() else fresh
    world = history.rebuild()
    history.save(path)
    return world
