"""Try the newest release of each dependency, past the upper bounds of pyproject.toml, and tell which bounds can go.

    python -m tests.project.newest ENVIRONMENT pytest-argument…

Each try installs into the environment again: with all bounds lifted; where tests fail so, these tests with each bound
alone; and at last all tests with those lifted that can go.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
LOWER = (">", ">=", "!=")
PIN = "=="
ITSELF = "cogny-source"
LIFT, KEEP, NOTHING_NEWER = "the bound can go", "the bound stays: tests fail", "no release past the bound"


@dataclass(frozen=True)
class Bound:
    """An upper bound on a dependency.

    Attributes:
        name: The dependency.
        allowed: The versions that pyproject.toml allows.
        extras: Its extras that are asked for anywhere.
    """

    name: str
    allowed: SpecifierSet
    extras: frozenset[str] = frozenset()

    @property
    def lifted(self) -> str:
        """The requirement without the upper bound."""
        lower = ",".join(sorted(str(part) for part in self.allowed if part.operator in LOWER))
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        return f"{self.name}{extras}{lower}"


@dataclass(frozen=True)
class Trial:
    """What came of a try.

    Attributes:
        versions: The versions that were installed, by dependency.
        passed: Whether the tests passed.
        failed: The tests that failed; may be empty though the trial failed, as where nothing could be imported.
    """

    versions: dict[str, str]
    passed: bool
    failed: tuple[str, ...] = ()


# Tries some tests, or all where none is named, with some bounds lifted.
Try = Callable[[Sequence[Bound], Sequence[str]], Trial]


def list_bounds(project: dict[str, object]) -> list[Bound]:
    """The upper bounds of a project's table in pyproject.toml, by name; of several for one dependency all hold.

    A version that is pinned is meant, and is none.
    """
    extras = project.get("optional-dependencies", {})
    assert isinstance(extras, dict)
    texts = [*project["dependencies"], *(text for group in extras.values() for text in group)]  # type: ignore[misc]
    found: dict[str, Bound] = {}
    for asked in map(Requirement, texts):
        before = found.get(asked.name, Bound(asked.name, SpecifierSet()))
        parts = {str(part) for part in (*before.allowed, *asked.specifier)}
        found[asked.name] = Bound(asked.name, SpecifierSet(",".join(sorted(parts))), before.extras | asked.extras)
    bounded = [bound for bound in found.values() if bound.name != ITSELF and _has_upper_bound(bound.allowed)]
    return sorted(bounded, key=lambda bound: bound.name)


def _has_upper_bound(allowed: SpecifierSet) -> bool:
    operators = {part.operator for part in allowed}
    return PIN not in operators and not operators <= set(LOWER)


def judge(bounds: Sequence[Bound], try_with: Try) -> tuple[dict[str, tuple[str, str]], bool]:
    """Find which bounds can go.

    Returns:
        Newest version and verdict by dependency, and whether all tests pass with the bounds lifted that can go.
    """
    together = try_with(bounds, ())
    versions = together.versions
    past = [bound for bound in bounds if versions[bound.name] not in bound.allowed]
    lifted, works = past, together.passed
    if not together.passed:
        lifted = [bound for bound in past if try_with([bound], together.failed).passed]
        works = try_with(lifted, ()).passed
    verdicts = {bound.name: (versions[bound.name], NOTHING_NEWER) for bound in bounds}
    for bound in past:
        verdicts[bound.name] = (versions[bound.name], LIFT if bound in lifted and works else KEEP)
    return verdicts, works


def _try_in(environment: Path, arguments: Sequence[str], bounds: Sequence[Bound], tests: Sequence[str]) -> Trial:
    """Install into an environment with some bounds lifted, and run the tests, or all where none is named."""
    python = environment / "bin" / "python"
    print(f"== with {', '.join(bound.lifted for bound in bounds) or 'no bound'} lifted", flush=True)
    overrides = environment / "overrides.txt"
    overrides.write_text("".join(f"{bound.lifted}\n" for bound in bounds))
    install = ["pip", "install", "--quiet", "--upgrade", "--compile-bytecode", "--python", str(python)]
    uv = environment / "bin" / "uv"
    subprocess.run([uv, *install, "--override", str(overrides), "--editable", ".[dev]"], cwd=ROOT, check=True)
    names = [bound.name for bound in list_bounds(_read_project())]
    ask = f"from importlib.metadata import version; print(*map(version, {names!r}), sep='\\n')"
    told = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.split()
    cache = environment / "pytest_cache"
    shutil.rmtree(cache, ignore_errors=True)
    done = subprocess.run([python, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments, *tests], cwd=ROOT)
    noted = cache / "v" / "cache" / "lastfailed"
    failed = tuple(json.loads(noted.read_text(encoding="utf-8"))) if noted.exists() else ()
    return Trial(dict(zip(names, told, strict=True)), done.returncode == 0, failed)


def _read_project() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def main() -> int:
    """Print a line for each upper bound; fail where tests fail with the bounds lifted that can go."""
    environment, arguments = Path(sys.argv[1]), sys.argv[2:]
    bounds = list_bounds(_read_project())
    verdicts, works = judge(bounds, lambda *tried: _try_in(environment, arguments, *tried))
    for bound in bounds:
        newest, verdict = verdicts[bound.name]
        print(f"{bound.name:14} {bound.allowed!s:22} newest {newest:12} {verdict}")
    print(f"the tests {'pass' if works else 'FAIL'} with the newest releases that can be used")
    return 0 if works else 1


if __name__ == "__main__":
    sys.exit(main())
