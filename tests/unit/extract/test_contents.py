"""Contents of reports: what is fetched, recorded as missing, or left for a later sync."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import (
    AnswerTooLarge,
    AuthError,
    BadRequest,
    CognyError,
    EdgeRefusal,
    Forbidden,
    NetworkError,
    NotFound,
    RateLimited,
    ServerError,
    Stopped,
)
from cogny_source.extract.content_rows import ReportVersion
from cogny_source.extract.contents import (
    CHARACTERS_IN_FLIGHT,
    CONTENTS_A_CHUNK,
    FETCHES_A_REFUSAL,
    MOST_FAILURES,
    ContentReader,
)
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.records.chunk import Chunk
from cogny_source.schema import REPORT_CONTENTS
from tests.support.papers import essence, objects_of, rebuild

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SERVED = datetime(2026, 3, 1, 0, 0, 5, tzinfo=UTC)
CREATED, UPDATED = 1_700_000_000_000_000, 1_700_000_100_000_001

# A report's key to its content, or to the error of its request.
Serve = Callable[[str], Any]


class Api:
    """Serves contents, and the list unless `away` says that the API is; counts what is asked."""

    def __init__(self, serve: Serve, away: CognyError | None = None) -> None:
        self.paths: list[str] = []
        self.lists = 0
        self.most_at_once = 0
        self._serve = serve
        self._away = away
        self._open = 0
        self._lock = threading.Lock()

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """One content, or the newest report."""
        assert (scope, patient) == ("reports:read", False)
        meter.add(requests=1)
        if path == "/reports":
            assert params == {"limit": 1}
            self.lists += 1
            if self._away is not None:
                raise self._away
            return Answer([], None, SERVED, "req_2")
        assert params == {}
        with self._lock:
            self.paths.append(path)
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        try:
            told = self._serve(path.removeprefix("/reports/").removesuffix("/content"))
        finally:
            with self._lock:
                self._open -= 1
        if isinstance(told, CognyError):
            raise told
        return Answer(told, None, SERVED, "req_1")


def keys_of(count: int) -> list[str]:
    """So many keys."""
    return [f"rpt_{number:04}" for number in range(count)]


def read(
    api: Api, keys: list[str], *, workers: int = 1, after_page: Callable[[], None] = lambda: None
) -> tuple[list[Chunk], CognyError | None, ReadContext]:
    """The chunks that are read, the error that ended the reading, and its context."""
    context = ReadContext(api, ENDPOINTS["reports"], Meter(), after_page, 1000, workers=workers, now=lambda: NOW)
    reader = ContentReader(context, [ReportVersion(key, CREATED, UPDATED) for key in keys])
    chunks: list[Chunk] = []
    try:
        for chunk in reader.chunks():
            chunks.append(chunk)
    except CognyError as error:
        return chunks, error, context
    return chunks, None, context


def cells(chunks: list[Chunk], *names: str, table: str = "report_contents") -> list[tuple[Any, ...]]:
    """Some columns of a table of all chunks."""
    return [row for chunk in chunks for row in zip(*(chunk.tables[table][n].to_pylist() for n in names), strict=True)]


def content(key: str, **more: Any) -> dict[str, Any]:
    """A small content."""
    sections = [{"title": "One", "insights": [{"type": "trend", "content": "up"}, {"content": "down"}]}]
    return {"report_id": key, "sections": sections, "recommendations": [], "metadata": {"total_queries": 3}, **more}


def test_contents_are_recorded_with_their_version() -> None:
    """The version is the one that the destination holds; the time is the server's."""
    chunks, error, context = read(Api(content), ["rpt_b", "rpt_a"])
    assert error is None
    assert cells(chunks, "report_id", "status", "error", "fetched_at", "attempted_at", "attempts", "total_queries") == [
        ("rpt_b", "fetched", None, SERVED, SERVED, 0, 3),
        ("rpt_a", "fetched", None, SERVED, SERVED, 0, 3),
    ]
    [stamps] = set(cells(chunks, "report_created_at", "report_updated_at", "attempted_updated_at"))
    assert [int(stamp.timestamp() * 1_000_000) for stamp in stamps] == [CREATED, UPDATED, UPDATED]
    assert cells(chunks, "report_id", "section_position", "position", table="report_insights") == [
        ("rpt_b", 0, 0), ("rpt_b", 0, 1), ("rpt_a", 0, 0), ("rpt_a", 0, 1),
    ]  # fmt: skip
    assert (context.meter.requests, context.meter.rows) == (2, 2)


def test_members_that_no_column_declares_are_kept() -> None:
    """At each level, also under the names of the connector's own columns."""
    odd = content("rpt_a", status="draft", fetched_at=5, error="none", theme={"dark": True}, recommendations="soon")
    odd["sections"][0]["insights"].append("a text")
    chunks, _, _ = read(Api(lambda _: odd), ["rpt_a"])
    [(status, error, extra)] = cells(chunks, "status", "error", "extra")
    assert (status, error) == ("fetched", None)
    assert json.loads(extra) == {
        "status": "draft", "fetched_at": 5, "error": "none", "theme": {"dark": True}, "recommendations": "soon",
    }  # fmt: skip
    [(kept,)] = cells(chunks, "extra", table="report_sections")
    assert json.loads(kept)["insights"][2] == "a text"


@given(st.lists(objects_of(REPORT_CONTENTS), min_size=1, max_size=3))
def test_any_content_can_be_put_together_again(contents: list[dict[str, Any]]) -> None:
    """Columns, child tables and `extra` of each level hold every value that the API served."""
    served = {f"rpt_{place}": {**row, "report_id": f"rpt_{place}"} for place, row in enumerate(contents)}
    chunks, error, _ = read(Api(served.__getitem__), list(served))
    assert error is None
    assert {status for (status,) in cells(chunks, "status")} == {"fetched"}
    [rebuilt] = [rebuild(REPORT_CONTENTS, chunk.tables) for chunk in chunks]
    found = {row["report_id"]: essence(REPORT_CONTENTS, row) for row in rebuilt}
    assert found == {key: essence(REPORT_CONTENTS, row) for key, row in served.items()}


@pytest.mark.parametrize("told", ["<p>Hello</p>", ["a"], 5, False, {}])
def test_content_of_any_shape_is_kept(told: Any) -> None:
    """A content that is no object stands in `extra` as it came."""
    chunks, error, _ = read(Api(lambda _: told), ["rpt_a"])
    [(key, status, extra)] = cells(chunks, "report_id", "status", "extra")
    assert (error, key, status) == (None, "rpt_a", "fetched")
    assert (json.loads(extra) if extra else {}) == ({} if told == {} else {"content": told})


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (NotFound("there is no content", status=404, code="NOT_FOUND"), "missing"),
        (BadRequest("it is not ready", status=400, code="NOT_READY"), "missing"),
        (AnswerTooLarge("the answer holds more than 64 MB"), "too_large"),
        (ServerError("the API is failing", status=500, code="QUERY_FAILED"), "failed"),
        (ServerError("the answer is cut short", status=200), "failed"),
        (EdgeRefusal("an edge refused", status=403), "failed"),
        (NetworkError("the connection was reset"), "failed"),
    ],
)
def test_report_that_fails_alone_is_recorded_and_holds_up_none(refusal: CognyError, status: str) -> None:
    """With what the API said, and without a row in any child table: those of an earlier version stay."""
    keys = keys_of(3)
    chunks, error, context = read(Api(lambda key: refusal if key == keys[0] else content(key)), keys)
    assert error is None
    names = ("report_id", "status", "fetched_at", "report_updated_at", "attempted_at", "attempts")
    assert cells(chunks, *names)[0] == (keys[0], status, None, None, NOW, 1)
    assert [key for (key,) in cells(chunks, "report_id")] == keys
    [told, *nothing] = [told for (told,) in cells(chunks, "error")]
    assert nothing == [None, None]
    assert json.loads(told) == {"status": refusal.status, "code": refusal.code, "message": refusal.message}
    for table in ("report_sections", "report_insights", "report_recommendations"):
        assert keys[0] not in {key for (key,) in cells(chunks, "report_id", table=table)}
    assert context.meter.rows == 2


def test_an_empty_answer_is_no_content() -> None:
    """It is recorded as missing."""
    chunks, _, _ = read(Api(lambda _: None), ["rpt_a"])
    [(status, told)] = cells(chunks, "status", "error")
    assert (status, json.loads(told)["message"]) == ("missing", "the answer is empty")


def test_the_content_of_another_report_is_refused() -> None:
    """It is a failure of that report alone."""
    keys = keys_of(3)
    chunks, error, _ = read(Api(lambda key: content("rpt_x" if key == keys[1] else key)), keys)
    assert error is None
    assert cells(chunks, "report_id", "status") == [(keys[0], "fetched"), (keys[1], "failed"), (keys[2], "fetched")]


@pytest.mark.parametrize("key", ["../x?y", "", "a b", "..", "rpt_ü"])
def test_a_key_that_fits_no_path_is_recorded_without_a_request(key: str) -> None:
    """It cannot lead to another path, and does not end the run."""
    api = Api(content)
    chunks, error, _ = read(api, [key, "rpt_a"])
    assert error is None
    assert api.paths == ["/reports/rpt_a/content"]
    assert cells(chunks, "report_id", "status") == [(key, "failed"), ("rpt_a", "fetched")]


def test_the_newest_reports_that_always_fail_hold_up_none() -> None:
    """Each is asked for once a run; a request for the list tells that the API is there."""
    keys = keys_of(20)
    api = Api(lambda key: ServerError("broken", status=500) if key < keys[5] else content(key))
    chunks, error, _ = read(api, keys)
    assert error is None
    assert [status for (status,) in cells(chunks, "status")] == ["failed"] * 5 + ["fetched"] * 15
    assert (len(api.paths), api.lists) == (20, 5)


def test_contents_that_all_fail_end_the_reading(caplog: pytest.LogCaptureFixture) -> None:
    """After some in a row, which are recorded; the run is no failure."""
    api = Api(lambda _: ServerError("broken", status=500))
    with caplog.at_level(logging.WARNING):
        chunks, error, _ = read(api, keys_of(50))
    assert error is None
    assert [status for (status,) in cells(chunks, "status")] == ["failed"] * MOST_FAILURES
    assert "in a row cannot be fetched" in caplog.text
    assert "10 failed; later syncs ask again" in caplog.text


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("refusal", [NetworkError("the connection failed"), ServerError("away", status=503)])
def test_an_outage_ends_the_reading(refusal: CognyError, workers: int, caplog: pytest.LogCaptureFixture) -> None:
    """What came before is loaded, nothing is recorded of the others, and the run is no failure."""
    keys = keys_of(20)
    api = Api(lambda key: content(key) if key <= keys[4] else refusal, away=refusal)
    with caplog.at_level(logging.WARNING):
        chunks, error, _ = read(api, keys, workers=workers)
    assert error is None
    assert sorted(key for (key,) in cells(chunks, "report_id")) == keys[:5]
    assert len(api.paths) <= 5 + workers
    assert api.lists == 1
    assert "the API is away" in caplog.text


@pytest.mark.parametrize("away", [AuthError("revoked", status=401), Stopped(15)])
def test_what_ends_a_run_ends_the_look_whether_the_api_is_there(away: CognyError) -> None:
    """After a chunk of what was fetched before."""
    keys = keys_of(5)
    api = Api(lambda key: content(key) if key < keys[2] else ServerError("broken", status=500), away=away)
    chunks, error, _ = read(api, keys)
    assert error is away
    assert [key for (key,) in cells(chunks, "report_id")] == keys[:2]


@pytest.mark.parametrize("fetched", [0, 2, FETCHES_A_REFUSAL - 1])
def test_a_limit_for_contents_ends_the_reading(fetched: int, caplog: pytest.LogCaptureFixture) -> None:
    """A 429 before a limit of the whole account can be used up; the report is left for a later sync."""
    keys = keys_of(100)
    api = Api(lambda key: content(key) if key < keys[fetched] else RateLimited("used up", status=429))
    with caplog.at_level(logging.WARNING):
        chunks, error, _ = read(api, keys)
    assert error is None
    assert len(cells(chunks, "report_id")) == fetched
    assert len(api.paths) == fetched + 1
    assert "limits contents of reports further" in caplog.text


@pytest.mark.parametrize("workers", [1, 4])
def test_a_rare_refusal_teaches_the_pace(workers: int) -> None:
    """Without headers a 429 in a hundred is that of the account; those of readers that asked together count as one."""
    keys, numbers = keys_of(200), iter(range(1000))
    together, slow = threading.Barrier(workers), threading.Event()

    def serve(key: str) -> Any:
        number = next(numbers)
        if number == 0:
            slow.wait(0.05)  # so that several readers are useful
        if 90 <= number < 90 + workers:
            together.wait(5)
            return RateLimited("used up", status=429)
        return content(key)

    api = Api(serve)
    chunks, error, _ = read(api, keys, workers=workers)
    assert error is None
    assert sorted(key for (key,) in cells(chunks, "report_id")) == keys
    assert len(api.paths) == 200 + workers


def test_refusals_that_come_back_end_the_reading() -> None:
    """One each fifteen requests comes from a limit of contents alone."""
    numbers = iter(range(1, 1000))
    api = Api(lambda key: RateLimited("used up", status=429) if next(numbers) % 15 == 0 else content(key))
    chunks, error, _ = read(api, keys_of(100))
    assert error is None
    assert len(cells(chunks, "report_id")) == 14


@pytest.mark.parametrize("refusal", [AuthError("the key is revoked", status=401), Stopped(15)])
def test_what_ends_a_run_ends_the_reading(refusal: CognyError) -> None:
    """After a chunk of what was fetched before."""
    keys = keys_of(10)
    chunks, error, _ = read(Api(lambda key: refusal if key == keys[3] else content(key)), keys)
    assert error is refusal
    assert [key for (key,) in cells(chunks, "report_id")] == keys[:3]


def test_a_key_without_the_scope_ends_the_reading_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Contents may need more than the list does; the run is no failure."""
    api = Api(lambda _: Forbidden("the key lacks a scope", status=403))
    with caplog.at_level(logging.WARNING):
        assert read(api, keys_of(10))[:2] == ([], None)
    assert len(api.paths) == 1
    assert "no contents of reports are fetched" in caplog.text


def test_signal_between_two_contents_loses_none() -> None:
    """The check after each content raises; all that were fetched are in the chunk."""
    keys, seen = keys_of(10), []

    def after_page() -> None:
        seen.append(1)
        if len(seen) == 4:
            raise Stopped(15)

    chunks, error, _ = read(Api(content), keys, after_page=after_page)
    assert isinstance(error, Stopped)
    assert [key for (key,) in cells(chunks, "report_id")] == keys[:4]


def test_chunks_are_bounded() -> None:
    """A kill costs two of them and what is asked for: fewer than a hundred requests."""
    assert 2 * CONTENTS_A_CHUNK + 8 < 100
    chunks, _, _ = read(Api(content), keys_of(2 * CONTENTS_A_CHUNK + 1))
    assert [chunk.rows for chunk in chunks] == [CONTENTS_A_CHUNK, CONTENTS_A_CHUNK, 1]
    assert {(chunk.state, chunk.last) for chunk in chunks} == {(None, False)}


def test_long_contents_make_small_chunks_and_few_readers() -> None:
    """Contents of 9 MB are committed two at a time, and at most three are asked for at once."""
    text = "x" * (9 * 2**20)
    gate = threading.Event()

    def serve(key: str) -> dict[str, Any]:
        gate.wait(0.03)
        return content(key, note=text)

    api = Api(serve)
    chunks, error, _ = read(api, keys_of(7), workers=8)
    assert error is None
    assert [chunk.rows for chunk in chunks] == [2, 2, 2, 1]
    assert api.most_at_once <= CHARACTERS_IN_FLIGHT // len(text)


def test_several_readers_bring_what_one_does() -> None:
    """Where answers take their time; the first request goes alone."""
    gate = threading.Event()

    def serve(key: str) -> dict[str, Any]:
        gate.wait(0.03)
        return content(key)

    keys = keys_of(40)
    api = Api(serve)
    chunks, error, _ = read(api, keys, workers=4)
    assert error is None
    assert sorted(key for (key,) in cells(chunks, "report_id")) == keys
    assert 2 <= api.most_at_once <= 4
