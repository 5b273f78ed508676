"""Puts a mutant in place of the code: inside a function that is imported, or in a module that is yet to be."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.mutation.places import Mutant, change_module


def swap_function(mutant: Mutant) -> None:
    """Change a function of an imported module, for all who hold it."""
    function = find_function(sys.modules[mutant.module], mutant.function)
    code = _find_code(_compile(mutant), mutant.function, function.__code__.co_firstlineno)
    assert code.co_freevars == function.__code__.co_freevars
    function.__code__ = code


def swap_module(mutant: Mutant) -> None:
    """Change a module before it is imported."""
    assert mutant.module not in sys.modules
    sys.meta_path.insert(0, MutantFinder(mutant))


class MutantFinder(PathFinder):
    """Imports one module with its change.

    Args:
        mutant: The change.
    """

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(  # type: ignore[override]
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of the changed module; none for others."""
        if fullname != self._mutant.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        spec.loader = MutantLoader(self._mutant)
        return spec


class MutantLoader(SourceFileLoader):
    """Compiles a module with its change.

    Args:
        mutant: The change.
    """

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module, str(mutant.path))
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """The code of the changed module."""
        return _compile(self._mutant)


def _compile(mutant: Mutant) -> CodeType:
    code: CodeType = compile(change_module(mutant), str(mutant.path), "exec", dont_inherit=True)
    return code


def find_function(module: ModuleType, name: str) -> FunctionType:
    """A function or method by its dotted name, without its decorators."""
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    while not isinstance(found, FunctionType) or hasattr(found, "__wrapped__"):
        found = next(getattr(found, inside) for inside in ("__wrapped__", "__func__", "fget") if hasattr(found, inside))
    return found


def _find_code(module: CodeType, name: str, line: int) -> CodeType:
    return next(code for code in _walk(module) if code.co_qualname == name and code.co_firstlineno == line)


def _walk(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk(constant)
