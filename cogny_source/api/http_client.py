"""Requests to the API: paced, sent again where that may help and cannot do harm, and counted."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf

import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError

from cogny_source.api.advice import name_scope, used_up
from cogny_source.api.calls import Call, Params
from cogny_source.api.envelope import Answer, find_contradiction, read_answer
from cogny_source.api.meter import Meter
from cogny_source.api.outcome import Outcome, judge
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.api.retry import (
    Effort,
    Patience,
    describe_clock,
    longest_trial,
    read_advice,
    reason_to_give_up,
    retry_delay,
)
from cogny_source.api.server_clock import MOST_DRIFT_SECONDS, ServerClock, read_server_clock
from cogny_source.api.wire import Wire
from cogny_source.errors import (
    AuthError,
    CognyError,
    Contradiction,
    EdgeRefusal,
    FatalError,
    Forbidden,
    NetworkError,
    RateLimited,
    TransientError,
    Unreachable,
)
from cogny_source.log_fields import fields
from cogny_source.settings import Settings
from cogny_source.timestamps import parse_http_date

logger = logging.getLogger(__name__)

QUIET_WAIT_SECONDS = 2.0
# The parameters of a request for a whole list; any other one filters the list or continues it.
UNFILTERED = {"limit", "sort"}
# For requests that a later run can send as well: a window of the rate limit, and an answer that takes its time.
HASTY_SECONDS = 120.0
# Bulk updates and exports, of every tier.
BATCH_REQUESTS_PER_MINUTE = 10.0


@dataclass(frozen=True)
class Timing:
    """Clock, sleep and chance, handed in so that tests need no time.

    Attributes:
        clock: Epoch seconds of this machine.
        sleep: Waits that many seconds; may raise `Stopped`.
        jitter: A random number in [0, 1).
        stopwatch: Monotonic seconds; measures outages and answers.
        on_wait: Called before each wait with its seconds and its reason.
        check: Called before each request and after a failed one; raises `Stopped` once the run must end.
    """

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    stopwatch: Callable[[], float] = time.monotonic
    on_wait: Callable[[float, str], None] = lambda *_: None
    check: Callable[[], None] = lambda: None


class HttpClient:
    """Sends requests to the API. Thread-safe.

    Args:
        settings: Base URL, key, time-outs, the longest wait and the longest outage to tolerate.
        limiter: The pace, shared by all resources of a run.
        timing: Clock, sleep and chance.
        batch_limiter: The pace of batch operations, which are counted for themselves; None if there are none.
        adapter: Sends the requests in place of connections, in tests.
    """

    def __init__(
        self,
        settings: Settings,
        limiter: RateLimiter,
        timing: Timing | None = None,
        *,
        batch_limiter: RateLimiter | None = None,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self.limiter = limiter
        self._timing = timing or Timing()
        self._batch_limiter = batch_limiter or limiter
        self._settings = settings
        self._wire = Wire(settings, self._timing.stopwatch, self._timing.check, adapter)
        self._patience = Patience(settings.max_outage_seconds, settings.max_wait_seconds)
        self._recognised = False
        self._answered = False
        self._first = threading.Lock()
        self._logged_until = -inf
        self._warned_of_clock = False

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """Send a GET request, and retry until it is answered or a retry is pointless.

        Args:
            path: The path below the base URL, such as `/tickets`.
            params: The query.
            meter: Counts what the request costs.
            scope: The scope that the path needs, for the message of a 403.
            patient: Whether to wait after a 429, and as long as the settings allow; else `HASTY_SECONDS` at most.

        Returns:
            The answer.

        Raises:
            TransientError: If the outage, or the wait that the API asks for, is longer than the settings allow.
            FatalError: If the API refuses the request.
        """
        until = inf if patient else self._timing.stopwatch() + HASTY_SECONDS
        return self.send(Call("GET", path, params, scope=scope, patient=patient), meter, until=until)

    def send(self, call: Call, meter: Meter, *, until: float = inf) -> Answer:
        """Send a request, and again until it is answered or that is pointless; a write only if it did not run.

        Args:
            call: The request.
            meter: Counts what it costs.
            until: No attempt begins after this moment of the stopwatch.

        Raises:
            TransientError: If the outage or the wait is too long, or the deadline comes first. Of a write, also where
                its outcome is unknown: `judge` tells.
            FatalError: If the API refuses the request.
        """
        effort = Effort()
        while True:
            with self._alone_at_first():
                self._wait_for_slot(call, meter, until)
                self._timing.check()
                meter.add(requests=1)
                sent_at = self._timing.stopwatch()
                try:
                    answer = self._try_once(call, until)
                except CognyError as error:
                    # A refusal is an answer too, such as 404 for a single row: the limiter lets the next request go.
                    self._settle(call, sent_at, answered=isinstance(error, FatalError))
                    raise
            self._settle(call, sent_at, answered=isinstance(answer, Answer))
            if isinstance(answer, Answer):
                return answer
            meter.add(throttled=int(isinstance(answer, RateLimited)))
            if call.writes and judge(answer) is not Outcome.NOT_RUN:
                raise answer
            delay = self._next_delay(call, answer, effort, sent_at, until)
            if delay is None:
                raise answer
            meter.add(retries=1)
            if isinstance(answer, Unreachable):
                outage = self._wire.outage
                outage.tell(answer.message, longest_trial(answer, effort, self._patience, reached=self._wire.reached))
                self._wait(delay, f"no connection to {outage.address}", meter, is_told=True)
                continue
            logger.warning(
                "%s; attempt %d is repeated in %.1f s",
                answer,
                effort.attempts,
                delay,
                extra=fields(
                    path=call.path, request_id=answer.request_id, status=answer.status, attempt=effort.attempts
                ),
            )
            self._wait(delay, f"{call.path}: after attempt {effort.attempts}", meter)

    @contextmanager
    def open(
        self, call: Call, headers: Mapping[str, str], read_seconds: float, meter: Meter, *, until: float = inf
    ) -> Iterator[requests.Response]:
        """Send a request once, and leave the body of its answer to be read within the block.

        Args:
            call: The request.
            headers: Its headers beside the usual ones.
            read_seconds: The time-out of each read of the body.
            meter: Counts what it costs.
            until: It does not begin after this moment of the stopwatch.

        Raises:
            CognyError: If the status is not 200, or the connection breaks within the block.
        """
        self._wait_for_slot(call, meter, until)
        meter.add(requests=1)
        sent_at = self._timing.stopwatch()
        with self._wire.open(call, headers, read_seconds) as response:
            self.limiter.read_headers(response.headers)
            self._settle(call, sent_at, answered=response.status_code == 200)
            if response.status_code != 200:
                self._refuse_stream(call, response, sent_at)
            try:
                yield response
            except (OSError, HTTPError) as exc:
                raise self._wire.explain(exc, call, read_seconds) from exc

    def _refuse_stream(self, call: Call, response: requests.Response, sent_at: float) -> None:
        """Raise the error of a stream that did not begin; a 429 pauses other requests too."""
        try:
            self._read(call, response)
        except RateLimited as error:
            delay = self.limiter.refuse(sent_at, error.retry_after_seconds)
            self.limiter.pause(max(delay, retry_delay(error, 1, self._timing.jitter())))
            raise

    @property
    def reached(self) -> bool:
        """Whether the API, or an edge in front of it, ever answered."""
        return self._wire.reached

    def close(self) -> None:
        """Close the connections."""
        self._wire.session.close()

    def hang_up(self) -> None:
        """Abort every open request, from another thread, and refuse new ones."""
        self._wire.lines.hang_up()

    def _limiter_of(self, call: Call) -> RateLimiter:
        return self._batch_limiter if call.batch else self.limiter

    def _settle(self, call: Call, sent_at: float, *, answered: bool) -> None:
        for limiter in {self._limiter_of(call), self.limiter}:
            limiter.settle(sent_at, answered=answered)

    def _try_once(self, call: Call, until: float) -> Answer | TransientError:
        try:
            response = self._wire.exchange(call, until)
            self._limiter_of(call).read_headers(response.headers)
            self._answered = True
            return self._read(call, response)
        except Forbidden as error:
            name_scope(error, call.scope)
            raise
        except AuthError as error:
            error.message += f"; the key is that of {source}" if (source := self._settings.key_source) else ""
            raise
        except TransientError as error:
            return error

    def _next_delay(
        self, call: Call, error: TransientError, effort: Effort, sent_at: float, until: float
    ) -> float | None:
        """Seconds before the next attempt; None to give up, with the reason added to the error's message."""
        effort.add_failure(error, self._timing.stopwatch())
        delay = retry_delay(error, effort.attempts, self._timing.jitter())
        limiter = self._limiter_of(call) if isinstance(error, RateLimited) and error.window_used_up else None
        if limiter is not None:
            delay = max(delay, limiter.refuse(sent_at, error.retry_after_seconds))
        reached = self._recognised if isinstance(error, EdgeRefusal) else self._wire.reached
        reason = reason_to_give_up(error, delay, effort, self._patience, reached=reached)
        if self._timing.stopwatch() + delay > until:
            reason = reason or "the next attempt would come after the deadline"
        if isinstance(error, RateLimited) and not call.patient:
            reason = reason or f"{delay:.0f} s to wait, and the request can wait for a later run"
        if limiter is not None and (reason is None or until < inf):
            limiter.pause(delay)
        if reason is not None:
            doubt = "; base_url may lead elsewhere" if isinstance(error, EdgeRefusal) and not reached else ""
            error.message += f"; {reason}{doubt}"
            return None
        effort.add_wait(delay)
        return delay

    def _read(self, call: Call, response: requests.Response) -> Answer:
        """Read an answer's envelope."""
        try:
            answer = read_answer(response, call.path)
            self._check_answer(answer, call)
        except CognyError as error:
            self._check_request_id(error.request_id, response, call.path)
            self._recognised = self._recognised or not isinstance(error, TransientError)
            self._conceal_key(error)
            read_advice(error, response.headers, self._timing.clock(), writes=call.writes)
            raise
        self._check_request_id(answer.request_id, response, call.path)
        self._recognised = True
        clock = read_server_clock(answer.server_time, parse_http_date(response.headers.get("Date")), self._now())
        self._warn_of_clock(clock)
        return replace(
            answer,
            request_id=self._conceal(answer.request_id),
            server_time=clock.time,
            doubtful_time=clock.doubtful,
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._timing.clock(), UTC)

    def _warn_of_clock(self, clock: ServerClock) -> None:
        """Warn once if the clocks differ: changes are found by the server's clock."""
        if self._warned_of_clock or clock.time is None:
            return
        drift = (clock.time - self._now()).total_seconds()
        if abs(clock.gap_seconds) > MOST_DRIFT_SECONDS:
            self._warned_of_clock = True
            logger.warning("the API tells two times that are %.0f s apart; the earlier counts", abs(clock.gap_seconds))
        elif clock.doubtful:
            self._warned_of_clock = True
            side = "ahead of" if drift > 0 else "behind"
            logger.warning(
                "the API's clock is %.0f s %s this machine's; no watermark passes the newest change", abs(drift), side
            )

    def _check_answer(self, answer: Answer, call: Call) -> None:
        contradiction = find_contradiction(answer, from_the_start=call.params.keys() <= UNFILTERED)
        if contradiction is not None:
            raise Contradiction(contradiction, status=200, request_id=answer.request_id, path=call.path)

    def _check_request_id(self, answered: str | None, response: requests.Response, path: str) -> None:
        """Refuse the answer to another request of this client."""
        if self._wire.is_of_another(response, answered):
            self._wire.session.close()  # later answers over this connection cannot be trusted either
            sent = str(response.request.headers.get("X-Request-ID"))
            raise NetworkError("the answer is that of another request", request_id=sent, path=path)

    @contextmanager
    def _alone_at_first(self) -> Iterator[None]:
        """Send requests one at a time until the first answer: its headers say how many may follow."""
        with ExitStack() as stack:
            if not self._answered:
                stack.enter_context(self._first)
                if self._answered:
                    stack.close()
            yield

    def _conceal_key(self, error: CognyError) -> None:
        """Remove the key from an error's texts: an API may repeat it there, and errors are logged."""
        error.message = self._conceal(error.message) or ""
        error.code, error.request_id = self._conceal(error.code), self._conceal(error.request_id)
        error.args = (error.message,)

    def _conceal(self, text: str | None) -> str | None:
        return text.replace(self._settings.api_key, "[the key]") if text else text

    def _wait_for_slot(self, call: Call, meter: Meter, until: float) -> None:
        # A batch operation counts as a request too; the scarcer slot comes first.
        for limiter in dict.fromkeys((self._limiter_of(call), self.limiter)):
            while (wait_seconds := limiter.reserve_slot()) > 0:
                if wait_seconds > self._settings.max_wait_seconds:
                    limit = f"max_wait_seconds={self._settings.max_wait_seconds:.0f}"
                    raise used_up(call, wait_seconds, f"longer than {limit}")
                if self._timing.stopwatch() + wait_seconds > until:
                    raise used_up(call, wait_seconds, "beyond the deadline")
                self._wait(wait_seconds, f"{call.path}: the rate limit's window is used up", meter)

    def _wait(self, seconds: float, reason: str, meter: Meter, *, is_told: bool = False) -> None:
        end = self._timing.stopwatch() + seconds
        # If several readers wait for the same moment, one of them logs it.
        is_logged = not is_told and seconds > QUIET_WAIT_SECONDS and end > self._logged_until + QUIET_WAIT_SECONDS
        if is_logged:
            self._logged_until = end
            until = describe_clock(self._timing.clock() + seconds)
            logger.info(
                "waiting %.1f s until %s (%s)", seconds, until, reason, extra=fields(wait_seconds=round(seconds, 1))
            )
        self._timing.on_wait(seconds, reason)
        self._timing.sleep(seconds)
        meter.add(waited_seconds=seconds)
        if is_logged:
            logger.info("going on after %.1f s (%s)", seconds, reason)


def make_client(settings: Settings, timing: Timing | None = None, *, adapter: BaseAdapter | None = None) -> HttpClient:
    """A client with the limiters that its settings ask for.

    Args:
        settings: The settings.
        timing: Clock, sleep and chance.
        adapter: Sends the requests in place of connections, in tests.
    """
    timing = timing or Timing(clock=time.time)
    pace = Pace(settings.requests_per_minute, reserve_at_most=settings.reserve_requests)
    batch = Pace(None if settings.requests_per_minute is None else BATCH_REQUESTS_PER_MINUTE, reserve_at_most=0)
    limiter, batch_limiter = (RateLimiter(chosen, timing.stopwatch, timing.clock) for chosen in (pace, batch))
    return HttpClient(settings, limiter, timing, batch_limiter=batch_limiter, adapter=adapter)
