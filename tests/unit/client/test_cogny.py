"""The client as a whole: what importing it costs, its keys, its budgets, and that its key is shown nowhere."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable

import pytest

from cogny_source import Cogny
from cogny_source.errors import AuthError, ConfigError, Forbidden
from cogny_source.testing import SandboxCogny

Open = Callable[..., SandboxCogny]
STANDARD, LITE = "sk_live_standard_sandbox", "cogny_lite_sandbox"
HEAVY = ("dlt", "pyarrow", "duckdb", "pandas", "rich", "click", "sqlglot")
MEASURE = """
import sys, time
began = time.process_time()
{statement}
print(time.process_time() - began, *(name for name in {heavy} if name in sys.modules))
"""


@pytest.mark.parametrize("statement", ["import cogny_source.client", "from cogny_source import Cogny"])
def test_importing_it_is_cheap(statement: str) -> None:
    """Under 0.3 s of CPU, and without dlt and Arrow; the least of a few runs counts, as others use the machine too."""
    script = MEASURE.format(statement=statement, heavy=HEAVY)
    least = 9.0
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
        seconds, *heavy = done.stdout.split()
        assert heavy == []
        least = min(least, float(seconds))
        if least < 0.3:
            break
    assert least < 0.3


def test_a_context_manager_closes_it() -> None:
    """Its representation shows the origin alone."""
    with Cogny("sk_live_secret") as client:
        assert repr(client) == "Cogny(https://api.cogny.com/v1)"
    assert repr(Cogny("sk_test_secret")) == "Cogny(https://api.cogny.com/v1 (development key))"


def test_without_a_key_it_says_where_to_put_one() -> None:
    """Nothing is sent."""
    with pytest.raises(ConfigError, match="COGNY_API_KEY"):
        Cogny()


def test_the_legacy_header(open_client: Open) -> None:
    """It carries the key too."""
    client = open_client(settings={"auth_header": "x-api-key"})
    assert client.tickets.list().total_count == 200


def test_wrong_keys_and_missing_scopes(open_client: Open) -> None:
    """Each is an error of its own that names what is missing, and no request is repeated."""
    with pytest.raises(AuthError):
        open_client(api_key="sk_live_wrong").tickets.stats()
    client = open_client(api_key="sk_live_reports_only_sandbox")
    with pytest.raises(Forbidden, match="tickets:write"):
        client.tickets.update("tkt_1", status="open")
    with pytest.raises(Forbidden, match="reports:write"):
        client.reports.create("wh_1", "x")
    assert len(client.sandbox.requests) == 2


def test_development_keys_are_not_paced(client: SandboxCogny) -> None:
    """They do not count toward rate limits, batches included."""
    began = client.sandbox.clock()
    for _ in range(130):
        client.tickets.stats()
    for _ in range(15):
        client.tickets.bulk_update(["tkt_1"], status="open")
    assert client.sandbox.clock() == began


def test_lite_keys_are_limited_ones(open_client: Open, caplog: pytest.LogCaptureFixture) -> None:
    """They are no development keys, and a warning tells of their fifteen calls a month."""
    with caplog.at_level(logging.WARNING):
        client = open_client(api_key=LITE, settings={"max_wait_seconds": 60.0})
    assert "15 calls a month" in caplog.text
    assert "development" not in repr(client)
    for _ in range(15):
        client.tickets.stats()
    with pytest.raises(Exception, match="longer than max_wait_seconds"):
        client.tickets.stats()


def test_two_budgets_of_a_live_key(open_client: Open) -> None:
    """A hundred requests a minute and ten batches, neither of which runs into a 429 or holds up the other."""
    client = open_client(api_key=STANDARD)
    began = client.sandbox.clock()
    for _ in range(10):
        client.tickets.bulk_update(["tkt_1"], status="open")
        client.tickets.stats()
    assert client.sandbox.clock() == began
    client.tickets.bulk_update(["tkt_1"], status="open")
    assert 0 < client.sandbox.clock() - began <= 61
    for _ in range(300):
        client.tickets.stats()
    assert 429 not in [record.status for record in client.sandbox._api.recorded()]
    assert client.sandbox.clock() - began <= 61 + 3 * 61


def test_the_key_is_in_no_error_and_no_log(open_client: Open, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong."""
    client = open_client(api_key=STANDARD, away=True, settings={"max_outage_seconds": 5.0})
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception) as caught:  # noqa: PT011
        client.tickets.stats()
    assert STANDARD not in caplog.text + str(caught.value) + repr(client.__dict__)
