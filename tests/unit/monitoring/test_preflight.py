"""The check before a first sync, without an API."""

from __future__ import annotations

import socket
from pathlib import Path

from cogny_source.destinations.duckdb.target import make_duckdb_target
from cogny_source.monitoring.preflight import check_all
from cogny_source.settings import Settings


def test_api_that_cannot_be_reached_is_one_failure(tmp_path: Path) -> None:
    """With host and cause; no rate limit is told, and the destination is tried all the same."""
    database = tmp_path / "growth.duckdb"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        settings = Settings(api_key="sk_test_sandbox", base_url=f"http://{address}/v1", max_outage_seconds=0.05)
        found = list(check_all(settings, [], make_duckdb_target(database, "cogny_data")))
    failed = [finding.text for finding in found if not finding.ok]
    assert len(failed) == 1
    assert failed[0].startswith(f"API, tickets: cannot connect to {address}: connection refused; ")
    assert [finding.text for finding in found if finding.ok] == [
        f"settings: http://{address}/v1 with a development key, sent as bearer",
        f"{database}: can be opened and written",
    ]
