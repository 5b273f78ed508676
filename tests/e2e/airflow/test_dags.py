"""The DAGs in a real Airflow, run against the sandbox and compared cell by cell with its truth."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pytest

from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.keys import Access
from tests.support.airflow import Airflow, require_airflow, start_airflow
from tests.support.syncs import KEY, wait_until
from tests.support.truth import Ask, assert_exact

RETRIES = {"retries": 5, "retry_exponential_backoff": 2, "retry_delay": 60.0, "max_retry_delay": 3600.0}
SYNC = {"pool": "cogny", "execution_timeout": 7200.0, **RETRIES}
HOURLY = {"schedule": "0 * * * *", "catchup": False, "max_active_runs": 1}
RESOURCES = ("tickets", "reports", "warehouses")
NO_WINDOW = {"params": {"start_date": None, "end_date": None}}


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """An Airflow; in CI it must be there."""
    require_airflow()
    with start_airflow(tmp_path_factory.mktemp("airflow")) as running:
        yield running


def connect(server: SandboxServer, key: str = KEY, **settings: Any) -> str:
    """A connection to a sandbox, as a variable of the environment holds it."""
    return json.dumps({"conn_type": "generic", "password": key, "host": server.base_url, "extra": json.dumps(settings)})


def list_accounts(*entries: dict[str, str]) -> str:
    """The variable of the accounts."""
    return json.dumps(entries)


def ask(database: Path) -> Ask:
    """Asks a database that a sync wrote."""

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET schema = 'cogny_data'")
            return connection.execute(sql).fetchall()

    return query


def test_parsing_imports_and_sets_nothing(airflow: Airflow) -> None:
    """The DAG's file is parsed in a blink, without the connector, and leaves the environment as it was."""
    parsed = airflow.parsed
    assert parsed["errors"] == {}
    assert parsed["imported"] == []
    assert parsed["is_environment_changed"] is False
    assert parsed["seconds"] < 2


def test_dags_are_as_promised(airflow: Airflow) -> None:
    """Hourly, no catch-up, one run at a time, one task at a time for one account, and a back-off that grows."""
    resource = {**SYNC, "map_index_template": None, "upstream": []}
    assert airflow.parsed["dags"] == {
        "cogny_sync": {
            **HOURLY,
            **NO_WINDOW,
            "max_active_tasks": 1,
            "tasks": {
                **dict.fromkeys(RESOURCES, resource),
                "models": {**resource, "execution_timeout": 3600.0, "upstream": sorted(RESOURCES)},
            },
        },
        "cogny_accounts": {
            **HOURLY,
            **NO_WINDOW,
            "max_active_tasks": 16,
            "tasks": {
                "list_accounts": {
                    "pool": "default_pool",
                    "execution_timeout": None,
                    **RETRIES,
                    "map_index_template": None,
                    "upstream": [],
                },
                "sync": {
                    **SYNC,
                    "map_index_template": "{{ task.op_kwargs['account']['name'] }}",
                    "upstream": ["list_accounts"],
                },
            },
        },
    }


def test_each_resource_is_a_task(airflow: Airflow, sandbox: SandboxServer, tmp_path: Path) -> None:
    """A run of the one account's DAG makes every table equal the API; the log has the sync's lines, and no key.

    The models are built behind them.
    """
    database = tmp_path / "acme.duckdb"
    account = {"name": "acme", "conn_id": "cogny", "database": str(database), "models": "Europe/Berlin"}
    variables = {
        "AIRFLOW_CONN_COGNY": connect(sandbox),
        "AIRFLOW_VAR_COGNY_ACCOUNT": json.dumps(account),
        "DLT_DATA_DIR": str(tmp_path),
    }
    logged = len(airflow.log)
    done = airflow.run("cogny_sync", variables)
    assert done == {
        "state": "success",
        "tasks": {name: ["success", 1] for name in (*RESOURCES, "models")},
    }
    assert_exact(ask(database), sandbox.world)
    assert ask(database)("SELECT time_zone FROM cogny_data_models.int_cogny__as_of") == [("Europe/Berlin",)]
    log = "".join(airflow.log[logged:])
    assert "models are built in cogny_data_models." in log
    for line in ("tickets: 450 rows loaded", "reports: 40 rows loaded", "warehouses: 5 rows loaded"):
        assert line in log
    assert KEY not in log


def test_window_is_loaded_on_request(airflow: Airflow, sandbox: SandboxServer, tmp_path: Path) -> None:
    """A run with a window loads its rows only, and the next scheduled one still brings everything."""
    database = tmp_path / "acme.duckdb"
    account = {"name": "acme", "conn_id": "cogny", "database": str(database)}
    variables = {
        "AIRFLOW_CONN_COGNY": connect(sandbox),
        "AIRFLOW_VAR_COGNY_ACCOUNTS": list_accounts({**account, "resources": "tickets"}),
        "DLT_DATA_DIR": str(tmp_path),
    }
    stamps = sorted(datetime.fromisoformat(row["created_at"]).astimezone(UTC) for row in sandbox.world.rows("tickets"))
    start = (stamps[100] + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    end = (stamps[300] + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    inside = [(at,) for at in stamps if start <= at < end]
    assert 0 < len(inside) < len(stamps)
    window = {"start_date": start.date().isoformat(), "end_date": end.date().isoformat()}
    assert airflow.run("cogny_accounts", variables, window)["state"] == "success"
    assert ask(database)("SELECT created_at FROM tickets ORDER BY 1") == inside
    variables["AIRFLOW_VAR_COGNY_ACCOUNTS"] = list_accounts(account)
    assert airflow.run("cogny_accounts", variables)["state"] == "success"
    assert_exact(ask(database), sandbox.world)


def test_accounts_have_their_own_key_and_database(airflow: Airflow, tmp_path: Path) -> None:
    """Two accounts of two APIs are exact in two databases; a third one's key is refused, at once and for itself."""
    worlds = {"acme": World(seed=1, tickets=60), "bolt": World(seed=2, tickets=40)}
    names = (*worlds, "cord")
    databases = {name: tmp_path / f"{name}.duckdb" for name in names}
    accounts = [{"name": name, "conn_id": f"cogny_{name}", "database": str(databases[name])} for name in names]
    accounts[0]["models"] = "UTC"
    keys = {name: f"sk_live_{name}_sandbox" for name in names}
    with (
        SandboxServer(worlds["acme"], keys={keys["acme"]: Access()}) as acme,
        SandboxServer(worlds["bolt"], keys={keys["bolt"]: Access()}) as bolt,
    ):
        connections = {"acme": connect(acme, keys["acme"]), "bolt": connect(bolt, keys["bolt"])}
        connections["cord"] = connect(bolt, keys["cord"])
        variables = {f"AIRFLOW_CONN_COGNY_{name.upper()}": made for name, made in connections.items()}
        variables |= {"AIRFLOW_VAR_COGNY_ACCOUNTS": list_accounts(*accounts), "DLT_DATA_DIR": str(tmp_path)}
        done = airflow.run("cogny_accounts", variables)
    assert done == {
        "state": "failed",
        "tasks": {
            "list_accounts": ["success", 1],
            "sync acme": ["success", 1],
            "sync bolt": ["success", 1],
            "sync cord": ["failed", 1],
        },
    }
    for name, world in worlds.items():
        assert_exact(ask(databases[name]), world)
    assert ask(databases["acme"])("SELECT count(*) FROM cogny_data_models.cogny_ticket_metrics") == [(60,)]


def test_list_that_is_wrong_fails_at_once(airflow: Airflow) -> None:
    """Without a sound list of accounts nothing is synced, tried again or green."""
    done = airflow.run("cogny_accounts", {"AIRFLOW_VAR_COGNY_ACCOUNTS": "[]"})
    assert done == {"state": "failed", "tasks": {"list_accounts": ["failed", 1], "sync": ["upstream_failed", 0]}}


def test_failing_api_is_tried_again(airflow: Airflow, sandbox: SandboxServer, tmp_path: Path) -> None:
    """A sync that ends with exit code 1 is tried again, and fails its task once the tries are used up."""
    sandbox.switches.rate_limited = 1.0
    account = {"name": "acme", "conn_id": "cogny", "database": str(tmp_path / "acme.duckdb")}
    variables = {
        "AIRFLOW_CONN_COGNY": connect(sandbox, max_wait_seconds=0.01),
        "AIRFLOW_VAR_COGNY_ACCOUNTS": list_accounts(account),
        "DLT_DATA_DIR": str(tmp_path),
    }
    done = airflow.run("cogny_accounts", variables, retries=1)
    assert done == {"state": "failed", "tasks": {"list_accounts": ["success", 1], "sync acme": ["failed", 2]}}


@pytest.mark.parametrize("number", [signal.SIGALRM, signal.SIGTERM])
def test_task_that_is_stopped_loads_what_is_complete(
    number: signal.Signals, airflow: Airflow, sandbox: SandboxServer, tmp_path: Path
) -> None:
    """A task that timed out, as Airflow's alarm tells it, or was cleared fails; its sync has loaded whole chunks."""
    sandbox.switches.latency_seconds = 0.5
    database = tmp_path / "acme.duckdb"
    account = {"name": "acme", "conn_id": "cogny", "database": str(database), "resources": "tickets"}
    variables = {
        "AIRFLOW_CONN_COGNY": connect(sandbox, chunk_rows=100),
        "AIRFLOW_VAR_COGNY_ACCOUNTS": list_accounts(account),
        "DLT_DATA_DIR": str(tmp_path),
    }

    def stop() -> None:
        wait_until(lambda: len(sandbox.requests) >= 2, airflow.process)
        airflow.process.send_signal(number)

    stopping = Thread(target=stop)
    stopping.start()
    done = airflow.run("cogny_accounts", variables, retries=0)
    stopping.join()
    assert done["tasks"]["sync acme"] == ["failed", 1]
    assert ask(database)("SELECT status FROM sync_runs") == [("stopped",)]
    [(loaded,)] = ask(database)("SELECT count(*) FROM tickets")
    assert 100 <= loaded < 450
