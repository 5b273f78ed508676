"""The server: its life, its memory of requests, and the control routes for other processes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from cogny_source.sandbox import SandboxServer, Switches, World

Get = Callable[..., requests.Response]
Walk = Callable[..., list[dict[str, Any]]]


def control(sandbox: SandboxServer, method: str, route: str, content: Any = None) -> tuple[int, Any]:
    """Status and JSON of a control route."""
    url = sandbox.base_url.removesuffix("/v1") + "/_sandbox/" + route
    answer = requests.request(method, url, json=content, timeout=5)
    return answer.status_code, answer.json()


def test_base_url_is_on_the_loopback(sandbox: SandboxServer) -> None:
    """The server listens on this machine alone, at a free port."""
    host, port = sandbox.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    assert (host, int(port) > 0) == ("127.0.0.1", True)


def test_two_servers_do_not_meet(world: World) -> None:
    """Each server has its own port and its own world."""
    with SandboxServer(world) as one, SandboxServer() as other:
        assert one.base_url != other.base_url
        assert control(one, "GET", "health")[1]["rows"] == {"tickets": 250, "reports": 40, "warehouses": 12}
        assert control(other, "GET", "health")[1]["rows"] == {"tickets": 1000, "reports": 20, "warehouses": 12}


def test_stop_frees_the_port_and_may_be_repeated(world: World) -> None:
    """A stopped server refuses connections; it can be stopped twice and started again on its port."""
    sandbox = SandboxServer(world).start()
    url = sandbox.base_url
    with requests.Session() as session:
        assert session.get(url + "/tickets", timeout=5).status_code == 401
        sandbox.stop()
        sandbox.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(url + "/tickets", timeout=5)
    with sandbox:
        assert sandbox.base_url == url
        assert requests.get(url + "/tickets", timeout=5).status_code == 401


def test_a_taken_port_is_told() -> None:
    """A port in use raises, and nothing is left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        sandbox = SandboxServer(World(tickets=1), port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            sandbox.start()
        sandbox.stop()


def test_requests_are_remembered_without_their_key(sandbox: SandboxServer, get: Get) -> None:
    """A record holds time, path, parameters and status, and nothing of the key."""
    get("/tickets", status="open", limit=5)
    get("/tickets", key="sk_live_secret")
    sandbox.fail_next("html_502")
    get("/reports")
    assert [(item.method, item.path, item.params, item.status, item.fault) for item in sandbox.requests] == [
        ("GET", "/v1/tickets", {"status": "open", "limit": "5"}, 200, None),
        ("GET", "/v1/tickets", {}, 401, None),
        ("GET", "/v1/reports", {}, 502, "html_502"),
    ]
    assert "sk_" not in repr(sandbox.requests)


def test_control_routes_are_not_remembered(sandbox: SandboxServer) -> None:
    """What a test asks of the sandbox is not what a connector asked of the API."""
    control(sandbox, "GET", "health")
    assert control(sandbox, "GET", "requests") == (200, [])


def test_switches_can_be_replaced(sandbox: SandboxServer, get: Get) -> None:
    """All switches at once, at run time."""
    sandbox.switches = Switches(away=True)
    assert get("/tickets").status_code == 521
    sandbox.switches = Switches()
    assert get("/tickets").status_code == 200


def test_truth_over_http(sandbox: SandboxServer) -> None:
    """Other processes read the rows as they are, or as they are shown."""
    sandbox.switches.impact_as_string = 1.0
    assert control(sandbox, "GET", "rows/tickets") == (200, sandbox.world.rows("tickets"))
    assert control(sandbox, "GET", "rows/tickets?as=served") == (200, sandbox.served_rows("tickets"))


def test_whole_numbers_of_any_size_travel(sandbox: SandboxServer, walk: Walk) -> None:
    """Numbers beyond 64 bits are served exactly, plain or dressed, to readers and other processes."""
    sandbox.world.put("tickets", sandbox.world.rows("tickets")[0] | {"supporting_data": {"big": 2**80}})
    assert walk("tickets") == sandbox.world.rows("tickets") == control(sandbox, "GET", "rows/tickets")[1]
    sandbox.switches.undeclared_fields = True
    assert walk("tickets") == sandbox.served_rows("tickets") == control(sandbox, "GET", "rows/tickets?as=served")[1]
    assert walk("tickets")[0]["supporting_data"] == {"big": 2**80}


def test_requests_over_http(sandbox: SandboxServer, get: Get) -> None:
    """Other processes read what was asked."""
    get("/tickets", limit=3)
    status, records = control(sandbox, "GET", "requests")
    assert (status, len(records)) == (200, 1)
    assert records[0] | {"time": 0} == {
        "time": 0,
        "method": "GET",
        "path": "/v1/tickets",
        "params": {"limit": "3"},
        "status": 200,
        "fault": None,
    }


def test_advance_over_http(sandbox: SandboxServer) -> None:
    """Other processes move the world, by seconds or to a time."""
    status, turn = control(sandbox, "POST", "advance", {"seconds": 60, "created": 2, "changed": 3, "deleted": 1})
    assert (status, turn["now"], turn["number"]) == (200, "2025-06-01T12:01:00+00:00", 1)
    assert {name: len(turn[name]["tickets"]) for name in ("created", "changed", "deleted")} == {
        "created": 2,
        "changed": 3,
        "deleted": 1,
    }
    status, turn = control(sandbox, "POST", "advance", {"to": "2025-06-02T00:00:00Z"})
    assert (status, sandbox.world.now.isoformat()) == (200, "2025-06-02T00:00:00+00:00")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"seconds": 0},
        {"seconds": -5},
        {"seconds": 1e30},
        {"seconds": "x"},
        {"to": "2020-01-01"},
        {"to": "soon"},
        {"to": 5},
        {"seconds": 5, "to": "2026-01-01"},
        {"seconds": 5, "born": 5},
        {"seconds": 5, "created": -1},
        {"seconds": 5, "created": "many"},
        [1],
        None,
    ],
)
def test_nonsense_does_not_move_the_world(sandbox: SandboxServer, content: Any) -> None:
    """A wrong order answers 400, and the world stays as it is."""
    before = sandbox.world.rows("tickets")
    status, answer = control(sandbox, "POST", "advance", content)
    assert (status, list(answer)) == (400, ["error"])
    assert sandbox.world.rows("tickets") == before


def test_switches_over_http(sandbox: SandboxServer) -> None:
    """Other processes read the switches and set some of them; a wrong one changes none."""
    status, told = control(sandbox, "PUT", "switches", {"error_500": 0.5, "pagination_omitted": ["reports"]})
    assert (status, told["error_500"], told["pagination_omitted"]) == (200, 0.5, ["reports"])
    assert control(sandbox, "PUT", "switches", {"away": True, "reset": 7})[0] == 400
    assert control(sandbox, "GET", "switches") == (
        200,
        Switches(error_500=0.5, pagination_omitted=frozenset({"reports"})).as_dict(),
    )


def test_an_outage_and_a_revoked_key_over_http(sandbox: SandboxServer, get: Get) -> None:
    """Other processes let the origin go away for some requests, and end the life of every key."""
    assert control(sandbox, "PUT", "switches", {"away_requests": 2, "revoked_after_requests": 4})[0] == 200
    assert [get("/tickets").status_code for _ in range(5)] == [521, 521, 200, 200, 401]
    assert control(sandbox, "GET", "switches")[1] == Switches(revoked_after_requests=4).as_dict()


@pytest.mark.parametrize(
    ("method", "route"),
    [("GET", "nothing"), ("GET", "rows/users"), ("GET", "rows"), ("POST", "switches"), ("DELETE", "rows/tickets")],
)
def test_unknown_control_routes(sandbox: SandboxServer, method: str, route: str) -> None:
    """What is not a control route answers 404."""
    assert control(sandbox, method, route, {}) == (404, {"error": "there is no such control route"})


def test_readers_and_writers_do_not_disturb_each_other(sandbox: SandboxServer, walk: Walk) -> None:
    """A reader under keyset cursors sees every untouched row once while another thread changes the world."""
    identities = [row["id"] for row in sandbox.world.rows("tickets")]
    stop = threading.Event()

    def write() -> None:
        for number, identity in enumerate(identities[:100] * 50):
            if stop.is_set():
                return
            sandbox.world.patch("tickets", identity, notes=str(number))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            assert [row["id"] for row in walk("tickets", limit=20)] == identities
    finally:
        stop.set()
        writer.join()
