"""Streaming: events as they happen, whatever the stream does; in the end the report itself tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cogny_source.client import Report, ReportEvent, WaitTimedOut
from cogny_source.errors import AuthError, NotFound
from cogny_source.sandbox.answers import Answer, Piece
from cogny_source.testing import SandboxCogny

Open = Callable[..., SandboxCogny]
COURSE = ["status", "status", "query", "result", "insight", "visualization", "completed"]


def create(client: SandboxCogny) -> Report:
    """A report in the making."""
    return client.reports.create(client.sandbox.warehouse_id, "Why?")


def types(events: list[ReportEvent]) -> list[str]:
    """The types of events."""
    return [event.type for event in events]


def test_events_come_while_the_report_is_made(open_client: Open) -> None:
    """Each when it happens, typed, with its data and its id; the last one ends the stream."""
    client = open_client(report_seconds=50.0)
    report = create(client)
    began = client.sandbox.clock()
    events, times = [], []
    for event in client.reports.stream(report):
        events.append(event)
        times.append(round(client.sandbox.clock() - began))
    assert (types(events), times) == (COURSE, [0, 5, 15, 20, 30, 40, 50])
    assert [event.id for event in events] == list("1234567")
    assert events[2].data == {"sql": "SELECT day, count(*)\nFROM events\nGROUP BY day"}
    assert [event.is_last for event in events] == [False] * 6 + [True]
    assert events[-1].data["status"] == "completed"


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_stream_that_drops_is_taken_up_again(open_client: Open, after: int, ids: bool) -> None:
    """After its last event; without ids, what comes again is left out, and what never comes is replaced by a look."""
    client = open_client(stream_drops_after_events=after, stream_event_ids=ids)
    events = list(client.reports.stream(create(client)))
    if ids:
        assert types(events) == COURSE
    else:
        assert types(events)[:after] == COURSE[:after]
        assert events[-1].is_last
        assert events[-1].report is not None
        assert types(events).count("query") <= 1


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_stalled_stream_does_not_hang(open_client: Open, after: int) -> None:
    """Half a minute without a byte, and it is left; the report ends it."""
    client = open_client(stream_stalls_after_events=after, stall_seconds=3600.0, stream_event_ids=False)
    began = client.sandbox.clock()
    events = list(client.reports.stream(create(client)))
    assert (events[-1].type, client.sandbox.clock() - began < 100) == ("completed", True)


def test_comments_alone_do_not_keep_it_going(client: SandboxCogny, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that only says that it is alive is asked for the report."""
    report = create(client)
    answer = client.sandbox._api.answer

    def comment(request: Any) -> Answer:
        if not request.path.endswith("/stream"):
            return answer(request)
        return Answer(200, b"", "text/event-stream", pieces=(Piece(10.0, b": alive\n\n") for _ in range(1000)))

    monkeypatch.setattr(client.sandbox._api, "answer", comment)
    began = client.sandbox.clock()
    [last] = client.reports.stream(report)
    assert (last.type, client.sandbox.clock() - began <= 60) == ("completed", True)


@pytest.mark.parametrize(
    "instead",
    [
        Answer(404, b'{"success":false,"error":{"code":"NOT_FOUND"}}'),
        Answer(405, b'{"success":false,"error":{"code":"METHOD_NOT_ALLOWED"}}'),
        Answer(200, b'{"success":true,"data":{}}'),
        Answer(200, b"<html>", "text/html"),
        Answer(502, b"<html>", "text/html"),
        Answer(200, b"", "text/event-stream"),
        Answer(200, b"event: status\nda", "text/event-stream"),
    ],
    ids=["404", "405", "JSON", "HTML", "502", "empty", "cut"],
)
def test_without_a_stream_the_report_is_polled(
    open_client: Open, monkeypatch: pytest.MonkeyPatch, instead: Answer
) -> None:
    """Its changes of status are events, and so is its end."""
    client = open_client(report_seconds=100.0)
    report = create(client)
    answer = client.sandbox._api.answer
    monkeypatch.setattr(
        client.sandbox._api, "answer", lambda request: instead if request.path.endswith("/stream") else answer(request)
    )
    events = list(client.reports.stream(report.id))
    assert types(events)[-2:] == ["status", "completed"]
    assert events[-2].report is not None
    assert (events[-2].report.status, events[-1].data["id"]) == ("processing", report.id)


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_failure_ends_with_an_error(open_client: Open, how: str) -> None:
    """It is an event, not an exception."""
    client = open_client(failing_reports=1.0)
    report = create(client)
    if how == "cancelled":
        client.reports.cancel(report.id)
    last = list(client.reports.stream(report))[-1]
    assert (last.type, last.is_last, last.data["status"]) == ("error", True, how)


def test_a_report_that_is_not_done_in_time(open_client: Open) -> None:
    """The events until then came."""
    client = open_client(report_seconds=1000.0)
    report = create(client)
    began, events = client.sandbox.clock(), client.reports.stream(report, timeout=120)
    assert types([next(events), next(events)]) == ["status", "status"]
    with pytest.raises(WaitTimedOut, match="is not done after 120 s"):
        list(events)
    assert client.sandbox.clock() - began <= 135


def test_a_long_silence_loses_no_event(open_client: Open) -> None:
    """A query that takes minutes: the stream is taken up again until it speaks."""
    client = open_client(report_seconds=900.0)
    events = list(client.reports.stream(create(client), timeout=1000))
    assert types(events) == COURSE


def test_a_stream_that_says_the_same_anew_each_time_is_not_hammered(
    open_client: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection brings an event and ends: it is taken up again after a pause."""
    client = open_client(report_seconds=60.0)
    report = create(client)
    answer = client.sandbox._api.answer
    opened: list[float] = []

    def tick(request: Any) -> Answer:
        if not request.path.endswith("/stream"):
            return answer(request)
        opened.append(client.sandbox.clock())
        data = b"event: status\ndata: %.3f\n\n" % opened[-1]
        return Answer(200, data, "text/event-stream")

    monkeypatch.setattr(client.sandbox._api, "answer", tick)
    with pytest.raises(WaitTimedOut):
        list(client.reports.stream(report, timeout=50))
    assert 10 < len(opened) < 30


def test_an_unknown_report_and_a_revoked_key(client: SandboxCogny) -> None:
    """Neither is waited for."""
    with pytest.raises(NotFound):
        list(client.reports.stream("rpt_none"))
    client.sandbox.switches.revoked_after_requests = 1
    with pytest.raises(AuthError):
        list(client.reports.stream("rpt_none"))


def test_an_outage_in_the_middle_is_waited_for(open_client: Open) -> None:
    """Of the stream, and of the looks at the report."""
    client = open_client(report_seconds=60.0)
    report = create(client)
    client.sandbox.switches.away_requests = 6
    assert list(client.reports.stream(report))[-1].type == "completed"


def test_the_key_goes_to_the_base_urls_origin_alone(client: SandboxCogny) -> None:
    """`stream_url` names another host, which is never called."""
    report = create(client)
    assert report.stream_url is not None
    assert report.stream_url.startswith("https://api.cogny.com/")
    hosts: list[str] = []
    send = client._http._wire.session.adapters["https://"].send

    def watch(request: Any, *arguments: Any, **options: Any) -> Any:
        hosts.append(request.url.split("/")[2])
        return send(request, *arguments, **options)

    client._http._wire.session.adapters["https://"].send = watch  # type: ignore[method-assign]
    list(client.reports.stream(report))
    assert set(hosts) == {"api.sandbox.invalid"}


def test_a_reader_may_leave_early(client: SandboxCogny) -> None:
    """The connection is let go."""
    events = client.reports.stream(create(client))
    assert next(events).type == "status"
    events.close()  # type: ignore[attr-defined]
    assert list(events) == []


def test_a_used_up_window_does_not_outlast_the_deadline(open_client: Open) -> None:
    """The stream waits for its turn, as all requests do, but no longer than it may take."""
    client = open_client(report_seconds=1000.0, settings={"requests_per_minute": 20.0})
    report = create(client)
    while client._http.limiter.spare:
        client.reports.get(report.id)
    began = client.sandbox.clock()
    with pytest.raises(WaitTimedOut):
        list(client.reports.stream(report, timeout=5))
    assert client.sandbox.clock() - began <= 5


def test_a_429_for_the_stream_pauses_what_follows(open_client: Open) -> None:
    """Neither the look nor the next stream comes before the API allows it."""
    client = open_client(report_seconds=30.0, retry_after_seconds=20)
    report = create(client)
    client.sandbox.fail_next("rate_limited")
    began, asked = client.sandbox.clock(), len(client.sandbox.requests)
    event = next(client.reports.stream(report, timeout=300))
    assert event.type == "status"
    assert client.sandbox.clock() - began >= 20
    assert len(client.sandbox.requests) - asked <= 3


def stream_of(client: SandboxCogny, monkeypatch: pytest.MonkeyPatch, body: bytes) -> list[str | None]:
    """Let each stream bring that and end; the Last-Event-ID of each connection is kept."""
    answer, ids = client.sandbox._api.answer, list[str | None]()

    def bring(request: Any) -> Answer:
        if not request.path.endswith("/stream"):
            return answer(request)
        ids.append(request.headers.get("last-event-id"))
        return Answer(200, body, "text/event-stream")

    monkeypatch.setattr(client.sandbox._api, "answer", bring)
    return ids


def test_a_server_that_ignores_the_last_id_is_looked_past(open_client: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection brings the same three events: they come once, and the report is looked at."""
    client = open_client(report_seconds=30.0)
    report = create(client)
    stream_of(client, monkeypatch, b"".join(b"id: %d\nevent: query\ndata: %d\n\n" % (n, n) for n in range(3)))
    events = list(client.reports.stream(report, timeout=300))
    assert [event.data for event in events if event.type == "query"] == [0, 1, 2]
    assert (events[-1].type, events[-1].report is not None) == ("completed", True)


def test_events_that_share_an_id_all_come(open_client: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream may give an id once, which then holds for what follows."""
    client = open_client(report_seconds=30.0)
    report = create(client)
    stream_of(
        client, monkeypatch, b"id: 7\nevent: query\ndata: 1\n\nevent: query\ndata: 2\n\nevent: query\ndata: 2\n\n"
    )
    events = list(client.reports.stream(report, timeout=300))
    assert [event.data for event in events if event.type == "query"] == [1, 2, 2]


def test_an_id_beyond_ascii_is_sent_as_it_came(open_client: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """In UTF-8, as the standard says."""
    client = open_client(report_seconds=30.0)
    report = create(client)
    ids = stream_of(client, monkeypatch, "id: ereignis-€\nevent: query\ndata: 1\n\n".encode())
    assert list(client.reports.stream(report, timeout=300))[-1].is_last
    assert str(ids[1]).encode("latin-1").decode() == "ereignis-€"


def test_another_report_is_not_taken_for_it(open_client: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that cannot be right is asked for again."""
    client = open_client(report_seconds=5.0)
    report = create(client)
    answer, mixed = client.sandbox._api.answer, [True]

    def mix(request: Any) -> Answer:
        if request.path.endswith("/stream"):
            return Answer(404, b"{}")
        got = answer(request)
        if request.path.endswith(report.id) and mixed:
            mixed.clear()
            return Answer(200, got.body.replace(report.id.encode(), b"rpt_another"))
        return got

    monkeypatch.setattr(client.sandbox._api, "answer", mix)
    last = list(client.reports.stream(report, timeout=100))[-1]
    assert last.report is not None
    assert (last.type, last.report.id) == ("completed", report.id)
