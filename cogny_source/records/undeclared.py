"""The fields that no column declares: told of and kept by name as long as they are few, and counted beyond that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cogny_source.plain_text import cut_text
from cogny_source.records.columns import dump_json

NAMES_KEPT = 100
NAMES_TOLD = 10
# So many that are not kept by name are told apart; an API that makes a field of each value has no end of them.
FURTHER_COUNTED = 500_000
NAME_CHARACTERS = 200
# A name that no field has: the API's are cut to fewer characters.
FURTHER = "… further fields"


class Undeclared(Counter[str]):
    """Field to the number of rows that brought it, of the fields that came most.

    Args:
        fields: What it begins with.

    Attributes:
        told: How many were told of, one by one.
    """

    def __init__(self, fields: Mapping[str, int] | None = None) -> None:
        super().__init__(fields or {})
        self.told = 0
        self._further: set[int] = set()

    @property
    def further(self) -> int:
        """How many other fields came."""
        return len(self._further)

    def describe_others(self, named: int) -> str | None:
        """How many fields there are beyond those that were named, in words; None where there are none."""
        others = len(self) + self.further - named
        if others <= 0:
            return None
        at_least = "more than " if self.further >= FURTHER_COUNTED else ""
        return f"{at_least}{others:,} further field{'' if others == 1 else 's'}"

    def take(self, fields: Mapping[str, int]) -> list[str]:
        """Count the fields of a chunk.

        Returns:
            Those of them that are to be told of, by name.
        """
        cut: Counter[str] = Counter()
        for name, rows in fields.items():
            cut[cut_text(name, NAME_CHARACTERS)] += rows
        news = sorted(name for name in cut.keys() - self.keys() if hash(name) not in self._further)
        told = news[: NAMES_TOLD - self.told]
        self.told += len(told)
        self.update(cut)
        if len(self) > NAMES_KEPT:
            self._let_go()
        return told

    def as_json(self) -> str | None:
        """The fields as `sync_runs` keeps them; None where there are none."""
        if not self:
            return None
        return dump_json({**self, FURTHER: self.further} if self.further else dict(self))

    def _let_go(self) -> None:
        """Keep the fields that came most by name, and only the number of the others."""
        ranked = sorted(self.items(), key=lambda field: (-field[1], field[0]))
        for name, _ in ranked[NAMES_KEPT:]:
            del self[name]
            if len(self._further) < FURTHER_COUNTED:
                self._further.add(hash(name))
        self._further.difference_update(map(hash, self))
