"""GET requests to the API: paced, retried where that may help, and counted."""

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
from urllib3.exceptions import HTTPError

from cogny_source.api.cookies import MOST_COOKIE_BYTES
from cogny_source.api.envelope import Answer, find_contradiction, read_answer
from cogny_source.api.lines import Lines
from cogny_source.api.meter import Meter
from cogny_source.api.outage import Outage, find_address, find_obstacle
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.api.request_ids import RequestIds
from cogny_source.api.retry import (
    Effort,
    Patience,
    describe_clock,
    longest_trial,
    reason_to_give_up,
    retry_after_seconds,
    retry_delay,
    server_epoch,
)
from cogny_source.api.server_clock import MOST_DRIFT_SECONDS, ServerClock, read_server_clock
from cogny_source.api.session import open_session
from cogny_source.api.tls import find_distrust
from cogny_source.api.transport import Timeouts, TooLong, describe_failure, read_body
from cogny_source.errors import (
    AnswerTooLarge,
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
    Untrusted,
)
from cogny_source.log_fields import fields
from cogny_source.settings import Settings
from cogny_source.timestamps import parse_http_date

logger = logging.getLogger(__name__)

QUIET_WAIT_SECONDS = 2.0
MEGABYTE = 2**20
# The parameters of a request for a whole list; any other one filters the list or continues it.
UNFILTERED = {"limit", "sort"}
Params = Mapping[str, str | int]


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
    """Sends GET requests to the API. Thread-safe.

    Args:
        settings: Base URL, key, time-outs, the longest wait and the longest outage to tolerate.
        limiter: The pace, shared by all resources of a run.
        timing: Clock, sleep and chance.
    """

    def __init__(self, settings: Settings, limiter: RateLimiter, timing: Timing | None = None) -> None:
        self.limiter = limiter
        self._settings = settings
        self._timing = timing or Timing()
        self._lines = Lines()
        self._session = open_session(settings, self._lines)
        # Prepared once for all paths: preparing each request anew is a third of its CPU time.
        self._prepared = self._session.prepare_request(requests.Request("GET", settings.base_url))
        self._timeouts = Timeouts(settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self._patience = Patience(settings.max_outage_seconds, settings.max_wait_seconds)
        self._most_bytes = int(settings.max_answer_megabytes * MEGABYTE)
        self._request_ids = RequestIds()
        self._outage = Outage(find_address(settings.base_url), self._timing.stopwatch)
        self._reached = False
        self._recognised = False
        self._answered = False
        self._first = threading.Lock()
        self._logged_until = -inf
        self._warned_of_clock = False

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None) -> Answer:
        """Send a GET request, and retry until it is answered or a retry is pointless.

        Args:
            path: The path below the base URL, such as `/tickets`.
            params: The query.
            meter: Counts what the request costs.
            scope: The scope that the path needs, for the message of a 403.

        Returns:
            The answer.

        Raises:
            TransientError: If the outage, or the wait that the API asks for, is longer than the settings allow.
            FatalError: If the API refuses the request.
        """
        effort = Effort()
        while True:
            with self._alone_at_first():
                self._wait_for_slot(path, meter)
                self._timing.check()
                meter.add(requests=1)
                sent_at = self._timing.stopwatch()
                try:
                    answer = self._try_once(path, params, scope)
                except CognyError as error:
                    # A refusal is an answer too, such as 404 for a single row: the limiter lets the next request go.
                    self.limiter.settle(sent_at, answered=isinstance(error, FatalError))
                    raise
            self.limiter.settle(sent_at, answered=isinstance(answer, Answer))
            if isinstance(answer, Answer):
                return answer
            meter.add(throttled=int(isinstance(answer, RateLimited)))
            delay = self._next_delay(answer, effort, sent_at)
            if delay is None:
                raise answer
            if isinstance(answer, RateLimited):
                self.limiter.pause(delay)
            meter.add(retries=1)
            if isinstance(answer, Unreachable):
                lasts_seconds = longest_trial(answer, effort, self._patience, reached=self._reached)
                self._outage.tell(answer.message, lasts_seconds)
                self._wait(delay, f"no connection to {self._outage.address}", meter, is_told=True)
                continue
            logger.warning(
                "%s; attempt %d is repeated in %.1f s",
                answer,
                effort.attempts,
                delay,
                extra=fields(path=path, request_id=answer.request_id, status=answer.status, attempt=effort.attempts),
            )
            self._wait(delay, f"{path}: after attempt {effort.attempts}", meter)

    @property
    def reached(self) -> bool:
        """Whether the API, or an edge in front of it, ever answered."""
        return self._reached

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def hang_up(self) -> None:
        """Abort every open request, from another thread, and refuse new ones."""
        self._lines.hang_up()

    def _try_once(self, path: str, params: Params, scope: str | None) -> Answer | TransientError:
        try:
            return self._send(path, params)
        except Forbidden as error:
            _name_scope(error, scope)
            raise
        except AuthError as error:
            if self._settings.key_source:
                error.message += f"; the key is that of {self._settings.key_source}"
            raise
        except TransientError as error:
            return error

    def _next_delay(self, error: TransientError, effort: Effort, sent_at: float) -> float | None:
        """Seconds before the next attempt; None to give up, with the reason added to the error's message."""
        effort.add_failure(error, self._timing.stopwatch())
        delay = retry_delay(error, effort.attempts, self._timing.jitter())
        if isinstance(error, RateLimited):
            delay = max(delay, self.limiter.refuse(sent_at, error.retry_after_seconds))
        reached = self._recognised if isinstance(error, EdgeRefusal) else self._reached
        reason = reason_to_give_up(error, delay, effort, self._patience, reached=reached)
        if reason is not None:
            doubt = "; base_url may lead elsewhere" if isinstance(error, EdgeRefusal) and not reached else ""
            error.message += f"; {reason}{doubt}"
            return None
        effort.add_wait(delay)
        return delay

    def _send(self, path: str, params: Params) -> Answer:
        response = self._fetch(path, params)
        self.limiter.read_headers(response.headers)
        self._answered = True
        try:
            answer = read_answer(response, path)
            self._check_answer(answer, path, params)
        except CognyError as error:
            self._check_request_id(error.request_id, response, path)
            self._recognised = self._recognised or not isinstance(error, TransientError)
            self._conceal_key(error)
            asks_to_wait = isinstance(error, RateLimited) or "Retry-After" in response.headers
            if isinstance(error, TransientError) and asks_to_wait:
                now = server_epoch(response.headers, self._timing.clock())
                error.retry_after_seconds = retry_after_seconds(response.headers, now)
            raise
        self._check_request_id(answer.request_id, response, path)
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

    def _check_answer(self, answer: Answer, path: str, params: Params) -> None:
        contradiction = find_contradiction(answer, from_the_start=params.keys() <= UNFILTERED)
        if contradiction is not None:
            raise Contradiction(contradiction, status=200, request_id=answer.request_id, path=path)

    def _check_request_id(self, answered: str | None, response: requests.Response, path: str) -> None:
        """Refuse an answer with the id of another request of this client: it is late, or comes from a cache."""
        sent = response.request.headers.get("X-Request-ID")
        if self._request_ids.is_ours(answered) and answered != sent:
            self._session.close()  # later answers over this connection cannot be trusted either
            raise NetworkError("the answer is that of another request", request_id=str(sent), path=path)

    def _fetch(self, path: str, params: Params) -> requests.Response:
        """Send the request once and read the whole answer, whatever its status."""
        request_id = self._request_ids.make()
        deadline = self._timing.stopwatch() + self._timeouts.answer_seconds
        try:
            response = self._session.send(
                self._make_request(path, params, request_id),
                timeout=(self._timeouts.connect_seconds, self._timeouts.read_seconds),
                allow_redirects=False,
                stream=True,
            )
            self._reached = True
            self._outage.end()
            read_body(response, lambda: self._timing.stopwatch() > deadline, self._most_bytes)
        except TooLong:
            most = f"{self._settings.max_answer_megabytes:g} MB (max_answer_megabytes)"
            raise AnswerTooLarge(f"the answer holds more than {most}", request_id=request_id, path=path) from None
        except (OSError, HTTPError) as exc:
            self._timing.check()
            distrust = find_distrust(exc)
            if distrust is not None:
                raise Untrusted(distrust, request_id=request_id, path=path) from exc
            obstacle = find_obstacle(exc, self._timeouts.connect_seconds)
            if obstacle is not None:  # the request never arrived, so that its id helps nobody
                raise Unreachable(f"cannot connect to {self._outage.address}: {obstacle}", path=path) from exc
            raise NetworkError(describe_failure(exc, self._timeouts), request_id=request_id, path=path) from exc
        return response

    def _make_request(self, path: str, params: Params, request_id: str) -> requests.PreparedRequest:
        url = self._settings.base_url + path
        request = self._prepared.copy()
        request.prepare_url(url, dict(params))
        request.headers["X-Request-ID"] = request_id
        if self._session.cookies:  # an edge may keep a client at one server by them
            request.headers.pop("Cookie", None)
            request.prepare_cookies(self._session.cookies)
            if len(request.headers.get("Cookie") or "") > MOST_COOKIE_BYTES:
                del request.headers["Cookie"]
                self._session.cookies.clear()
        return request

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

    def _wait_for_slot(self, path: str, meter: Meter) -> None:
        while (wait_seconds := self.limiter.reserve_slot()) > 0:
            if wait_seconds > self._settings.max_wait_seconds:
                raise RateLimited(
                    f"the rate limit is used up for another {wait_seconds:.0f} s, longer than "
                    f"max_wait_seconds={self._settings.max_wait_seconds:.0f}",
                    path=path,
                    retry_after_seconds=wait_seconds,
                )
            self._wait(wait_seconds, f"{path}: the rate limit's window is used up", meter)

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


def _name_scope(error: Forbidden, scope: str | None) -> None:
    """Add the scope to the message; only the sender knows it."""
    if scope and scope not in error.message:
        error.message += f"; the key needs the scope {scope}"


def make_client(settings: Settings, timing: Timing | None = None) -> HttpClient:
    """A client with the limiter that its settings ask for."""
    timing = timing or Timing(clock=time.time)
    pace = Pace(settings.requests_per_minute, reserve_at_most=settings.reserve_requests)
    return HttpClient(settings, RateLimiter(pace, timing.stopwatch, timing.clock), timing)
