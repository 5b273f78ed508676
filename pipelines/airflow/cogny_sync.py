"""The hourly schedule of the syncs: `cogny_sync` for one account, `cogny_accounts` for a list of them.

What a sync has to read it knows itself, from the state beside its tables; a run's data interval is not asked.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import Connection, Param, Variable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

RESOURCES = ("tickets", "reports", "warehouses")
WINDOW = {
    name: Param(None, type=["null", "string"], format="date", description=description)
    for name, description in (
        ("start_date", "Leave out rows created before this day."),
        ("end_date", "Load only rows created before this day; what comes next stays as it was."),
    )
}
HOURLY = {
    "schedule": "@hourly",
    "start_date": datetime(2025, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "params": WINDOW,
    "tags": ["cogny"],
}
# Models are built from the tables; the command asks no API.
NO_KEY = "none"
RETRIES = {
    "retries": 5,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(hours=1),
}


@task(pool="cogny", execution_timeout=timedelta(hours=2), **RETRIES)
def sync(resources: str, account: dict[str, str] | None = None) -> None:
    """Sync resources of an account, by default of the one in the variable `cogny_account`.

    Behind a sync of all its resources the account's models are built, where it wants some: a task of their own would
    hide the failure of an account's sync, or wait for all accounts.
    """
    import os

    from cogny_account import SettingsError, build_command, build_environment, build_models_command, read_account
    from cogny_process import run

    params = get_current_context()["params"]
    try:
        known = read_account(account or Variable.get("cogny_account", deserialize_json=True))
        connection = Connection.get(known.conn_id)
        run(
            build_command(known, resources=resources, start_date=params["start_date"], end_date=params["end_date"]),
            build_environment(os.environ, connection.password, connection.host, connection.extra_dejson),
        )
        if known.models and not resources:
            run(build_models_command(known), build_environment(os.environ, NO_KEY, None, {}))
    except SettingsError as error:
        raise AirflowFailException(str(error)) from error


@task(pool="cogny", execution_timeout=timedelta(hours=1), **RETRIES)
def models() -> None:
    """Build the models of the account in the variable `cogny_account`, if it wants some."""
    import os

    from cogny_account import SettingsError, build_environment, build_models_command, read_account
    from cogny_process import run

    try:
        known = read_account(Variable.get("cogny_account", deserialize_json=True))
        if not known.models:
            raise AirflowSkipException("the account names no time zone in the field models")
        run(build_models_command(known), build_environment(os.environ, NO_KEY, None, {}))
    except SettingsError as error:
        raise AirflowFailException(str(error)) from error


@task(**RETRIES)
def list_accounts() -> list[dict[str, str]]:
    """The accounts in the variable `cogny_accounts`."""
    from cogny_account import SettingsError, read_accounts

    accounts: list[dict[str, str]] = Variable.get("cogny_accounts", deserialize_json=True)
    try:
        read_accounts(accounts)
    except SettingsError as error:
        raise AirflowFailException(str(error)) from error
    return accounts


# A task a resource, each of which fails and is tried again by itself; one at a time, as a DuckDB file has one writer.
@dag(max_active_tasks=1, **HOURLY)
def cogny_sync() -> None:
    """Bring one account up to date."""
    synced = [sync.override(task_id=resource)(resource) for resource in RESOURCES]
    synced >> models()


# As many accounts at a time as the pool has slots; each has its own key, and so its own rate limit.
@dag(**HOURLY)
def cogny_accounts() -> None:
    """Bring each account of a list up to date."""
    named = sync.override(map_index_template="{{ task.op_kwargs['account']['name'] }}")
    named.partial(resources="").expand(account=list_accounts())


cogny_sync()
cogny_accounts()
