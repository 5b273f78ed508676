"""Records the cassettes of `test_http_client_contract.py` from a sandbox: `python -m tests.unit.api.record`.

The same command writes the same bytes: the world stands still, request ids are blotted out, and so is what depends on
the version of a library. Keys are filtered before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from vcr import VCR
from vcr.request import Request

from cogny_source.api.envelope import Answer
from cogny_source.api.http_client import HttpClient, Timing
from cogny_source.api.meter import Meter
from cogny_source.api.pagination import iter_pages
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.errors import CognyError
from cogny_source.sandbox import SandboxServer, World
from cogny_source.settings import Settings

CASSETTES = Path(__file__).parent / "cassettes"
HOST = "127.0.0.1:8080"
BASE_URL = f"http://{HOST}/v1"
NOW = datetime(2025, 6, 2, 0, 0, 15, tzinfo=UTC)
REQUEST_ID = "00000000-0000-4000-8000-000000000000"

TEST_KEY, LIVE_KEY, REPORTS_ONLY_KEY = "sk_test_sandbox", "sk_live_standard_sandbox", "sk_live_reports_only_sandbox"
UNKNOWN_KEY = "sk_live_unknown"

UUID4 = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
KEY_HEADERS = ("Authorization", "X-API-Key")
# They prove nothing and change with the versions of libraries.
UNWANTED_HEADERS = ("User-Agent", "Accept-Encoding", "Connection")

Call = Callable[[HttpClient], Any]


def make_world() -> World:
    """The world that is recorded: two pages of tickets, one of reports."""
    return World(seed=11, tickets=105, reports=20, warehouses=5, now=NOW)


def _list(path: str, **params: str) -> Call:
    return lambda client: [row for page in iter_pages(client, path, params, Meter()) for row in page.rows]


def _get(path: str, **params: str | int) -> Call:
    return lambda client: client.get(path, params, Meter())


def _get_completed_content(client: HttpClient) -> Answer:
    done = next(row["id"] for row in make_world().rows("reports") if row["status"] == "completed")
    return client.get(f"/reports/{done}/content", {}, Meter())


def _get_remaining(client: HttpClient) -> list[int | None]:
    counts = []
    for _ in range(3):
        client.get("/tickets", {"limit": 1}, Meter())
        counts.append(client.limiter.remaining)
    return counts


@dataclass(frozen=True)
class Scene:
    """What one cassette holds.

    Attributes:
        call: What is asked of the client.
        api_key: The key it is asked with.
        auth_header: The header that carries the key.
        faults: What strikes the first requests while recording.
    """

    call: Call
    api_key: str = TEST_KEY
    auth_header: Literal["bearer", "x-api-key"] = "bearer"
    faults: tuple[str, ...] = ()


SCENES = {
    "tickets": Scene(_list("/tickets", sort="updated_at")),
    "reports": Scene(_list("/reports")),
    "warehouses": Scene(_list("/warehouses"), auth_header="x-api-key"),
    "content": Scene(_get_completed_content),
    "limits": Scene(_get_remaining, api_key=LIVE_KEY),
    "unauthorized": Scene(_get("/tickets"), api_key=UNKNOWN_KEY),
    "forbidden": Scene(_get("/tickets"), api_key=REPORTS_ONLY_KEY),
    "not_found": Scene(_get("/reports/rpt_none")),
    "bad_request": Scene(_get("/tickets", created_after="yesterday")),
    "faults": Scene(
        _list("/warehouses"),
        faults=("error_500", "html_502", "html_521", "empty_200", "success_false", "rate_limited"),
    ),
}


def play(scene: Scene, base_url: str) -> tuple[Any, list[float]]:
    """Make a scene's call with a client whose waits take no time.

    Returns:
        What the call gave, or the error it ended with; and each wait in seconds.
    """
    slept: list[float] = []

    def tell() -> float:
        return NOW.timestamp() + sum(slept)

    settings = Settings(api_key=scene.api_key, base_url=base_url, auth_header=scene.auth_header)
    client = HttpClient(settings, RateLimiter(Pace(None), tell), Timing(tell, slept.append, lambda: 0.5))
    try:
        return scene.call(client), slept
    except CognyError as error:
        return error, slept
    finally:
        client.close()


def make_recorder(folder: Path, record_mode: str) -> VCR:
    """The recorder of all cassettes, which plays them too."""
    return VCR(
        cassette_library_dir=str(folder),
        record_mode=record_mode,
        match_on=("method", "scheme", "host", "port", "path", "query"),
        filter_headers=[*KEY_HEADERS, *UNWANTED_HEADERS],
        before_record_request=_normalise_request,
        before_record_response=_normalise_response,
    )


def record(folder: Path) -> None:
    """Write every cassette anew."""
    recorder = make_recorder(folder, "all")
    for name, scene in SCENES.items():
        cassette = f"{name}.yaml"
        (folder / cassette).unlink(missing_ok=True)
        with SandboxServer(make_world(), clock=NOW.timestamp) as sandbox, recorder.use_cassette(cassette):
            sandbox.fail_next(*scene.faults)
            play(scene, sandbox.base_url)


def _normalise_request(request: Request) -> Request:
    request.uri = urlsplit(request.uri)._replace(netloc=HOST).geturl()
    request.headers["X-Request-ID"] = REQUEST_ID
    return request


def _normalise_response(response: dict[str, Any]) -> dict[str, Any]:
    response["body"]["string"] = UUID4.sub(REQUEST_ID.encode(), response["body"]["string"])
    return response


if __name__ == "__main__":
    record(CASSETTES)
