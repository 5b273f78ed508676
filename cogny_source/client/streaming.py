"""A report in the making, event by event: a stream that drops or stalls is taken up again, or the report is polled."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import requests

from cogny_source.api.calls import Call
from cogny_source.api.envelope import parse_json
from cogny_source.api.sse import EventParser, ServerSentEvent
from cogny_source.client.context import Context
from cogny_source.client.errors import WaitTimedOut
from cogny_source.client.models import Report, ReportEvent
from cogny_source.client.waiting import PATH, SCOPE, Deadline, Pauses, read_report
from cogny_source.errors import AuthError, CognyError, ContractError, FatalError, Forbidden, TransientError, Untrusted
from cogny_source.plain_text import safe_text

logger = logging.getLogger(__name__)

EVENT_STREAM = "text/event-stream"
# A stream that says nothing for so long is left; one whose events stay out for so long is checked.
SILENCE_SECONDS = 30.0
LEAST_SECONDS = 1.0
PIECE_BYTES = 1 << 14
MEGABYTE = 2**20


class Follower:
    """Follows one report.

    Args:
        context: Sends the requests.
        identity: The report.
        timeout_seconds: How long that may take.
    """

    def __init__(self, context: Context, identity: str, timeout_seconds: float) -> None:
        self._context = context
        self._identity = identity
        self._deadline = Deadline.after(context, timeout_seconds)
        self._pauses = Pauses(context.timing.jitter)
        self._last_id = ""
        self._told: Counter[tuple[str, str, str]] = Counter()
        self._status: str | None = None
        self._report: Report | None = None

    def events(self) -> Iterator[ReportEvent]:
        """The events, until the report is done.

        Raises:
            WaitTimedOut: If it was not done in time.
            CognyError: If the API refuses to tell.
        """
        streams = True
        while True:
            before = self._told.total()
            try:
                for event in self._read_stream() if streams else ():
                    yield event
                    if event.is_last:
                        return
            except (AuthError, Forbidden, Untrusted):
                raise
            except FatalError as error:  # there is no such stream; whether there is such a report, a look tells
                logger.info("%s; the report is polled", error)
                streams = False
            except (TransientError, ContractError) as error:
                logger.info("%s; the stream is taken up again", error)
            if self._told.total() > before:
                self._pauses = Pauses(self._context.timing.jitter)
            else:
                event_of_look = self._look()
                if event_of_look is not None:
                    yield event_of_look
                    if event_of_look.is_last:
                        return
            if not self._deadline.sleep(self._pauses.draw(None)):
                raise self._timed_out()

    def _read_stream(self) -> Iterator[ReportEvent]:
        """The new events of one connection; what came before is left out."""
        call = Call("GET", f"{PATH}/{self._identity}/stream", scope=SCOPE)
        headers = {"Accept": EVENT_STREAM, "Accept-Encoding": "identity", "Cache-Control": "no-cache"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id.encode().decode("latin-1")  # UTF-8, as the standard says
        repeated = self._told.copy()
        self._check_time()
        silence_seconds = min(SILENCE_SECONDS, max(LEAST_SECONDS, self._deadline.left))
        with self._context.http.open(
            call, headers, silence_seconds, self._context.meter, until=self._deadline.at
        ) as response:
            _check_type(response)
            for event in self._parse(response, silence_seconds):
                key = (event.id, event.type, event.data)
                if repeated[key] > 0:  # without ids, or where Last-Event-ID is ignored, a stream begins anew
                    repeated[key] -= 1
                    continue
                self._told[key] += 1
                self._last_id = event.id
                yield self._read_event(event)

    def _parse(self, response: requests.Response, silence_seconds: float) -> Iterator[ServerSentEvent]:
        """The events as they come; comments alone do not keep a stream going."""
        parser = EventParser(int(self._context.settings.max_answer_megabytes * MEGABYTE))
        stopwatch = self._context.timing.stopwatch
        heard_at = stopwatch()
        while piece := response.raw.read1(PIECE_BYTES, decode_content=True):
            for event in parser.feed(piece):
                heard_at = stopwatch()
                yield event
            self._check_time()
            # Close to the deadline a connection with a shorter time-out takes its place.
            if stopwatch() - heard_at > SILENCE_SECONDS or self._deadline.left < silence_seconds / 2:
                return

    def _read_event(self, event: ServerSentEvent) -> ReportEvent:
        try:
            data = parse_json(event.data.encode())
        except ValueError:
            data = event.data
        if event.type == "status" and isinstance(data, dict):
            self._status = data.get("status", self._status)
        return ReportEvent(type=safe_text(event.type), data=data, id=event.id or None)

    def _look(self) -> ReportEvent | None:
        """What a look at the report tells: its end, or another status than the last event told."""
        self._check_time()
        try:
            answer = self._context.get(f"{PATH}/{self._identity}", SCOPE, until=self._deadline.at)
            report = self._report = read_report(answer, self._identity)
        except (TransientError, ContractError) as error:
            logger.warning("%s; still waiting", error)
            return None
        if report.is_finished:
            kind = "completed" if report.is_completed else "error"
        elif report.status != self._status:
            kind = "status"
        else:
            return None
        self._status = report.status
        return ReportEvent(type=kind, data=report.raw, report=report)

    def _check_time(self) -> None:
        if self._deadline.left <= 0:
            raise self._timed_out()

    def _timed_out(self) -> CognyError:
        message = f"report {self._identity} is not done after {self._deadline.timeout_seconds:g} s"
        return WaitTimedOut(message, self._report)


def _check_type(response: requests.Response) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != EVENT_STREAM:
        raise ContractError("the API answered with something else than a stream of events", status=response.status_code)
