"""`client.reports`: reports are created, waited for, followed, read and cancelled."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cogny_source.api.calls import check_id
from cogny_source.client.arguments import (
    DateRange,
    ReportRequest,
    When,
    check_choice,
    check_several,
    make_filters,
)
from cogny_source.client.context import Context
from cogny_source.client.creating import Creator
from cogny_source.client.listing import Listing
from cogny_source.client.looking import settle
from cogny_source.client.models import Cancellation, Report, ReportContent, ReportEvent, ReportStatus
from cogny_source.client.reading import read_model
from cogny_source.client.streaming import Follower
from cogny_source.client.waiting import OnProgress, Waiter
from cogny_source.errors import BadRequest, InvalidArgument

PATH, READ, WRITE = "/reports", "reports:read", "reports:write"
TIMEOUT_SECONDS = 600.0


class Reports:
    """The reports of an account.

    Args:
        context: Sends the requests.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._creator = Creator(context)

    def create(
        self,
        warehouse_id: str,
        prompt: str,
        *,
        date_range: DateRange | None = None,
        dimensions: Sequence[str] | None = None,
        focus_areas: Sequence[str] | None = None,
        include_visualizations: bool | None = None,
        include_sql_queries: bool | None = None,
        include_recommendations: bool | None = None,
        max_iterations: int | None = None,
        language: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> Report:
        """Create a report, once.

        The API knows no idempotency key. The report's metadata therefore carries `cogny_request`, a token, by which it
        is looked for where the answer is lost; that takes 15 s, and up to five minutes where the API is slow or away.

        Args:
            warehouse_id: The warehouse to ask, `wh_…`.
            prompt: The question, up to 2000 characters.
            date_range: First and last day, or instant.
            dimensions: What to split figures by.
            focus_areas: What to look at above all.
            include_visualizations: Whether to draw; the API decides where it is None, as for the following.
            include_sql_queries: Whether to show the queries.
            include_recommendations: Whether to recommend.
            max_iterations: How often to ask anew, 1 to 100.
            language: The language of the report, such as `de`.
            metadata: A JSON object of your own, which the report keeps.
            token: Of an `OutcomeUnknown`: the report is looked for first, and created only if it is not there.

        Returns:
            The report, `queued`.

        Raises:
            InvalidArgument: If an argument is not possible; nothing was sent.
            OutcomeUnknown: If the answer was lost and the report was not found. It is not sent again by itself.
            RateLimited: If the limit, or the number of unfinished reports, would be waited for too long.
            FatalError: If the API refuses it, such as `NotFound` for the warehouse.
            TransientError: If the API cannot be reached; nothing was created.
        """
        request = ReportRequest(
            warehouse_id=warehouse_id,
            prompt=prompt,
            date_range=date_range,
            dimensions=dimensions,
            focus_areas=focus_areas,
            include_visualizations=include_visualizations,
            include_sql_queries=include_sql_queries,
            include_recommendations=include_recommendations,
            max_iterations=max_iterations,
            language=language,
            metadata=metadata,
        )
        return self._creator.create(request, token)

    def create_many(self, requests: Iterable[ReportRequest], *, token: str | None = None) -> list[Report]:
        """Create reports one after the other, as fast as the API lets unfinished ones run.

        Args:
            requests: The reports.
            token: Of a `CreationIncomplete`: with the same requests it goes on where that ended.

        Returns:
            The reports, in the order of the requests.

        Raises:
            InvalidArgument: If one of them is not possible; nothing was sent.
            CreationIncomplete: If one of them was not created; it holds those that were, and the token.
        """
        given = check_several(requests, "requests")
        if not all(isinstance(request, ReportRequest) for request in given):
            raise InvalidArgument("requests", "must be a list of ReportRequest")
        return self._creator.create_many(given, token)

    def list(
        self,
        *,
        status: ReportStatus | None = None,
        warehouse_id: str | None = None,
        created_after: When | None = None,
        created_before: When | None = None,
    ) -> Listing[Report]:
        """The reports, page by page as they are needed.

        Args:
            status: Those in this status alone.
            warehouse_id: Those of this warehouse alone.
            created_after: Those created then or later.
            created_before: Those created then or earlier.

        Raises:
            InvalidArgument: If a filter is not possible.
        """
        if status is not None:
            check_choice(status, "status", ReportStatus)
        filters = make_filters(
            status=status, warehouse_id=warehouse_id, created_after=created_after, created_before=created_before
        )
        return Listing(self._context, Report, PATH, READ, filters)

    def get(self, report_id: str) -> Report:
        """A report as it is now.

        Raises:
            NotFound: If there is none with this id.
        """
        answer = self._context.get(_path(report_id), READ)
        return read_model(Report, answer.data, answer.request_id)

    def content(self, report_id: str) -> ReportContent:
        """The content of a completed report.

        Raises:
            NotFound: If the report is not there, or not completed.
        """
        answer = self._context.get(f"{_path(report_id)}/content", READ)
        return read_model(ReportContent, answer.data, answer.request_id)

    def cancel(self, report_id: str) -> Cancellation:
        """Cancel a report that is not finished.

        Raises:
            BadRequest: If it is finished already.
            OutcomeUnknown: If the answer was lost and the report is not cancelled.
        """
        path = _path(report_id)

        def write() -> Cancellation:
            answer = self._context.write("DELETE", path, WRITE)
            return read_model(Cancellation, answer.data, answer.request_id)

        def find(until: float) -> Cancellation | None:
            answer = self._context.get(path, READ, until=until)
            report = read_model(Report, answer.data, answer.request_id)
            if report.is_finished and report.status != "cancelled":
                raise _Finished(report)
            return None if not report.is_finished else _read_cancellation(report)

        try:
            return settle(self._context, write, find, "cancel it again, which changes nothing if it is cancelled")
        except _Finished as finished:
            raise BadRequest(f"the report is {finished.report.status} already", path=path) from None

    def wait(
        self, report: Report | str, timeout: float = TIMEOUT_SECONDS, *, on_progress: OnProgress | None = None
    ) -> Report:
        """Wait until a report is completed.

        The first look comes after two seconds, or at its estimated completion where a `Report` is given; the pauses
        grow to 15 s. An outage of the API is waited for as long as there is time.

        Args:
            report: The report, or its id.
            timeout: Seconds to wait; no request begins after them.
            on_progress: Called after each look, with the report and the seconds waited.

        Raises:
            ReportFailed: If it failed or was cancelled.
            WaitTimedOut: If it was not done in time.
            FatalError: If the API refuses to tell.
        """
        known = report if isinstance(report, Report) else None
        return Waiter(self._context, timeout, on_progress).wait(_id_of(report), known)

    def wait_all(
        self,
        reports: Iterable[Report | str],
        timeout: float = TIMEOUT_SECONDS,
        *,
        on_progress: OnProgress | None = None,
    ) -> builtins.list[Report]:
        """Wait until all reports are finished, with one request a round for all of them.

        Args:
            reports: The reports, or their ids.
            timeout: Seconds to wait; no request begins after them.
            on_progress: Called with each unfinished report after each look, and the seconds waited.

        Returns:
            The reports, in their order.

        Raises:
            ReportFailed: If one of them failed or was cancelled, once all are finished; it holds all of them.
            WaitTimedOut: If they were not done in time; it holds all of them.
            FatalError: If the API refuses to tell.
        """
        given = check_several(reports, "reports")
        ids = [_id_of(report) for report in given]
        known = {report.id: report for report in given if isinstance(report, Report)}
        return Waiter(self._context, timeout, on_progress).wait_all(ids, known)

    def stream(self, report: Report | str, timeout: float = TIMEOUT_SECONDS) -> Iterator[ReportEvent]:
        """Follow a report in the making.

        A stream that is dropped goes on after its last event. One that stalls, or is not there, is replaced by looks at
        the report. The last event is `completed` or `error`.

        Args:
            report: The report, or its id.
            timeout: Seconds that it may take; a stream that is silent at the end is left up to 15 s later.

        Raises:
            WaitTimedOut: If it was not done in time.
            FatalError: If the API refuses to tell.
        """
        return Follower(self._context, _id_of(report), timeout).events()


class _Finished(Exception):
    """A report that should have been cancelled was finished before."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.id)
        self.report = report


def _read_cancellation(report: Report) -> Cancellation:
    data = {"id": report.id, "status": report.status, "cancelled_at": report.raw.get("updated_at")}
    return read_model(Cancellation, data, report.request_id)


def _path(report_id: str) -> str:
    return f"{PATH}/{check_id(report_id, 'report_id')}"


def _id_of(report: Report | str) -> str:
    if isinstance(report, Report):
        return report.id
    if not isinstance(report, str):
        raise InvalidArgument("report", "must be a Report or its id")
    return check_id(report, "report_id")
