"""Writes: sent again only where they did not run; two budgets; deadlines; and whether a request can have arrived."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from cogny_source.api.calls import Call
from cogny_source.api.http_client import HttpClient, Timing, make_client
from cogny_source.api.meter import Meter
from cogny_source.api.session import CERTIFICATE_FILES
from cogny_source.errors import BadRequest, CognyError, EdgeRefusal, NetworkError, RateLimited, ServerError
from cogny_source.settings import Settings
from tests.support.certificates import Authority
from tests.support.wire import Wire

if TYPE_CHECKING:
    from tests.support.edge import Clock, Edge

Made = Callable[..., HttpClient]
OK = {"success": True, "data": {"id": "rpt_1"}, "meta": {}}
CREATE = Call("POST", "/reports", body={"prompt": "Warum fällt es?"})


def test_a_write_carries_its_body(edge: Edge, make_client: Made, meter: Meter) -> None:
    """As JSON, with its length; a write without a body says so."""
    edge.will_answer(OK)
    client = make_client(edge.base_url)
    assert client.send(CREATE, meter).data == {"id": "rpt_1"}
    client.send(Call("DELETE", "/reports/rpt_1"), meter)
    client.get("/reports/rpt_1", {}, meter)
    methods, bodies = zip(*edge.bodies, strict=True)
    assert methods == ("POST", "DELETE", "GET")
    assert json.loads(bodies[0]) == {"prompt": "Warum fällt es?"}
    headers = [headers for _, headers in edge.received]
    assert headers[0]["Content-Type"] == "application/json"
    assert [head.get("Content-Length") for head in headers] == [str(len(bodies[0])), "0", None]


@pytest.mark.parametrize("status", [425, 521, 523, 525, 526])
def test_what_did_not_run_is_sent_again(edge: Edge, make_client: Made, meter: Meter, status: int) -> None:
    """After a wait, until it is answered."""
    edge.will_answer(b"<html>", status)
    edge.will_answer(OK)
    assert make_client(edge.base_url).send(CREATE, meter).data == {"id": "rpt_1"}
    assert len(edge.bodies) == 2


def test_a_429_is_sent_again_after_its_wait(edge: Edge, make_client: Made, meter: Meter, clock: Clock) -> None:
    """As long as the API asks for."""
    edge.will_answer({"success": False, "error": {"code": "RATE_LIMIT_EXCEEDED"}}, 429, {"Retry-After": "7"})
    edge.will_answer(OK)
    make_client(edge.base_url).send(CREATE, meter)
    assert (len(edge.bodies), clock.slept) == (2, [7.0])


@pytest.mark.parametrize("status", [200, 201, 204, 408, 500, 502, 503, 504, 520, 522, 524])
def test_what_may_have_run_is_sent_once(edge: Edge, make_client: Made, meter: Meter, status: int) -> None:
    """The error comes at once."""
    edge.will_answer(b"", status)
    with pytest.raises(ServerError):
        make_client(edge.base_url).send(CREATE, meter)
    assert len(edge.bodies) == 1


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (422, BadRequest)])
def test_what_is_refused_is_sent_once(
    edge: Edge, make_client: Made, meter: Meter, status: int, kind: type[CognyError]
) -> None:
    """It would be refused again."""
    edge.will_answer({"success": False, "error": {"code": "INVALID_PARAMETER"}}, status)
    with pytest.raises(kind):
        make_client(edge.base_url).send(CREATE, meter)
    edge.will_answer(b"<html>", 403)
    with pytest.raises(CognyError):
        make_client(edge.base_url).send(CREATE, meter)
    assert len(edge.bodies) == 2


def test_an_edge_that_refuses_a_write_is_asked_once(edge: Edge, make_client: Made, meter: Meter) -> None:
    """A reading would be sent again."""
    edge.will_answer(b"<html>", 403)
    with pytest.raises(EdgeRefusal):
        make_client(edge.base_url).send(CREATE, meter)
    assert len(edge.bodies) == 1


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        return int(line.getsockname()[1])


def failure_of(client: HttpClient) -> NetworkError:
    """How a write ends, at its first attempt."""
    with pytest.raises(NetworkError) as caught:
        client.send(CREATE, Meter(), until=-1.0)
    return caught.value


def test_a_refused_connection_carries_nothing(make_client: Made) -> None:
    """Nobody listens."""
    assert not failure_of(make_client(f"http://127.0.0.1:{free_port()}/v1")).may_have_arrived


def test_an_unknown_host_gets_nothing(make_client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name leads nowhere."""

    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr("urllib3.util.connection.socket.getaddrinfo", fail)
    assert not failure_of(make_client("https://nowhere.invalid/v1")).may_have_arrived


def test_a_proxy_that_is_away_passes_nothing_on(make_client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tunnel is not there."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    assert not failure_of(make_client("https://api.cogny.example/v1")).may_have_arrived


def test_a_handshake_that_breaks_off_carries_nothing(make_client: Made) -> None:
    """The server hangs up before TLS stands."""

    def accept() -> None:
        line, _ = listener.accept()
        with line:
            line.recv(100)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        assert not failure_of(make_client(url)).may_have_arrived
        thread.join()


@pytest.mark.parametrize("tls", [False, True])
def test_a_request_that_was_sent_may_have_arrived(
    make_client: Made, tls: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server hangs up in place of an answer."""
    authority = Authority(tmp_path)
    monkeypatch.setenv(CERTIFICATE_FILES[0], str(authority.file))
    context = authority.serve("127.0.0.1") if tls else None
    with Wire(lambda line, _: line.shutdown(socket.SHUT_RDWR), context) as wire:
        client = make_client(wire.base_url)
        assert failure_of(client).may_have_arrived
        assert failure_of(client).may_have_arrived


def test_a_read_that_times_out_may_have_arrived(make_client: Made) -> None:
    """The server reads and says nothing."""
    with Wire(None) as wire:
        assert failure_of(make_client(wire.base_url, read_timeout_seconds=0.05)).may_have_arrived


@pytest.fixture
def budgets(edge: Edge, clock: Clock) -> HttpClient:
    """A client with a hundred requests a minute and ten batch operations, which keeps no reserve."""
    settings = Settings(api_key="sk_live_x", base_url=edge.base_url, requests_per_minute=100, reserve_requests=0)
    return make_client(settings, Timing(clock, clock.sleep, lambda: 0.5, clock))


BULK = Call("POST", "/tickets/bulk-update", body={}, batch=True)


def test_headers_of_a_batch_leave_the_general_window_alone(edge: Edge, budgets: HttpClient, clock: Clock) -> None:
    """None left for batches does not hold up the next list."""
    left = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock()) + 41)}
    edge.will_answer(OK, 200, left)
    edge.will_answer(OK)
    budgets.send(BULK, Meter())
    budgets.get("/tickets", {}, Meter())
    assert (clock.slept, budgets.limiter.remaining) == ([], None)
    budgets.send(BULK, Meter())
    assert clock.slept == [42.0]


def test_batches_keep_to_ten_a_minute_by_themselves(edge: Edge, budgets: HttpClient, clock: Clock) -> None:
    """The eleventh waits, though no header says so; a batch takes a general slot too."""
    edge.will_answer(OK)
    for _ in range(10):
        budgets.send(BULK, Meter())
    assert (clock.slept, budgets.limiter.spare) == ([], 90)
    budgets.send(BULK, Meter())
    assert clock.slept == [60.0]


def test_too_many_unfinished_reports_hold_nobody_else_up(edge: Edge, budgets: HttpClient, clock: Clock) -> None:
    """With requests left in the window, it is this one alone that is turned away."""
    left = {"X-RateLimit-Remaining": "50", "X-RateLimit-Reset": str(int(clock()) + 41), "Retry-After": "30"}
    edge.will_answer({"success": False, "error": {"code": "RATE_LIMIT_EXCEEDED"}}, 429, left)
    edge.will_answer(OK)
    with pytest.raises(RateLimited, match="after the deadline"):
        budgets.send(CREATE, Meter(), until=clock() + 10)
    budgets.get("/reports", {}, Meter())
    assert clock.slept == []


def test_no_attempt_begins_after_the_deadline(edge: Edge, make_client: Made, clock: Clock) -> None:
    """An outage is borne as long as there is time."""
    edge.will_answer(b"<html>", 521)
    end = clock() + 10
    with pytest.raises(ServerError, match="the next attempt would come after the deadline"):
        make_client(edge.base_url).send(Call("GET", "/reports"), Meter(), until=end)
    assert clock() <= end
    assert len(edge.bodies) > 3


def test_a_window_that_opens_after_the_deadline_is_not_waited_for(
    edge: Edge, budgets: HttpClient, clock: Clock
) -> None:
    """The error says how long it would be."""
    edge.will_answer(OK, 200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock()) + 41)})
    budgets.get("/reports", {}, Meter())
    with pytest.raises(RateLimited, match="used up for another 42 s, beyond the deadline"):
        budgets.send(Call("GET", "/reports"), Meter(), until=clock() + 40)
    assert clock.slept == []


def test_an_answer_is_not_waited_for_beyond_the_deadline(make_client: Made) -> None:
    """The time-out of a read ends with it, after a second at least."""
    with Wire(None) as wire:
        client = make_client(wire.base_url)
        with pytest.raises(NetworkError, match="no answer within 1 s"):
            client.send(Call("GET", "/reports"), Meter(), until=0.0)
