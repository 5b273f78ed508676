"""One request on the wire: it is sent once, and its answer read whole, or the reason told why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

import orjson
import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError

from cogny_source.api.calls import Call
from cogny_source.api.cookies import MOST_COOKIE_BYTES
from cogny_source.api.lines import Lines
from cogny_source.api.outage import Outage, find_address, find_obstacle
from cogny_source.api.request_ids import RequestIds
from cogny_source.api.session import open_session
from cogny_source.api.tls import find_distrust
from cogny_source.api.transport import Failure, Timeouts, TooLong, describe_failure, may_have_arrived, read_body
from cogny_source.errors import AnswerTooLarge, CognyError, NetworkError, Unreachable, Untrusted
from cogny_source.settings import Settings

MEGABYTE = 2**20


class Wire:
    """Sends requests over the client's connections. Thread-safe.

    Args:
        settings: Base URL, key, time-outs and the largest answer.
        stopwatch: Monotonic seconds.
        check: Called after a failure; raises `Stopped` once the run must end.
        adapter: Sends the requests in place of connections, in tests.

    Attributes:
        lines: The connections.
        session: Key, cookies, proxies and certificates.
        reached: Whether the API ever answered.
        outage: Tells that the host cannot be reached.
    """

    def __init__(
        self,
        settings: Settings,
        stopwatch: Callable[[], float],
        check: Callable[[], None],
        adapter: BaseAdapter | None = None,
    ) -> None:
        self.lines = Lines()
        self.session = open_session(settings, self.lines, adapter)
        self.reached = False
        self.outage = Outage(find_address(settings.base_url), stopwatch)
        self._settings = settings
        self._stopwatch = stopwatch
        self._check = check
        # Prepared once for all paths: preparing each request anew is a third of its CPU time.
        self._prepared = self.session.prepare_request(requests.Request("GET", settings.base_url))
        self._timeouts = Timeouts(settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self._most_bytes = int(settings.max_answer_megabytes * MEGABYTE)
        self._request_ids = RequestIds()

    def exchange(self, call: Call, until: float = inf) -> requests.Response:
        """Send a request once and read the whole answer, whatever its status.

        Args:
            call: The request.
            until: When the answer is no longer wanted, by the stopwatch.

        Raises:
            NetworkError: If there is no whole answer.
            Untrusted: If the connection cannot be trusted.
            AnswerTooLarge: If the answer is larger than the settings allow.
        """
        request_id = self._request_ids.make()
        timeouts = self._timeouts.within(until - self._stopwatch())
        deadline = self._stopwatch() + timeouts.answer_seconds
        try:
            response = self._send(call, request_id, timeouts)
            self._read_whole(response, call, deadline)
        except (OSError, HTTPError) as exc:
            raise self._explain(exc, call, request_id, timeouts) from exc
        return response

    def open(self, call: Call, headers: Mapping[str, str], read_seconds: float) -> requests.Response:
        """Send a request once, and leave the body to be read where the status is 200.

        Args:
            call: The request.
            headers: Its headers beside the usual ones.
            read_seconds: The time-out of each read.

        Raises:
            NetworkError: If there is no answer.
            Untrusted: If the connection cannot be trusted.
        """
        request_id = self._request_ids.make()
        timeouts = Timeouts(self._timeouts.connect_seconds, read_seconds)
        deadline = self._stopwatch() + timeouts.answer_seconds
        try:
            response = self._send(call, request_id, timeouts, headers)
            if response.status_code != 200:
                self._read_whole(response, call, deadline)
        except (OSError, HTTPError) as exc:
            raise self._explain(exc, call, request_id, timeouts) from exc
        return response

    def explain(self, exc: Failure, call: Call, read_seconds: float) -> CognyError:
        """The error of a body that was read by somebody else."""
        return self._explain(exc, call, None, Timeouts(self._timeouts.connect_seconds, read_seconds))

    def is_of_another(self, response: requests.Response, answered: str | None) -> bool:
        """Whether an answer has the id of another request of this client: it is late, or comes from a cache."""
        return self._request_ids.is_ours(answered) and answered != response.request.headers.get("X-Request-ID")

    def make_request(self, call: Call, request_id: str) -> requests.PreparedRequest:
        """A request, ready to be sent."""
        request = self._prepared.copy()
        request.prepare_url(self._settings.base_url + call.path, dict(call.params))
        request.headers["X-Request-ID"] = request_id
        if call.writes:
            request.method = call.method
            request.prepare_body(None if call.body is None else orjson.dumps(call.body), None)
            request.headers["Content-Type"] = "application/json"
        if self.session.cookies:  # an edge may keep a client at one server by them
            request.headers.pop("Cookie", None)
            request.prepare_cookies(self.session.cookies)
            if len(request.headers.get("Cookie") or "") > MOST_COOKIE_BYTES:
                del request.headers["Cookie"]
                self.session.cookies.clear()
        return request

    def _send(
        self, call: Call, request_id: str, timeouts: Timeouts, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        request = self.make_request(call, request_id)
        request.headers.update(headers or {})
        self.lines.is_connecting = False
        response = self.session.send(
            request, timeout=(timeouts.connect_seconds, timeouts.read_seconds), allow_redirects=False, stream=True
        )
        self.reached = True
        self.outage.end()
        return response

    def _read_whole(self, response: requests.Response, call: Call, deadline: float) -> None:
        try:
            read_body(response, lambda: self._stopwatch() > deadline, self._most_bytes)
        except TooLong:
            most = f"{self._settings.max_answer_megabytes:g} MB (max_answer_megabytes)"
            sent = response.request.headers.get("X-Request-ID")
            raise AnswerTooLarge(f"the answer holds more than {most}", request_id=str(sent), path=call.path) from None

    def _explain(self, exc: Failure, call: Call, request_id: str | None, timeouts: Timeouts) -> CognyError:
        self._check()
        distrust = find_distrust(exc)
        if distrust is not None:
            return Untrusted(distrust, request_id=request_id, path=call.path)
        obstacle = find_obstacle(exc, timeouts.connect_seconds)
        error: NetworkError
        if obstacle is not None:  # the request never arrived, so that its id helps nobody
            error = Unreachable(f"cannot connect to {self.outage.address}: {obstacle}", path=call.path)
        else:
            error = NetworkError(describe_failure(exc, timeouts), request_id=request_id, path=call.path)
        error.may_have_arrived = may_have_arrived(exc) and not self.lines.is_connecting
        return error
