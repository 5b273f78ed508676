"""What `make test-newest` concludes from the tests that it runs."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.specifiers import SpecifierSet

from tests.project.newest import KEEP, LIFT, NOTHING_NEWER, Bound, Trial, judge, list_bounds

NEWEST = {"one": "3.0", "other": "2.5", "third": "1.9"}
BOUNDS = [Bound("one", SpecifierSet("<3,>=1")), Bound("other", SpecifierSet("<2")), Bound("third", SpecifierSet("<2"))]
WITHIN = {"one": "2.9", "other": "1.9", "third": "1.9"}


FAILED = ("tests/unit/test_a.py::test_x",)

# What was tried: the bounds that were lifted, and the tests, or none for all.
Tried = list[tuple[list[str], tuple[str, ...]]]


def judge_where(*broken: str, in_bounds: bool = True) -> tuple[dict[str, tuple[str, str]], bool, Tried]:
    """Judge where the tests fail with the newest release of some; also what was tried."""
    tried: Tried = []

    def try_with(bounds: Sequence[Bound], tests: Sequence[str]) -> Trial:
        names = [bound.name for bound in bounds]
        tried.append((names, tuple(tests)))
        versions = {**WITHIN, **{name: NEWEST[name] for name in names}}
        passed = in_bounds and not set(broken) & set(names)
        return Trial(versions, passed, () if passed else FAILED)

    return *judge(BOUNDS, try_with), tried


def test_upper_bounds_are_found() -> None:
    """Of all extras, with the extras that are asked for; one without an upper bound is none, nor is a pin."""
    found = list_bounds(
        {
            "dependencies": ["dlt>=1.31,<1.32", "pyarrow>=18", "sqlglot<30.22", "mermaidx==0.10.1"],
            "optional-dependencies": {"bigquery": ["dlt[bigquery]>=1.31,<1.32"], "dev": ["cogny-source[bigquery]"]},
        }
    )
    assert [bound.lifted for bound in found] == ["dlt[bigquery]>=1.31", "sqlglot"]


def test_all_bounds_can_go_where_the_tests_pass_without_them() -> None:
    """One run shows it."""
    verdicts, works, tried = judge_where()
    assert verdicts == {"one": ("3.0", LIFT), "other": ("2.5", LIFT), "third": ("1.9", NOTHING_NEWER)}
    assert works
    assert tried == [(["one", "other", "third"], ())]


def test_tests_that_failed_are_tried_with_each_bound_alone() -> None:
    """Then all tests with those that can go, together."""
    verdicts, works, tried = judge_where("other")
    assert verdicts == {"one": ("3.0", LIFT), "other": ("2.5", KEEP), "third": ("1.9", NOTHING_NEWER)}
    assert works
    assert tried[1:] == [(["one"], FAILED), (["other"], FAILED), (["one"], ())]


def test_newest_releases_within_the_bounds_are_tried_where_none_can_go() -> None:
    """So that a run tells a bound that is needed from a dependency without one that broke."""
    verdicts, works, tried = judge_where("one", "other")
    assert {verdict for _, verdict in verdicts.values()} == {KEEP, NOTHING_NEWER}
    assert works
    assert tried[-1] == ([], ())
    assert judge_where("one", "other", in_bounds=False)[1] is False


def test_no_bound_can_go_where_the_rest_fails_without_it() -> None:
    """Bounds that pass alone what failed, but fail another test."""
    trials = iter([Trial(NEWEST, False, FAILED), Trial(NEWEST, True), Trial(NEWEST, False), Trial(NEWEST, False)])
    verdicts, works = judge(BOUNDS, lambda *_: next(trials))
    assert not works
    assert {verdict for _, verdict in verdicts.values()} == {KEEP, NOTHING_NEWER}
