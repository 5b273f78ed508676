"""Where the tests lie: the test of a module is found by its name."""

from __future__ import annotations

from pathlib import Path

from tests.support.syncs import ROOT

UNIT = ROOT / "tests" / "unit"
PIPELINES = "pipelines"
# What tests of several modules of a folder are named after, beside modules.
LEDGERS = {"test_http_internals"}


def find_modules(test: Path) -> list[Path]:
    """The modules that a file of tests can be named after: `test_listing` or `test_listing_order` after `listing`."""
    folder = test.relative_to(UNIT).parent
    code = ROOT / folder if folder.parts[:1] == (PIPELINES,) else ROOT / "cogny_source" / folder
    name = test.stem.removeprefix("test_")
    modules = [(path, path.stem.strip("_")) for path in code.glob("*.py") if path.stem != "__init__"]
    return [path for path, module in modules if name == module or name.startswith(f"{module}_")]


def test_unit_tests_mirror_the_package() -> None:
    """Each file of `tests/unit` lies where its module lies, and is named after it."""
    tests = sorted(UNIT.rglob("test_*.py"))
    assert len(tests) > 50
    assert [str(test.relative_to(UNIT)) for test in tests if test.stem not in LEDGERS and not find_modules(test)] == []
