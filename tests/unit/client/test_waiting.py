"""Waiting: when looks come, what ends a wait, and that no request begins after the deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cogny_source.client import Report, ReportFailed, ReportRequest, WaitTimedOut
from cogny_source.client.waiting import Pauses
from cogny_source.errors import AuthError, NotFound
from cogny_source.sandbox.answers import Answer
from cogny_source.sandbox.api import Request
from cogny_source.testing import SandboxCogny

Open = Callable[..., SandboxCogny]


def create(client: SandboxCogny, prompt: str = "Why?") -> Report:
    """A report in the making."""
    return client.reports.create(client.sandbox.warehouse_id, prompt)


def create_many(client: SandboxCogny, count: int) -> list[Report]:
    """Several reports in the making."""
    warehouse = client.sandbox.warehouse_id
    return client.reports.create_many([ReportRequest(warehouse_id=warehouse, prompt=f"{n}?") for n in range(count)])


class Record:
    """What a client asked since this was made, and when."""

    def __init__(self, client: SandboxCogny) -> None:
        self._client = client
        self.began = client.sandbox.clock()
        self._before = len(client.sandbox._api.recorded())

    def times(self) -> list[float]:
        """Seconds since then of each request."""
        return [record.time - self.began for record in self._client.sandbox._api.recorded()[self._before :]]

    def paths(self) -> list[str]:
        """The paths of the requests."""
        return [path for _, path in self._client.sandbox.requests[self._before :]]


def test_pauses_grow_to_a_quarter_of_a_minute() -> None:
    """From two seconds on by half, and a tenth more or less by chance."""
    for jitter, factor in ((0.5, 1.0), (0.0, 0.9), (0.999, 1.0998)):
        pauses = Pauses(lambda chance=jitter: chance)  # type: ignore[misc]
        drawn = [pauses.draw(None) / factor for _ in range(8)]
        assert drawn == pytest.approx([2.0, 3.0, 4.5, 6.75, 10.125, 15.0, 15.0, 15.0])


@pytest.mark.parametrize(("estimate", "pause"), [(None, 2.0), (-5.0, 2.0), (0.5, 2.0), (9.0, 9.0), (60.0, 15.0)])
def test_the_next_look_comes_at_the_estimated_completion(estimate: float | None, pause: float) -> None:
    """If that is not long from now."""
    assert Pauses(lambda: 0.5).draw(estimate) == pause


def test_a_report_is_waited_for(open_client: Open) -> None:
    """It comes back completed; each look is told of."""
    client = open_client(report_seconds=19.0)
    report, seen = create(client), list[tuple[str | None, float]]()
    record = Record(client)
    done = client.reports.wait(report.id, timeout=300, on_progress=lambda it, waited: seen.append((it.status, waited)))
    assert (done.id, done.status, done.is_completed) == (report.id, "completed", True)
    assert record.times() == [waited for _, waited in seen]
    assert record.times()[0] == 2.0
    assert [status for status, _ in seen] == [*["processing"] * (len(seen) - 1), "completed"]
    # With the estimate that the first look brings, the second comes when the report is due.
    assert record.times()[1:] == pytest.approx([17.0, 19.0], abs=0.2)


def test_a_finished_report_needs_no_look(client: SandboxCogny) -> None:
    """It changes no more."""
    client.sandbox.switches.report_seconds = 0.0
    report = client.reports.get(create(client).id)
    record = Record(client)
    assert client.reports.wait(report) is report
    assert record.times() == []


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_failed_and_cancelled_are_told_apart_from_timed_out(open_client: Open, how: str) -> None:
    """The error holds the report."""
    client = open_client(failing_reports=1.0)
    report = create(client)
    if how == "cancelled":
        assert client.reports.cancel(report.id).status == "cancelled"
    with pytest.raises(ReportFailed, match=f"is {how}") as caught:
        client.reports.wait(report)
    assert (caught.value.report.id, caught.value.report.status) == (report.id, how)


@pytest.mark.parametrize("timeout", [0.5, 1, 3, 10, 100, 299.5])
def test_no_request_begins_after_the_deadline(open_client: Open, timeout: float) -> None:
    """The last look comes just before it; the error holds the report as it was then."""
    client = open_client(report_seconds=1000.0)
    report = create(client)
    record = Record(client)
    with pytest.raises(WaitTimedOut, match=r"still (queued|processing) after") as caught:
        client.reports.wait(report.id, timeout)
    assert caught.value.report is not None
    assert caught.value.report.id == report.id
    assert max(record.times()) == pytest.approx(timeout - min(1.0, timeout / 10))
    assert client.sandbox.clock() - record.began <= timeout


@pytest.mark.parametrize("faults", [["html_521"] * 6, ["rate_limited"] * 3, ["reset", "empty_200", "success_false"]])
def test_what_passes_is_waited_for(open_client: Open, faults: list[str]) -> None:
    """An outage and a 429 in the middle move no deadline."""
    client = open_client(report_seconds=30.0, retry_after_seconds=9)
    report = create(client)
    client.sandbox.fail_next(*faults)
    assert client.reports.wait(report, timeout=120).is_completed


def test_an_outage_up_to_the_deadline(open_client: Open) -> None:
    """The error says that the last look failed, and is no error of the network."""
    client = open_client()
    report = create(client)
    client.sandbox.switches.away = True
    record = Record(client)
    with pytest.raises(WaitTimedOut, match="the last look failed") as caught:
        client.reports.wait(report, timeout=60)
    assert caught.value.report == report
    assert caught.value.__cause__ is not None
    assert max(record.times()) <= 60


def test_a_long_429_is_not_waited_out_beyond_the_deadline(open_client: Open) -> None:
    """It ends in time, though the API asks for an hour."""
    client = open_client(retry_after_seconds=3600)
    report = create(client)
    client.sandbox.fail_next(*["rate_limited"] * 50)
    record = Record(client)
    with pytest.raises(WaitTimedOut):
        client.reports.wait(report, timeout=60)
    assert max(record.times()) <= 60
    assert client.sandbox.clock() - record.began <= 60


def test_a_report_that_is_not_there(client: SandboxCogny) -> None:
    """A new one may come late; after a quarter of a minute it is an error."""
    record = Record(client)
    with pytest.raises(NotFound):
        client.reports.wait("rpt_none", timeout=300)
    assert 15 < client.sandbox.clock() - record.began < 31


def test_a_revoked_key_ends_the_wait(client: SandboxCogny) -> None:
    """At once."""
    report = create(client)
    client.sandbox.switches.revoked_after_requests = 1
    with pytest.raises(AuthError):
        client.reports.wait(report)


def test_fifty_are_waited_for_with_a_request_a_round(open_client: Open) -> None:
    """They come back in their order."""
    client = open_client(report_seconds=40.0)
    reports = create_many(client, 50)
    record = Record(client)
    done = client.reports.wait_all([*reports[:25], *(report.id for report in reports[25:])], timeout=300)
    assert [report.id for report in done] == [report.id for report in reports]
    assert all(report.is_completed for report in done)
    assert len(record.times()) <= 12
    assert record.paths().count("/reports") >= len(record.paths()) - 2


@pytest.mark.parametrize(
    "switches",
    [
        {"ignored_filters": {"reports": ["*"]}, "ignored_sorts": {"reports": "oldest_first"}},
        {"lists_frozen": True},
        {"html_502": 0.2, "rate_limited": 0.1},
        {"listed_after_seconds": 1000.0},
    ],
    ids=["ignored filters", "a copy that lags", "outages", "late rows"],
)
def test_lists_that_are_no_help_when_waiting_for_all(open_client: Open, switches: dict[str, Any]) -> None:
    """Reports that a list does not show, or shows as they were, are looked at one by one."""
    client = open_client(report_seconds=10.0)
    reports = create_many(client, 8)
    client.reports.list().total_count  # noqa: B018 - the lists freeze as they are now
    for name, value in switches.items():
        setattr(client.sandbox.switches, name, value)
    done = client.reports.wait_all(reports, timeout=300)
    assert [(report.id, report.status) for report in done] == [(report.id, "completed") for report in reports]


def test_one_that_cannot_be_looked_at_hides_no_other(open_client: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are seen all the same, and the error says what failed."""
    client = open_client(report_seconds=10.0)
    reports = create_many(client, 6)
    answer = client.sandbox._api.answer
    client.sandbox.world.delete("reports", reports[0].id)

    def refuse(request: Request) -> Answer:
        return Answer(404, b"<html>") if request.path.endswith(reports[0].id) else answer(request)

    monkeypatch.setattr(client.sandbox._api, "answer", refuse)
    with pytest.raises(WaitTimedOut, match="1 of 6 reports not done after 1 min; the last look failed") as caught:
        client.reports.wait_all([report.id for report in reports], timeout=60)
    assert [report.id for report in caught.value.reports] == [report.id for report in reports[1:]]
    assert all(report.is_completed for report in caught.value.reports)


def test_a_look_that_failed_long_ago_is_not_told_of(open_client: Open) -> None:
    """The last one went well."""
    client = open_client(report_seconds=1000.0)
    report = create(client)
    client.sandbox.switches.away_requests = 5  # as often as one report is asked for in a row
    with pytest.raises(WaitTimedOut, match=r"still queued after 1 min \("):
        client.reports.wait(report, timeout=60)


def test_failures_are_told_of_once_all_are_finished(open_client: Open) -> None:
    """The error holds all reports, in their order."""
    client = open_client(failing_reports=0.5, report_seconds=10.0)
    reports = create_many(client, 10)
    with pytest.raises(ReportFailed) as caught:
        client.reports.wait_all(reports)
    statuses = [report.status for report in caught.value.reports]
    assert [report.id for report in caught.value.reports] == [report.id for report in reports]
    assert set(statuses) == {"completed", "failed"}
    assert caught.value.report.status == "failed"


def test_some_that_are_not_done_in_time(open_client: Open) -> None:
    """The error tells how many, and holds all that were seen."""
    client = open_client(report_seconds=1000.0)
    reports = create_many(client, 5)
    record = Record(client)
    with pytest.raises(WaitTimedOut, match="5 of 5 reports not done after 30 s") as caught:
        client.reports.wait_all(reports, timeout=30)
    assert len(caught.value.reports) == 5
    assert max(record.times()) <= 30


def test_none_are_done_at_once(client: SandboxCogny) -> None:
    """Nothing is asked for."""
    assert client.reports.wait_all([]) == []
    assert client.sandbox.requests == []


@pytest.mark.parametrize("latency", [0.3, 0.9, 2.5])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_no_request_for_several_begins_after_the_deadline(open_client: Open, latency: float, count: int) -> None:
    """However long each answer takes."""
    client = open_client(report_seconds=1000.0, latency_seconds=latency)
    reports = create_many(client, count)
    record = Record(client)
    with pytest.raises(WaitTimedOut):
        client.reports.wait_all(reports, timeout=10)
    assert max(record.times()) <= 10 + latency


def test_a_list_that_lags_once_does_not_cost_a_request_a_report(open_client: Open) -> None:
    """It is read on, and some reports are looked at by themselves."""
    client = open_client(report_seconds=20.0)
    reports = create_many(client, 50)
    client.reports.list().total_count  # noqa: B018 - the lists freeze as they are now
    client.sandbox.switches.lists_frozen = True
    record = Record(client)

    def thaw(_: Report, waited: float) -> None:
        client.sandbox.switches.lists_frozen = waited < 60

    assert all(report.is_completed for report in client.reports.wait_all(reports, timeout=300, on_progress=thaw))
    assert len(record.times()) <= 60
