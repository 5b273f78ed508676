"""Fields that no column declares: the most frequent ones by name, and the number of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cogny_source.plain_text import cut_text
from cogny_source.records.columns import dump_json

NAMES_KEPT = 100
NAMES_REPORTED = 10
# The most fields without a name that are counted exactly: an API that turns values into field names has no end of them.
FURTHER_COUNTED = 500_000
NAME_CHARACTERS = 200
FURTHER = "… further fields"


class Undeclared(Counter[str]):
    """The most frequent undeclared fields, each to the number of rows that have it.

    Args:
        fields: The initial counts.

    Attributes:
        reported: How many fields `observe` has returned by name.
    """

    def __init__(self, fields: Mapping[str, int] | None = None) -> None:
        super().__init__(fields or {})
        self.reported = 0
        self._further: set[int] = set()

    @property
    def further(self) -> int:
        """How many fields are not kept by name."""
        return len(self._further)

    def describe_others(self, named: int) -> str | None:
        """How many fields there are beyond `named`, in words; None if there are no more."""
        others = len(self) + self.further - named
        if others <= 0:
            return None
        at_least = "more than " if self.further >= FURTHER_COUNTED else ""
        return f"{at_least}{others:,} further field{'' if others == 1 else 's'}"

    def observe(self, fields: Mapping[str, int]) -> list[str]:
        """Count the fields of a chunk.

        Args:
            fields: Field to the number of rows that have it.

        Returns:
            The names of new fields to report, up to `NAMES_REPORTED` over all calls.
        """
        cut: Counter[str] = Counter()
        for name, rows in fields.items():
            cut[cut_text(name, NAME_CHARACTERS)] += rows
        new = sorted(name for name in cut.keys() - self.keys() if hash(name) not in self._further)
        reported = new[: NAMES_REPORTED - self.reported]
        self.reported += len(reported)
        self.update(cut)
        if len(self) > NAMES_KEPT:
            self._drop_rare()
        return reported

    def as_json(self) -> str | None:
        """The fields as JSON for `sync_runs`; None if there are none."""
        if not self:
            return None
        return dump_json({**self, FURTHER: self.further} if self.further else dict(self))

    def _drop_rare(self) -> None:
        """Keep the most frequent fields by name, and the number of the others."""
        ranked = sorted(self.items(), key=lambda field: (-field[1], field[0]))
        for name, _ in ranked[NAMES_KEPT:]:
            del self[name]
            if len(self._further) < FURTHER_COUNTED:
                self._further.add(hash(name))
        self._further.difference_update(map(hash, self))
