"""Errors that carry what the client knows: the report that was waited for, or those that were created."""

from __future__ import annotations

from collections.abc import Sequence

from cogny_source.client.models import Report
from cogny_source.errors import CognyError


class ReportFailed(CognyError):
    """A report that was waited for failed or was cancelled.

    Attributes:
        report: It, or the first of several.
        reports: All that were waited for, in their order.
    """

    def __init__(self, report: Report, reports: Sequence[Report] = ()) -> None:
        super().__init__(f"the report {report.id} is {report.status}", request_id=report.request_id)
        self.report = report
        self.reports = tuple(reports) or (report,)


class WaitTimedOut(CognyError):
    """A report was not done in time. It is still being made.

    Attributes:
        report: It, as it was seen last, or the first of several that is not done; None if it was not seen at all.
        reports: All that were waited for and seen, in their order.
    """

    def __init__(self, message: str, report: Report | None, reports: Sequence[Report] = ()) -> None:
        super().__init__(message, request_id=None if report is None else report.request_id)
        self.report = report
        self.reports = tuple(reports) or (() if report is None else (report,))


class CreationIncomplete(CognyError):
    """Not all reports were created; `create_many` with the same requests and the token goes on where it ended.

    Attributes:
        token: For `create_many(requests, token=…)`.
        reports: Those that were created, by their place in the requests.
    """

    def __init__(self, message: str, token: str, reports: dict[int, Report]) -> None:
        super().__init__(message)
        self.token = token
        self.reports = reports


class InvalidSignature(CognyError):
    """A webhook's delivery that was not signed with the secret; it must not be believed."""
