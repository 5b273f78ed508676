"""The contract, played from cassettes that `python -m tests.unit.api.record` recorded: no server, no socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from vcr.errors import CannotOverwriteExistingCassetteException

from cogny_source.errors import AuthError, BadRequest, CognyError, Forbidden, NotFound
from tests.unit.api.record import (
    BASE_URL,
    CASSETTES,
    LIVE_KEY,
    NOW,
    REPORTS_ONLY_KEY,
    REQUEST_ID,
    SCENES,
    TEST_KEY,
    UNKNOWN_KEY,
    make_recorder,
    make_world,
    play,
    record,
)

KEYS = (TEST_KEY, LIVE_KEY, REPORTS_ONLY_KEY, UNKNOWN_KEY)


def replay(name: str) -> tuple[Any, list[float]]:
    """What a scene gives when each of its requests is answered by its cassette, once and in order."""
    with make_recorder(CASSETTES, "none").use_cassette(f"{name}.yaml") as cassette:
        outcome = play(SCENES[name], BASE_URL)
        assert cassette.all_played
    return outcome


@pytest.mark.parametrize("resource", ["reports", "warehouses"])
def test_a_list_comes_whole_in_creation_order(resource: str) -> None:
    """Every row of the recorded world, with pagination and without, under either header."""
    assert replay(resource) == (make_world().rows(resource), [])


def test_a_list_comes_sorted_over_two_pages() -> None:
    """Every ticket of the recorded world once, in ascending order of `updated_at`."""
    rows, slept = replay("tickets")
    assert sorted(rows, key=lambda row: row["id"]) == sorted(make_world().rows("tickets"), key=lambda row: row["id"])
    assert [row["updated_at"][:19] for row in rows] == sorted(row["updated_at"][:19] for row in rows)
    assert slept == []


def test_the_content_of_a_completed_report_is_an_object() -> None:
    """A single answer has data, the server's clock and the request's id, and no pagination."""
    answer, slept = replay("content")
    done = next(row["id"] for row in make_world().rows("reports") if row["status"] == "completed")
    assert (answer.data["report_id"], answer.pagination, slept) == (done, None, [])
    assert set(answer.data) == {"report_id", "sections", "recommendations", "metadata"}
    assert (answer.server_time, answer.request_id) == (NOW, REQUEST_ID)


def test_rate_limit_headers_are_read() -> None:
    """What remains of the window goes down with each request."""
    assert replay("limits") == ([99, 98, 97], [])


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        (
            "unauthorized",
            AuthError,
            "the API key is missing or invalid (path /tickets, status 401, code UNAUTHORIZED",
        ),
        (
            "forbidden",
            Forbidden,
            "the key lacks a scope; missing scope: tickets:read "
            "(path /tickets, status 403, code INSUFFICIENT_PERMISSIONS",
        ),
        (
            "not_found",
            NotFound,
            "no such row in reports (path /reports/rpt_none, status 404, code REPORT_NOT_FOUND",
        ),
        (
            "bad_request",
            BadRequest,
            "created_after is not an ISO 8601 time (path /tickets, status 400, code INVALID_PARAMETER",
        ),
    ],
)
def test_a_refusal_is_told_with_what_finds_the_request(name: str, kind: type[CognyError], told: str) -> None:
    """Each refusal is final: its cassette holds one answer."""
    error, slept = replay(name)
    assert (type(error), str(error), slept) == (kind, f"{told}, request id {REQUEST_ID})", [])


def test_recorded_faults_are_waited_out() -> None:
    """Five failures back off, the 429 is waited out as it asks, and the seventh answer counts."""
    assert replay("faults") == (make_world().rows("warehouses"), [0.5, 1.0, 2.0, 4.0, 8.0, 1.0])


def test_a_request_that_was_not_recorded_is_not_sent() -> None:
    """Playing never reaches for the network."""
    with (
        make_recorder(CASSETTES, "none").use_cassette("reports.yaml"),
        pytest.raises(CannotOverwriteExistingCassetteException),
    ):
        play(SCENES["tickets"], BASE_URL)


def test_there_is_one_cassette_a_scene() -> None:
    """None is missing and none is left over."""
    assert {path.name for path in CASSETTES.iterdir()} == {f"{name}.yaml" for name in SCENES}


@pytest.mark.parametrize("name", SCENES)
def test_no_cassette_holds_a_key(name: str) -> None:
    """Neither a key nor a header that carries one was written."""
    text = (CASSETTES / f"{name}.yaml").read_text(encoding="utf-8").lower()
    assert [word for word in (*KEYS, "sk_", "bearer", "authorization:", "x-api-key") if word in text] == []


def test_the_cassettes_are_what_the_sandbox_answers_today(tmp_path: Path) -> None:
    """Recording again, by the command of the docstring, changes nothing."""
    record(tmp_path)
    for name in SCENES:
        old, new = (
            yaml.load((folder / f"{name}.yaml").read_bytes(), yaml.CSafeLoader) for folder in (CASSETTES, tmp_path)
        )
        assert old == new
