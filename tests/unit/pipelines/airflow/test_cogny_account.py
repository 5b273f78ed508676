"""What an Airflow variable and a connection say of an account, without Airflow."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.airflow import load_part
from tests.support.syncs import ROOT

account = load_part("cogny_account")

ACME = {"name": "acme", "conn_id": "cogny_acme", "database": "/srv/acme.duckdb"}
LAKE = {"name": "lake", "conn_id": "cogny_lake", "destination": "parquet", "bucket_url": "s3://growth/cogny"}
HOUSE = {"name": "house", "conn_id": "cogny_house", "destination": "bigquery", "dataset": "house"}


def test_account_becomes_a_command() -> None:
    """What is not the account's own is an option of the command; those of a run win, and empty ones are left out."""
    entry = {**ACME, "dataset": "acme", "chunk_rows": "500", "resources": "tickets"}
    command = account.build_command(account.read_account(entry), resources="reports", start_date=None, end_date="")
    start = [sys.executable, "-m", "cogny_source", "sync", "duckdb"]
    assert command == [
        *start,
        "--database=/srv/acme.duckdb",
        "--dataset=acme",
        "--chunk-rows=500",
        "--resources=reports",
    ]
    entry = {**LAKE, "python": "/opt/cogny/bin/python"}
    command = account.build_command(account.read_account(entry), resources="", start_date="2025-01-01")
    start = ["/opt/cogny/bin/python", "-m", "cogny_source", "sync", "parquet"]
    assert command == [*start, "--bucket-url=s3://growth/cogny", "--start-date=2025-01-01"]
    command = account.build_command(account.read_account(HOUSE))
    assert command == [sys.executable, "-m", "cogny_source", "sync", "bigquery", "--dataset=house"]


def test_account_becomes_a_command_for_its_models() -> None:
    """With what names its place, and nothing else of a sync; a folder's models have a file of their own."""
    entry = {**ACME, "dataset": "acme", "chunk_rows": "500", "models": "Europe/Berlin"}
    known = account.read_account(entry)
    assert [part for part in account.build_command(known) if part.startswith("--models")] == []
    start = [sys.executable, "-m", "cogny_source", "models", "build"]
    assert account.build_models_command(known) == [
        *start,
        "duckdb",
        "--database=/srv/acme.duckdb",
        "--dataset=acme",
        "--time-zone=Europe/Berlin",
    ]
    lake = account.read_account({**LAKE, "models": "UTC", "models_database": "/srv/lake.duckdb"})
    assert account.build_models_command(lake)[len(start) :] == [
        "parquet",
        "--bucket-url=s3://growth/cogny",
        "--time-zone=UTC",
        "--models-database=/srv/lake.duckdb",
    ]
    with pytest.raises(account.SettingsError, match="models_database is ''; it must be an absolute path"):
        account.read_account({**LAKE, "models": "UTC"})
    assert account.read_account(ACME).models == {}


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        ({"bucket_url": "{}"}, {"bucket_url": "file://{}"}, True),
        ({"bucket_url": "{}/a b"}, {"bucket_url": "FILE://{}/a%20b/"}, True),
        ({"bucket_url": "{}/"}, {"bucket_url": "{}/lake/../."}, True),
        ({"bucket_url": "{}"}, {"bucket_url": "{}/link"}, True),
        ({"bucket_url": "{}", "dataset": "lake"}, {"bucket_url": "{}/lake"}, True),
        (
            {"bucket_url": "{}/link", "dataset": "lake"},
            {"bucket_url": "file://{}/lake/", "table_format": "delta"},
            True,
        ),
        ({"bucket_url": "s3://growth/cogny", "dataset": "lake"}, {"bucket_url": "S3://growth/cogny/lake/"}, True),
        ({"bucket_url": "{}", "dataset": "lake"}, {"bucket_url": "{}"}, False),
        ({"bucket_url": "s3://growth/cogny"}, {"bucket_url": "s3://growth/Cogny"}, False),
        ({"bucket_url": "s3://growth/cogny"}, {"bucket_url": "gs://growth/cogny"}, False),
        ({"destination": "duckdb", "database": "{}/a"}, {"destination": "duckdb", "database": "{}/./link/a"}, True),
        ({"destination": "duckdb", "database": "{}/a"}, {"destination": "duckdb", "database": "{}/b"}, False),
    ],
)
def test_one_place_is_one_target(tmp_path: Path, one: Any, other: Any, is_one: bool) -> None:
    """However it is written: as a path or a URL, over a link, with a dataset or as the folder of that dataset."""
    (tmp_path / "link").symlink_to(tmp_path)
    entries = [
        {"name": name, "conn_id": name, "destination": "parquet"}
        | {field: value.replace("{}", str(tmp_path)) for field, value in place.items()}
        for name, place in (("one", one), ("other", other))
    ]
    if is_one:
        with pytest.raises(account.SettingsError, match="2 accounts have the target"):
            account.read_accounts(entries)
    else:
        assert [known.name for known in account.read_accounts(entries)] == ["one", "other"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({**ACME, "database": "file:///srv/a"}, "account acme: database is 'file:///srv/a'; it must be an absolute"),
        ({**LAKE, "bucket_url": "file://srv/a"}, "account lake: bucket_url is 'file://srv/a'; it must be an absolute"),
        (None, "an account is an object of texts"),
        ("acme", "an account is an object of texts"),
        ({**ACME, "chunk_rows": 500}, "an account is an object of texts"),
        ({**ACME, "dataset": ""}, "an account is an object of texts"),
        ({"conn_id": "cogny", "database": "/srv/acme.duckdb"}, "an account has no name"),
        ({"name": "acme", "database": "/srv/acme.duckdb"}, "an account has no conn_id"),
        ({**ACME, "destination": "postgres"}, "account acme: destination is 'postgres'"),
        ({**ACME, "database": "acme.duckdb"}, "account acme: database is 'acme.duckdb'; it must be an absolute path"),
        ({"name": "acme", "conn_id": "cogny"}, "account acme: database is ''; it must be an absolute path"),
        ({**LAKE, "bucket_url": "lake"}, "account lake: bucket_url is 'lake'; it must be an absolute path"),
    ],
)
def test_account_that_is_no_account_is_refused(entry: Any, told: str) -> None:
    """A missing, wrong or relative field is named."""
    with pytest.raises(account.SettingsError) as caught:
        account.read_account(entry)
    assert str(caught.value).startswith(told)


def test_accounts_have_their_own_names_and_targets(tmp_path: Path) -> None:
    """A list may not be empty, nor name an account or a target twice, under whatever path."""
    other = {**ACME, "name": "other", "conn_id": "cogny_other", "dataset": "other"}
    assert [known.name for known in account.read_accounts([ACME, LAKE, HOUSE, other])] == [
        "acme", "lake", "house", "other",
    ]  # fmt: skip
    (tmp_path / "link").symlink_to(tmp_path)
    twice = [
        {**ACME, "database": str(tmp_path / "acme.duckdb")},
        {**ACME, "name": "other", "database": str(tmp_path / "link" / "acme.duckdb")},
    ]
    buckets = [LAKE, {**LAKE, "name": "other", "bucket_url": "s3://growth/cogny/"}]
    for entries, told in (
        (None, "the accounts are a list of objects"),
        ([], "the accounts are a list of objects"),
        (ACME, "the accounts are a list of objects"),
        ([ACME, {**other, "name": "acme"}], "2 accounts have the name acme"),
        (twice, "2 accounts have the target ('duckdb', "),
        ([HOUSE, {**HOUSE, "name": "other"}], "2 accounts have the target ('bigquery', '', 'house')"),
        (buckets, "2 accounts have the target ('parquet', 's3://growth/cogny', '')"),
        ([ACME, {**ACME, "name": "other", "dataset": "cogny_data"}], "2 accounts have the target ('duckdb', "),
    ):
        with pytest.raises(account.SettingsError) as caught:
            account.read_accounts(entries)
        assert str(caught.value).startswith(told)


def test_accounts_of_the_page() -> None:
    """The variables that docs/airflow.md sets are sound."""
    page = (ROOT / "docs" / "airflow.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"airflow variables set (\w+) '(.*?)'", page, re.DOTALL))
    assert account.read_account(json.loads(found["cogny_account"])).name == "acme"
    assert [known.name for known in account.read_accounts(json.loads(found["cogny_accounts"]))] == ["acme", "bolt"]


def test_environment_holds_the_key_and_nothing_of_airflow() -> None:
    """The connection's key, address and settings are in it, Airflow's variables are not; the task's stays as it is."""
    kept = {"PATH": "/usr/bin", "SOURCES__COGNY__WORKERS": "2"}
    airflows = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_COGNY_OTHER", "__AIRFLOW_SUPERVISOR_FD")
    inherited = {**kept, "SOURCES__COGNY__API_KEY": "sk_live_of_somebody_else", **dict.fromkeys(airflows, "secret")}
    settings = {"requests_per_minute": 300, "history": False, "auth_header": "x-api-key", "api_key": "sk_live_old"}
    before = dict(os.environ)
    assert account.build_environment(inherited, "sk_live_acme", "https://cogny.example/v1", settings) == {
        **kept,
        "SOURCES__COGNY__API_KEY": "sk_live_acme",
        "SOURCES__COGNY__BASE_URL": "https://cogny.example/v1",
        "SOURCES__COGNY__REQUESTS_PER_MINUTE": "300",
        "SOURCES__COGNY__HISTORY": "false",
        "SOURCES__COGNY__AUTH_HEADER": "x-api-key",
        "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
        "PYTHONUNBUFFERED": "1",
    }
    assert dict(os.environ) == before
    assert "SOURCES__COGNY__BASE_URL" not in account.build_environment({}, "sk_live_acme", None, {})


@pytest.mark.parametrize("key", [None, ""])
def test_connection_without_a_key_is_refused(key: str | None) -> None:
    """Else the sync would take whatever key it finds in a file."""
    with pytest.raises(account.SettingsError, match="no password"):
        account.build_environment({}, key, None, {})
