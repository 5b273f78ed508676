"""An account: what an Airflow variable and a connection say of it, as a command and its environment.

It needs the standard library alone, as the connector may live in a Python of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

# By which option each destination tells its place, and the dataset there that is meant where none is named.
PLACES = {"duckdb": "database", "parquet": "bucket_url", "bigquery": "project"}
DATASETS = {"duckdb": "cogny_data", "parquet": "", "bigquery": "cogny_data"}
OWN_FIELDS = ("name", "conn_id", "destination", "python", "models", "models_database")
# The options of `cogny sync` that name a place; `cogny models` takes them too.
PLACE_OPTIONS = ("database", "bucket_url", "table_format", "project", "location", "staging", "dataset")
EXAMPLE = '{"name": "acme", "conn_id": "cogny_acme", "database": "/var/lib/cogny/acme.duckdb"}'


class SettingsError(Exception):
    """A setting is missing or wrong, or the key was refused: it fails again until that is mended."""


@dataclass(frozen=True)
class Account:
    """An account and where it is loaded.

    Attributes:
        name: What it is called in Airflow.
        conn_id: The connection that holds its key.
        destination: `duckdb`, `parquet` or `bigquery`.
        options: Options of `cogny sync` by name, such as `database`.
        python: The Python that has the connector.
        models: Options of `cogny models build` by name, such as `time_zone`; empty where no models are wanted.
    """

    name: str
    conn_id: str
    destination: str
    options: Mapping[str, str]
    python: str
    models: Mapping[str, str]

    @property
    def target(self) -> tuple[str, str, str]:
        """Where its rows go, however it is written; in one place two accounts' rows would pass for each other's."""
        place = _find_place(self.options.get(PLACES[self.destination], ""))
        dataset = self.options.get("dataset", DATASETS[self.destination])
        if self.destination != "parquet":
            return self.destination, place, dataset
        # A dataset is a folder in the folder, which another account may name as such.
        return self.destination, _find_place(f"{place}/{dataset}"), ""


def read_account(entry: Any) -> Account:
    """An account as an Airflow variable describes it.

    Raises:
        SettingsError: If a field is missing or wrong.
    """
    if not isinstance(entry, Mapping) or not all(isinstance(value, str) and value for value in entry.values()):
        raise SettingsError(f"an account is an object of texts, such as {EXAMPLE}")
    missing = [field for field in ("name", "conn_id") if field not in entry]
    if missing:
        raise SettingsError(f"an account has no {missing[0]}; it is an object such as {EXAMPLE}")
    name, destination = entry["name"], entry.get("destination", "duckdb")
    if destination not in PLACES:
        raise SettingsError(f"account {name}: destination is {destination!r}; it may be {', '.join(PLACES)}")
    options = {field: value for field, value in entry.items() if field not in OWN_FIELDS}
    place = options.get(PLACES[destination], "")
    path = _find_path(place) if destination == "parquet" else place
    is_in_bucket = destination == "parquet" and "://" in path
    # A task has no working directory of its own.
    if destination != "bigquery" and not is_in_bucket and not os.path.isabs(path):
        raise SettingsError(f"account {name}: {PLACES[destination]} is {place!r}; it must be an absolute path")
    models = _read_models(name, destination, entry)
    return Account(name, entry["conn_id"], destination, options, entry.get("python", sys.executable), models)


def _read_models(name: str, destination: str, entry: Mapping[str, str]) -> dict[str, str]:
    """The options of an account's models.

    Raises:
        SettingsError: If a folder's models have no file.
    """
    if "models" not in entry:
        return {}
    database = entry.get("models_database", "")
    if destination != "parquet":
        return {"time_zone": entry["models"]}
    if not os.path.isabs(database):
        raise SettingsError(f"account {name}: models_database is {database!r}; it must be an absolute path of a file")
    return {"time_zone": entry["models"], "models_database": database}


def _find_path(place: str) -> str:
    """The path of a `file://` URL; any other place as it is."""
    scheme, mark, rest = place.partition("://")
    return unquote(rest) if mark and scheme.lower() == "file" else place


def _find_place(place: str) -> str:
    """A place as the sync finds it: a folder behind all links, or a URL with a small scheme and no slash at its end."""
    path = _find_path(place)
    if os.path.isabs(path):
        return os.path.realpath(path)
    scheme, mark, rest = path.partition("://")
    return f"{scheme.lower()}://{rest.rstrip('/')}" if mark else path


def read_accounts(entries: Any) -> list[Account]:
    """The accounts of a list.

    Raises:
        SettingsError: If there is none, or two share a name or a target.
    """
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"the accounts are a list of objects, such as [{EXAMPLE}]")
    accounts = [read_account(entry) for entry in entries]
    for fact in ("name", "target"):
        [(value, count)] = Counter(getattr(account, fact) for account in accounts).most_common(1)
        if count > 1:
            raise SettingsError(f"{count} accounts have the {fact} {value}; each needs its own")
    return accounts


def build_command(account: Account, **options: str | None) -> list[str]:
    """The command that syncs an account.

    Args:
        account: The account.
        **options: Options that win over the account's own; one that is None or empty is left out.
    """
    given = {**account.options, **{name: value for name, value in options.items() if value}}
    return [account.python, "-m", "cogny_source", "sync", account.destination, *_list_arguments(given)]


def build_models_command(account: Account) -> list[str]:
    """The command that builds an account's models; it needs no key."""
    given = {name: value for name, value in account.options.items() if name in PLACE_OPTIONS}
    arguments = _list_arguments({**given, **account.models})
    return [account.python, "-m", "cogny_source", "models", "build", account.destination, *arguments]


def _list_arguments(options: Mapping[str, str]) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]


def build_environment(
    inherited: Mapping[str, str], key: str | None, base_url: str | None, settings: Mapping[str, Any]
) -> dict[str, str]:
    """The environment of that command.

    Args:
        inherited: The task's own; Airflow's part is left out, such as its database's address and other accounts' keys.
        key: The API key.
        base_url: Where the API is; None for where it usually is.
        settings: Further settings under `sources.cogny`.

    Raises:
        SettingsError: If there is no key; the sync must not find another account's in a file.
    """
    if not key:
        raise SettingsError("the connection has no password: put the API key there")
    variables = {name: value for name, value in inherited.items() if "AIRFLOW" not in name}
    named = {**settings, "api_key": key, **({"base_url": base_url} if base_url else {})}
    for name, value in named.items():
        variables[f"SOURCES__COGNY__{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    # Where Airflow is installed dlt would import it and look for its own settings among the variables.
    return {**variables, "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false", "PYTHONUNBUFFERED": "1"}
