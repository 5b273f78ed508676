"""Waiting for reports: when to look next, and until when."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice

from cogny_source.api.envelope import Answer
from cogny_source.api.pagination import iter_pages
from cogny_source.client.context import Context
from cogny_source.client.errors import ReportFailed, WaitTimedOut
from cogny_source.client.models import Report
from cogny_source.client.reading import read_model
from cogny_source.errors import CognyError, ContractError, InvalidArgument, NotFound, TransientError
from cogny_source.formatting import span
from cogny_source.timestamps import format_instant, shift

logger = logging.getLogger(__name__)

PATH, SCOPE = "/reports", "reports:read"
FIRST_SECONDS, MOST_SECONDS, GROWTH = 2.0, 15.0, 1.5
# Each pause is a little shorter or longer, so that many who wait do not ask at once.
JITTER = 0.1
# A new report may not be found at first.
LATE_SECONDS = 15.0
# The last look comes so long before the deadline, so that its answer comes before it; of a short wait a tenth.
LAST_LOOK_SECONDS, LAST_LOOK_SHARE = 1.0, 0.1
LEAST_SECONDS = 0.001
# A number beyond it does not fit into a float.
MOST_TIMEOUT_SECONDS = 1e9
# Up to so many reports are looked at one by one; of more, a list is read.
FEW = 3
MOST_PAGES = 10
# A list may come from a copy that lags: in every so many rounds a report is looked at by itself.
CHECK_EVERY = 4

OnProgress = Callable[[Report, float], None]


@dataclass(frozen=True)
class Deadline:
    """Until when to wait.

    Attributes:
        context: Has the clock.
        began: When the wait began, by the stopwatch.
        timeout_seconds: How long it may take.
    """

    context: Context
    began: float
    timeout_seconds: float

    @classmethod
    def after(cls, context: Context, timeout_seconds: float) -> Deadline:
        """A deadline some seconds from now.

        Raises:
            InvalidArgument: If that is no positive number.
        """
        if isinstance(timeout_seconds, bool) or not isinstance(timeout_seconds, int | float) or not timeout_seconds > 0:
            raise InvalidArgument("timeout", "must be a number of seconds greater than 0")
        return cls(context, context.timing.stopwatch(), float(min(timeout_seconds, MOST_TIMEOUT_SECONDS)))

    @property
    def at(self) -> float:
        """The deadline, by the stopwatch."""
        return self.began + self.timeout_seconds

    @property
    def waited(self) -> float:
        """Seconds since the wait began."""
        return self.context.timing.stopwatch() - self.began

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.timeout_seconds - self.waited

    def sleep(self, seconds: float) -> bool:
        """Wait for the next look; the last one comes just before the deadline.

        Returns:
            Whether there is time for a look.
        """
        most = self.left - min(LAST_LOOK_SECONDS, LAST_LOOK_SHARE * self.timeout_seconds)
        # What is left after the last look is but a rounding error.
        if most <= LEAST_SECONDS:
            return False
        self.context.timing.sleep(min(seconds, most))
        return self.left > 0


class Pauses:
    """The pauses between looks: from two seconds to a quarter of a minute, the next one at the estimated completion.

    Args:
        jitter: A random number in [0, 1).
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._next = FIRST_SECONDS

    def draw(self, until_estimate: float | None) -> float:
        """Seconds until the next look.

        Args:
            until_estimate: Seconds until the estimated completion; None if there is none, or it is over.
        """
        pause = self._next
        self._next = min(MOST_SECONDS, self._next * GROWTH)
        if until_estimate is not None and until_estimate > 0:
            pause = min(MOST_SECONDS, max(FIRST_SECONDS, until_estimate))
        return pause * (1 - JITTER + 2 * JITTER * self._jitter())


class Waiter:
    """Waits for reports.

    Args:
        context: Sends the requests.
        timeout_seconds: How long the wait may take.
        on_progress: Called after each look with a report and the seconds waited.
    """

    def __init__(self, context: Context, timeout_seconds: float, on_progress: OnProgress | None) -> None:
        self._context = context
        self._deadline = Deadline.after(context, timeout_seconds)
        self._on_progress = on_progress
        self._pauses = Pauses(context.timing.jitter)
        self._last_error: CognyError | None = None
        self._list_lags = False
        self._told: datetime | None = None

    def wait(self, identity: str, known: Report | None) -> Report:
        """Wait for one report.

        Raises:
            ReportFailed: If it failed or was cancelled.
            WaitTimedOut: If it was not done in time.
            CognyError: If the API refuses to tell.
        """
        seen = self._wait_for([identity], {} if known is None else {identity: known})
        report = seen.get(identity)
        if report is None or not report.is_finished:
            raise self._timed_out([identity], seen)
        if not report.is_completed:
            raise ReportFailed(report)
        return report

    def wait_all(self, ids: Sequence[str], known: Mapping[str, Report]) -> list[Report]:
        """Wait for several reports; the list of reports is read once a round for all of them.

        Raises:
            ReportFailed: If one of them failed or was cancelled, once all are done.
            WaitTimedOut: If they were not done in time.
            CognyError: If the API refuses to tell.
        """
        seen = self._wait_for(ids, dict(known))
        if any(identity not in seen or not seen[identity].is_finished for identity in ids):
            raise self._timed_out(ids, seen)
        reports = [seen[identity] for identity in ids]
        failed = next((report for report in reports if not report.is_completed), None)
        if failed is not None:
            raise ReportFailed(failed, reports)
        return reports

    def _wait_for(self, ids: Sequence[str], seen: dict[str, Report]) -> dict[str, Report]:
        """The reports as they were seen last."""
        for round_number in count(1):
            left = [identity for identity in ids if identity not in seen or not seen[identity].is_finished]
            if not left or not self._deadline.sleep(self._pauses.draw(self._until_estimate(left, seen))):
                break
            found = self._look(left, seen, round_number)
            seen.update(found)
            for report in found.values():
                if self._on_progress is not None:
                    self._on_progress(report, self._deadline.waited)
        return seen

    def _look(self, left: Sequence[str], seen: Mapping[str, Report], round_number: int) -> dict[str, Report]:
        """What a look at the unfinished reports shows; an outage is waited for."""
        found: dict[str, Report] = {}
        self._last_error = None
        try:
            if len(left) > FEW:
                found |= self._look_at_list(left, seen)
                if round_number % CHECK_EVERY == 0 or self._list_lags:
                    found |= self._check_list(found, left, round_number)
                left = _rotate([identity for identity in left if identity not in found], round_number)[:FEW]
            for identity in left:
                found |= self._look_at_each([identity])
        except (TransientError, ContractError) as error:
            logger.warning("%s; still waiting", error)
            self._last_error = error
        return found

    def _look_at_each(self, ids: Sequence[str]) -> dict[str, Report]:
        found = {}
        for identity in ids:
            try:
                answer = self._context.get(f"{PATH}/{identity}", SCOPE, until=self._deadline.at)
            except NotFound as error:
                if self._deadline.waited > LATE_SECONDS:
                    raise
                self._last_error = error
                continue
            self._told = answer.server_time
            found[identity] = read_report(answer, identity)
        return found

    def _look_at_list(self, left: Sequence[str], seen: Mapping[str, Report]) -> dict[str, Report]:
        wanted = set(left)
        found: dict[str, Report] = {}
        created = [report.created_at for identity, report in seen.items() if identity in wanted and report.created_at]
        params: dict[str, str | int] = {"sort": "-created_at"}
        if len(created) == len(left):
            # Whether the bound is inclusive is not published, nor how fine timestamps are.
            params["created_after"] = format_instant(shift(min(created), -1.0))
        getter = self._context.before(self._deadline.at)
        for page in islice(iter_pages(getter, PATH, params, self._context.meter, scope=SCOPE), MOST_PAGES):
            self._told = page.server_time
            for row in page.rows:
                if isinstance(row.get("id"), str) and row["id"] in wanted:
                    found[row["id"]] = read_model(Report, row, page.request_id)
            if len(found) == len(wanted):
                break
        return found

    def _check_list(self, listed: Mapping[str, Report], left: Sequence[str], round_number: int) -> dict[str, Report]:
        """Look at a report that is unfinished in the list by itself, and at some more once the list is seen to lag."""
        unfinished = [identity for identity in left if identity in listed and not listed[identity].is_finished]
        found = self._look_at_each(_rotate(unfinished, round_number)[: FEW if self._list_lags else 1])
        self._list_lags = any(report.is_finished for report in found.values())
        return found

    def _until_estimate(self, left: Sequence[str], seen: Mapping[str, Report]) -> float | None:
        """Seconds until the first of the estimated completions, by the server's clock."""
        estimates = [seen[identity].estimated_completion for identity in left if identity in seen]
        times = [estimate for estimate in estimates if estimate is not None]
        if not times or (self._told is None and not self._clock_is_trusted(left, seen)):
            return None
        return (min(times) - (self._told or self._context.now())).total_seconds()

    def _clock_is_trusted(self, left: Sequence[str], seen: Mapping[str, Report]) -> bool:
        """Whether this machine's clock agrees with reports that were created a moment ago."""
        created = [seen[identity].created_at for identity in left if identity in seen]
        now = self._context.now()
        return all(time is not None and abs((now - time).total_seconds()) < MOST_SECONDS for time in created)

    def _timed_out(self, ids: Sequence[str], seen: Mapping[str, Report]) -> WaitTimedOut:
        unfinished = [identity for identity in ids if identity not in seen or not seen[identity].is_finished]
        first = seen.get(unfinished[0])
        what = f"report {unfinished[0]}" if len(ids) == 1 else f"{len(unfinished)} of {len(ids)} reports"
        state = "not seen" if first is None else f"still {first.status}"
        waited = span(self._deadline.timeout_seconds, blank=" ")
        message = f"{what} {state if len(ids) == 1 else 'not done'} after {waited}"
        if self._last_error is not None:
            message += f"; the last look failed: {self._last_error.message}"
        error = WaitTimedOut(message, first, [seen[identity] for identity in ids if identity in seen])
        error.__cause__ = self._last_error
        return error


def _rotate(ids: Sequence[str], round_number: int) -> list[str]:
    """The ids, beginning with others in each round."""
    start = round_number * FEW % max(1, len(ids))
    return [*ids[start:], *ids[:start]]


def read_report(answer: Answer, identity: str) -> Report:
    """The report that was asked for.

    Raises:
        ContractError: If the answer is none, or another one.
    """
    report = read_model(Report, answer.data, answer.request_id)
    if report.id != identity:
        raise ContractError("the API answered with another report", request_id=answer.request_id)
    return report
