"""What a benchmark brings: figures of processes, facts besides, and whether its targets were met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from measuring import Cost


@dataclass(frozen=True)
class Figure:
    """What one process took.

    Attributes:
        program: Which program.
        what: Of what it did.
        tickets: How many tickets the API had.
        wall: Seconds.
        cpu: Seconds.
        memory: Megabytes.
    """

    program: str
    what: str
    tickets: int
    wall: float
    cpu: float
    memory: float


@dataclass
class Figures:
    """What one benchmark measured.

    Attributes:
        measured: A figure for each process.
        facts: Numbers and texts of another kind, by name.
        missing: What was not measured, and why.
    """

    measured: list[Figure] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(self, program: str, what: str, tickets: int, cost: Cost) -> None:
        """Note what a process took, and show it."""
        self.measured.append(Figure(program, what, tickets, cost.wall, cost.cpu, cost.memory))
        cells = f"{cost.wall:8.2f} s {cost.cpu:8.2f} s CPU {cost.memory:7.0f} MB"
        print(f"{program:26} {what:24} {tickets:>9,} tickets {cells}", flush=True)

    def miss(self, reason: str) -> None:
        """Note what is not measured, and show it."""
        if reason not in self.missing:
            self.missing.append(reason)
            print(reason, flush=True)

    def find(self, program: str, what: str, tickets: int | None = None) -> Figure | None:
        """The figure of a program; that of the most tickets unless told."""
        found = [f for f in self.measured if (f.program, f.what) == (program, what) and tickets in (None, f.tickets)]
        return max(found, key=lambda figure: figure.tickets, default=None)

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Figures:
        """From a file."""
        return cls([Figure(**item) for item in content["measured"]], content["facts"], content["missing"])


@dataclass(frozen=True)
class Verdict:
    """A target beside what was measured."""

    target: str
    measured: str
    is_met: bool


@dataclass(frozen=True)
class Sizes:
    """Sizes, divided for a quick try.

    Attributes:
        divisor: 1 for what is to be published.
    """

    divisor: int = 1

    def of(self, size: int) -> int:
        """A size to be measured."""
        return max(1, size // self.divisor)


@dataclass(frozen=True)
class Benchmark:
    """One question to the clock.

    Attributes:
        name: For the command line.
        title: A heading.
        method: What is done, in a sentence or two.
        run: Measures.
        tabulate: The lines of a table, from figures that may stem from an earlier day.
        judge: Holds the figures against the targets.
    """

    name: str
    title: str
    method: str
    run: Callable[[Sizes], Figures]
    tabulate: Callable[[Figures], list[str]]
    judge: Callable[[Figures], list[Verdict]]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown; numbers stand right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows)]


def cost_cells(figure: Figure | None) -> str:
    """Wall, CPU and memory in one cell."""
    return "" if figure is None else f"{figure.wall:.1f} / {figure.cpu:.1f} / {figure.memory:.0f}"


def compare(name: str, ours: Figure | None, theirs: Figure | None, most: float) -> list[Verdict]:
    """Hold the ratio of two wall times against the most that it may be; nothing where one was not measured."""
    if ours is None or theirs is None:
        return []
    ratio = ours.wall / theirs.wall
    return [Verdict(name, f"{ratio:.2f} ({ours.wall:.1f} s / {theirs.wall:.1f} s)", ratio <= most)]
