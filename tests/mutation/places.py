"""The places where the reading can be broken: a mutant is one change of one expression of `extract` or `reconcile`."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("extract", "reconcile")
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Beside the point: messages, types, and the defaults of parameters, which each caller gives or tests read.
LEFT_OUT = (ast.Raise, ast.JoinedStr, ast.arguments, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        module: The module's dotted name.
        number: The number of the place in it.
        function: The outermost function or method that holds the place, dotted; empty outside of functions.
        line: The place's line.
        change: What is changed to what; numbered where it occurs more than once in the function.
    """

    module: str
    number: int
    function: str
    line: int
    change: str

    @property
    def name(self) -> str:
        """A name that holds while other code changes."""
        return f"{self.module.removeprefix('cogny_source.')} {self.function or 'module'}: {self.change}"

    @property
    def folder(self) -> str:
        """The module's folder."""
        return self.module.split(".")[1]

    @property
    def path(self) -> Path:
        """The module's file."""
        return find_path(self.module)


class Mutator(ast.NodeTransformer):
    """Changes one place of a module, and lists all.

    Args:
        module: The module's dotted name.
        chosen: The place to change; None for none.
    """

    def __init__(self, module: str, chosen: int | None = None) -> None:
        self._module = module
        self._chosen = chosen
        self._scope: list[str] = []
        self._in_function = False
        self._changes: Counter[tuple[str, str]] = Counter()
        self.mutants: list[Mutant] = []

    def visit(self, node: ast.AST) -> ast.AST:
        """Change a node if it is the chosen place."""
        if _is_beside_the_point(node):
            return node
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            self._visit_scope(node)
            return node
        for change in _propose(node):
            self._note(node, change)
            if self._chosen == len(self.mutants) - 1:
                return ast.copy_location(change, node)
        return self.generic_visit(node)

    def _visit_scope(self, node: ast.ClassDef | ast.FunctionDef) -> None:
        """Visit the body, without decorators and parameters; an inner function belongs to the outermost one."""
        outermost = not self._in_function
        if outermost:
            self._scope.append(node.name)
            self._in_function = isinstance(node, ast.FunctionDef)
        node.body = [self.visit(child) for child in node.body]  # type: ignore[misc]
        if outermost:
            self._scope.pop()
            self._in_function = False

    def _note(self, node: ast.AST, change: ast.expr) -> None:
        function = ".".join(self._scope) if self._in_function else ""
        told = f"{_show(node)} -> {_show(change)}"
        self._changes[function, told] += 1
        if (times := self._changes[function, told]) > 1:
            told += f" ({times})"
        self.mutants.append(Mutant(self._module, len(self.mutants), function, getattr(node, "lineno", 0), told))


def _is_beside_the_point(node: ast.AST) -> bool:
    """Whether a node is a log line, a text, a type, or `strict`, which asserts what always holds."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    call = node.value if isinstance(node, ast.Expr) else node
    is_text = isinstance(call, ast.Constant) and isinstance(call.value, str)
    is_log = isinstance(call, ast.Call) and ast.unparse(call.func).startswith(("logger.", "logging."))
    is_strict = isinstance(node, ast.keyword) and node.arg == "strict"
    return is_text or is_log or is_strict or isinstance(node, LEFT_OUT)


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
    return " ".join(ast.unparse(node).split())[:100]


def list_modules() -> list[str]:
    """The modules of the folders, dotted."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / "cogny_source" / folder).glob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths if path.stem != "__init__"]


def list_mutants() -> list[Mutant]:
    """All mutants of the folders."""
    found: list[Mutant] = []
    for module in list_modules():
        mutator = Mutator(module)
        mutator.visit(_parse(module))
        found += mutator.mutants
    return found


def change_module(mutant: Mutant) -> ast.Module:
    """The module with its change."""
    tree = Mutator(mutant.module, mutant.number).visit(_parse(mutant.module))
    assert isinstance(tree, ast.Module)
    return ast.fix_missing_locations(tree)


def find_path(module: str) -> Path:
    """The file of a module."""
    return ROOT / Path(*module.split(".")).with_suffix(".py")


def _parse(module: str) -> ast.Module:
    return ast.parse(find_path(module).read_text(encoding="utf-8"))
