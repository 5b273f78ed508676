"""The errors: one tree, each kind where its docstring draws it, and texts that find a request."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from cogny_source import errors
from cogny_source.errors import (
    AuthError,
    CognyError,
    ConfigError,
    LoadFailed,
    NotFound,
    RateLimited,
    ServerError,
    Stopped,
    TransientError,
)

FACTS: dict[str, Any] = {"status": 404, "code": "REPORT_NOT_FOUND", "request_id": "req_1", "path": "/reports/rpt_1"}


def drawn_tree() -> dict[str, str]:
    """Each kind of error and its parent, as the module's docstring draws them."""
    parents: dict[str, str] = {}
    branch: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        stem = line.lstrip("│├└─ ")
        depth = (len(line) - len(stem)) // 4
        if not stem or (depth == 0 and stem != "CognyError"):
            continue
        name = stem.split()[0]
        branch[depth:] = [name]
        parents[name] = branch[depth - 1] if depth else "Exception"
    return parents


def test_the_docstring_draws_the_tree_that_there_is() -> None:
    """No kind is missing, none is drawn that is not there, and each hangs where it is drawn."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CognyError)]
    assert drawn_tree() == {kind.__name__: kind.__bases__[0].__name__ for kind in kinds}
    assert [kind.__bases__[1:] for kind in kinds if len(kind.__bases__) > 1] == []


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, "gone"),
        ({"path": "/tickets"}, "gone (path /tickets)"),
        ({"status": 0}, "gone (status 0)"),
        ({"request_id": "req_1", "status": 500}, "gone (status 500, request id req_1)"),
        (FACTS, "gone (path /reports/rpt_1, status 404, code REPORT_NOT_FOUND, request id req_1)"),
    ],
)
def test_the_text_tells_what_is_known(facts: dict[str, Any], text: str) -> None:
    """The message comes first; facts that are not known are left out."""
    assert str(CognyError("gone", **facts)) == text


def test_every_fact_is_an_attribute() -> None:
    """Whoever handles an error reads its fields, never its text."""
    error = NotFound("gone", **FACTS)
    assert {name: getattr(error, name) for name in FACTS} == FACTS
    assert error.message == "gone"


def test_nothing_is_known_unless_it_is_given() -> None:
    """An error without a response has no facts."""
    error = ConfigError("no")
    assert vars(error) == {"message": "no", "status": None, "code": None, "request_id": None, "path": None}


@pytest.mark.parametrize("seconds", [None, 0.0, 45.0])
def test_transient_errors_carry_the_wait_that_was_asked_for(seconds: float | None) -> None:
    """No wait asked for is not a wait of nothing; the wait is no part of the text."""
    error = RateLimited("slow down", retry_after_seconds=seconds, status=429, path="/tickets")
    assert (error.retry_after_seconds, str(error)) == (seconds, "slow down (path /tickets, status 429)")


def test_a_stop_names_its_signal() -> None:
    """The exit code is made from its number."""
    error = Stopped(15)
    assert (error.signal_number, str(error)) == (15, "stopped by signal 15")


@pytest.mark.parametrize(
    "error",
    [ServerError("away", retry_after_seconds=3.0, **FACTS), AuthError("no", status=401), LoadFailed("no"), Stopped(2)],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_the_way_between_processes(error: CognyError) -> None:
    """A copy through pickle is of the same kind and tells the same."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_transient_errors_differ_from_all_others_by_type() -> None:
    """What may be tried again is told by type alone."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TransientError)]
    assert [kind.__name__ for kind in kinds] == [
        "TransientError",
        "RateLimited",
        "ServerError",
        "EdgeRefusal",
        "Contradiction",
        "NetworkError",
        "Unreachable",
    ]
