"""`python -m tests.simulation.mutants` breaks the reading in one place at a time, and tells which breaks no world sees.

Each mutant is one change of one expression. It is played in a process that is forked from one that has imported all
other packages, and counts as seen at the first world that fails, needs more than the next sync where it did not
before, or takes far more requests.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from random import Random
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[2]
FOLDERS = ("extract", "reconcile")
# Its stand-in is played instead; `test_stand_ins.py` holds both against each other.
NOT_PLAYED = ("comparison",)
# Imported before the fork: they take seconds.
HEAVY = ("dlt", "dlt.destinations", "duckdb", "pyarrow.compute", "orjson", "requests", "filelock", "sqlglot", "click")
WORLDS = 300
TIME_OUT_SECONDS = 150
# A mutant that takes this many times the requests is seen.
REQUESTS_GROWTH = 1.5
SEEN, UNSEEN = 0, 3
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip
TOLD = (ast.Raise, ast.JoinedStr, ast.arguments, ast.Import, ast.ImportFrom)
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        module: The module's dotted name.
        number: The number of the place in it.
        told: Line, and what is changed to what.
    """

    module: str
    number: int
    told: str


class Mutator(ast.NodeTransformer):
    """Changes one place of a module, and lists all.

    Args:
        chosen: The place to change; None for none.
    """

    def __init__(self, chosen: int | None = None) -> None:
        self._chosen = chosen
        self.places: list[str] = []

    def visit(self, node: ast.AST) -> ast.AST:
        """Change a node if it is the chosen place."""
        if _is_beside_the_point(node):
            return node
        if isinstance(node, ast.FunctionDef):
            node.body = [self.visit(child) for child in node.body]  # type: ignore[misc]
            return node
        for change in _propose(node):
            self.places.append(f"line {getattr(node, 'lineno', 0)}: {_show(node)} -> {_show(change)}")
            if self._chosen == len(self.places) - 1:
                return ast.copy_location(change, node)
        return self.generic_visit(node)


def _is_beside_the_point(node: ast.AST) -> bool:
    """Whether a node is a log line, a text, or a type."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    call = node.value if isinstance(node, ast.Expr) else node
    is_text = isinstance(call, ast.Constant) and isinstance(call.value, str)
    is_log = isinstance(call, ast.Call) and ast.unparse(call.func).startswith(("logger.", "logging."))
    return (
        is_text or is_log or isinstance(node, ast.Raise | ast.JoinedStr | ast.arguments | ast.Import | ast.ImportFrom)
    )


def _propose(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPS:
        yield ast.Compare(node.left, [SWAPS[type(node.ops[0])]()], node.comparators)  # type: ignore[list-item]
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(SWAPS[type(node.op)](), node.values)  # type: ignore[arg-type]
    elif isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        yield ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)  # type: ignore[arg-type]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
        yield ast.Call(ast.Name(NAMES[node.func.id], ast.Load()), node.args, node.keywords)
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse


def _show(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:70]


def list_mutants() -> list[Mutant]:
    """All mutants of the folders."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / "cogny_source" / folder).glob("*.py")):
        mutator = Mutator()
        mutator.visit(ast.parse(path.read_text(encoding="utf-8")))
        if path.stem in NOT_PLAYED:
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found += [Mutant(module, number, told) for number, told in enumerate(mutator.places)]
    return found


class MutantFinder(PathFinder):
    """Imports one module with its change."""

    mutant: Mutant | None = None

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of the changed module; none for others."""
        if cls.mutant is None or fullname != cls.mutant.module:
            return None
        spec = super().find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = MutantLoader(fullname, spec.origin)
        return spec


class MutantLoader(SourceFileLoader):
    """Compiles a module with its change."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the changed module."""
        assert MutantFinder.mutant is not None
        tree = Mutator(MutantFinder.mutant.number).visit(ast.parse(Path(self.path).read_text(encoding="utf-8")))
        assert isinstance(tree, ast.Module)
        code: CodeType = compile(ast.fix_missing_locations(tree), self.path, "exec")
        return code


def is_seen(mutant: Mutant | None, known: list[tuple[tuple[str, ...], int]]) -> bool:
    """Whether a world shows the change; fills `known` where there is none."""
    from tests.simulation.draw import draw_scenario
    from tests.simulation.judge import judge
    from tests.simulation.play import simulated

    requests = before = 0
    with simulated():
        for seed in range(WORLDS):
            verdict = judge(draw_scenario(seed))
            if mutant is None:
                assert verdict.failure is None, verdict.told
                known.append((verdict.limits, verdict.requests))
                continue
            limits, usual = known[seed]
            requests, before = requests + verdict.requests, before + usual
            if verdict.failure is not None or {*verdict.limits} - {*limits}:
                return True
    return mutant is not None and requests > REQUESTS_GROWTH * before


def _try(mutant: Mutant, known: list[tuple[tuple[str, ...], int]]) -> int:
    """Play a mutant in a fork; returns the exit code."""
    process = os.fork()
    if process:
        return process
    signal.alarm(TIME_OUT_SECONDS)  # a mutant that never ends is seen
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    MutantFinder.mutant = mutant
    sys.meta_path.insert(0, MutantFinder)
    try:
        seen = is_seen(mutant, known)
    except BaseException:  # noqa: BLE001  a module that cannot be imported is seen too
        seen = True
    os._exit(SEEN if seen else UNSEEN)


def _measure() -> list[tuple[tuple[str, ...], int]]:
    """The classes and requests of each world without a change, from a process of its own."""
    import pickle

    read, write = os.pipe()
    if not os.fork():
        known: list[tuple[tuple[str, ...], int]] = []
        is_seen(None, known)
        with os.fdopen(write, "wb") as file:
            pickle.dump(known, file)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        found: list[tuple[tuple[str, ...], int]] = pickle.load(file)
    os.wait()
    return found


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, help="play some mutants, drawn by lot")
    parser.add_argument("--seed", type=int, default=0, help="what decides which")
    parser.add_argument("--only", default="", help="a part of the module's name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    mutants = [mutant for mutant in list_mutants() if options.only in mutant.module]
    if options.sample and options.sample < len(mutants):
        mutants = Random(options.seed).sample(mutants, options.sample)
    for name in HEAVY:
        importlib.import_module(name)
    began, known = time.monotonic(), _measure()
    running: dict[int, Mutant] = {}
    unseen: list[Mutant] = []
    waiting = iter(mutants)
    while True:
        while len(running) < (options.jobs or 1) and (mutant := next(waiting, None)) is not None:
            running[_try(mutant, known)] = mutant
        if not running:
            break
        process, status = os.wait()
        mutant = running.pop(process)
        if os.waitstatus_to_exitcode(status) == UNSEEN:
            unseen.append(mutant)
            print(f"not seen: {mutant.module} {mutant.told}", flush=True)
    seen = len(mutants) - len(unseen)
    share = 100 * seen / max(1, len(mutants))
    print(f"{seen} of {len(mutants)} mutants are seen ({share:.0f} %) in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
