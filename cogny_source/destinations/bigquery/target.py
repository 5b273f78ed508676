"""A dataset in BigQuery as a target."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from cogny_source.destinations.bigquery.errors import NO_CREDENTIALS, explain
from cogny_source.destinations.bigquery.jsonl import EMULATOR
from cogny_source.destinations.target import Target, check_dataset
from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.installation import check_installed

DEFAULT_LOCATION = "US"
EMULATOR_PROJECT = "emu"
UNREADABLE_KEY = (
    "the credentials for Google cannot be read: destination.bigquery.credentials is not the key of a service account"
)
PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]*")
SCRATCH = "cogny_scratch"
TIMEOUT_SECONDS = 60
# How long the first request to BigQuery is retried after a transient error.
RETRY_SECONDS = 20
# Google's client warns at each query that dlt reads over REST, which needs no additional role.
NO_STORAGE_CLIENT = "Cannot create BigQuery Storage client"


@dataclass(frozen=True)
class Place:
    """The place of the tables.

    Attributes:
        project: The project; None for that of the credentials.
        dataset: The dataset.
        location: The location of a new dataset, such as `EU`; None for that of the existing dataset, or `US`.
        staging: A bucket through which files are loaded, `gs://…`; None for no bucket.
    """

    project: str | None
    dataset: str
    location: str | None
    staging: str | None


def make_bigquery_target(place: Place) -> Target:
    """A dataset in BigQuery as a target.

    Raises:
        ConfigError: If a name is invalid, or Google's client is not installed.
    """
    check_dataset(place.dataset)
    if place.project is not None and not PROJECT.fullmatch(place.project):
        raise ConfigError(f"--project is {place.project!r}; name a project's id, such as growth-analytics-123")
    if place.staging is not None and not place.staging.startswith("gs://"):
        raise ConfigError(f"--staging is {place.staging!r}; name a bucket of Google Cloud Storage, gs://...")
    check_installed("google.cloud.bigquery", "Google's client", "bigquery")
    where = f"{os.environ.get(EMULATOR, '')} {place.project or ''}"
    return Target(
        lambda: make_destination(place),
        place.dataset,
        identity=f"bigquery {where} {place.dataset}",
        make_staging=None if place.staging is None else lambda: _make_staging(str(place.staging)),
        explain=lambda error: explain(error, place.project, place.dataset),
        probe=lambda: probe(place),
    )


def make_destination(place: Place) -> Any:
    """Make the dlt destination, in the location of its dataset.

    Side effects on the process: it suppresses a warning of Google's client, and with the emulator of
    `BIGQUERY_EMULATOR_HOST` it disables dlt's compression.

    Raises:
        ConfigError: If no credentials are found or accepted, or a dataset is in another location.
        LoadFailed: If BigQuery does not answer.
    """
    from cogny_source.destinations.bigquery.dlt_client import ExactBigQuery

    warnings.filterwarnings("ignore", NO_STORAGE_CLIENT)
    options: dict[str, Any] = {"project_id": place.project}
    if EMULATOR in os.environ:
        os.environ.setdefault("DATA_WRITER__DISABLE_COMPRESSION", "true")
        options = _emulator_options(place)
    with _client(place) as client:
        location = _choose_location(client, place)
    return ExactBigQuery(location=location, **options)


def probe(place: Place) -> Iterator[str]:
    """Create missing datasets, and create, load, change, query and delete a scratch table in each.

    Yields:
        A line for each operation that works.

    Raises:
        CognyError: If one fails.
    """
    from google.cloud import bigquery

    with _client(place) as client:
        location = _choose_location(client, place)
        for name in _list_datasets(place):
            dataset = bigquery.Dataset(f"{client.project}.{name}")
            if _find_location(client, name) is None:
                dataset.location = location
                client.create_dataset(dataset, exists_ok=True, timeout=TIMEOUT_SECONDS)
                yield f"dataset {name}: created in {dataset.location}"
            table = f"{client.project}.{name}.{SCRATCH}"
            schema = [bigquery.SchemaField("id", "STRING"), bigquery.SchemaField("value", "JSON")]
            client.create_table(bigquery.Table(table, schema=schema), exists_ok=True, timeout=TIMEOUT_SECONDS)
            try:
                config = bigquery.LoadJobConfig(schema=schema, write_disposition="WRITE_TRUNCATE")
                rows = [{"id": "scratch", "value": {"works": True}}]
                client.load_table_from_json(rows, table, job_config=config).result(timeout=TIMEOUT_SECONDS)
                query = f"BEGIN TRANSACTION; DELETE FROM `{table}` WHERE id <> 'scratch'; COMMIT TRANSACTION;"
                client.query(query).result(timeout=TIMEOUT_SECONDS)
                [[count]] = client.query(f"SELECT count(*) FROM `{table}`").result(timeout=TIMEOUT_SECONDS)
            finally:
                client.delete_table(table, not_found_ok=True, timeout=TIMEOUT_SECONDS)
            yield f"dataset {name}: a table can be created, loaded, changed, queried ({count} row) and deleted"


@contextmanager
def _client(place: Place) -> Iterator[Any]:
    """Google's client for a place; its errors in the block are raised as `CognyError`."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import bigquery

    try:
        project, credentials = _find_credentials(place)
        with closing(bigquery.Client(project, credentials, location=place.location)) as client:
            yield client
    except (GoogleAPIError, GoogleAuthError, OSError) as exc:  # the errors of requests are OSErrors
        raise explain(exc, place.project, place.dataset) or LoadFailed(f"BigQuery refuses: {exc}") from exc


def _find_credentials(place: Place) -> tuple[str | None, Any]:
    """The project and Google's credentials, as dlt resolves them: from its configuration or Google's defaults."""
    from dlt.common.configuration.exceptions import ConfigurationException

    from cogny_source.destinations.bigquery.dlt_client import resolve_configuration

    if EMULATOR in os.environ:
        options = _emulator_options(place)
        return options["project_id"], options["credentials"]
    try:
        config = resolve_configuration(place.project, place.dataset)
        project = place.project or config.project_id or config.credentials.project_id
        return project, config.credentials.to_native_credentials()
    except (ConfigurationException, ValueError) as exc:  # missing, or not a key; the message must not repeat the key
        reason = NO_CREDENTIALS if isinstance(exc, ConfigurationException) else UNREADABLE_KEY
        raise ConfigError(reason) from None


def _emulator_options(place: Place) -> dict[str, Any]:
    from google.oauth2.credentials import Credentials

    project = place.project or EMULATOR_PROJECT
    credentials: Any = Credentials
    return {"project_id": project, "credentials": credentials(token="emulator", quota_project_id=project)}


def _list_datasets(place: Place) -> tuple[str, str]:
    """The dataset, and its staging dataset."""
    return place.dataset, f"{place.dataset}_staging"


def _choose_location(client: Any, place: Place) -> str:
    """The location of the datasets, existing or new; a BigQuery job reads and writes in one location only."""
    locations = {name: location for name in _list_datasets(place) if (location := _find_location(client, name))}
    for name, location in locations.items():
        if place.location and location.upper() != place.location.upper():
            raise ConfigError(f"dataset {name} is in {location}, not in {place.location}: leave --location out")
    if len({location.upper() for location in locations.values()}) > 1:
        places = " and ".join(f"{name} is in {location}" for name, location in locations.items())
        raise ConfigError(
            f"dataset {places}, but they must be in one location: delete {place.dataset}_staging, which is empty"
            " between loads"
        )
    return next(iter(locations.values()), place.location or DEFAULT_LOCATION)


def _find_location(client: Any, dataset: str) -> str | None:
    """The location of a dataset; None if it does not exist."""
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import DEFAULT_RETRY

    retry = DEFAULT_RETRY.with_timeout(RETRY_SECONDS)
    try:
        return str(client.get_dataset(dataset, timeout=TIMEOUT_SECONDS, retry=retry).location)
    except NotFound as exc:
        if "Dataset" not in str(exc):
            raise
        return None


def _make_staging(url: str) -> Any:
    import dlt

    return dlt.destinations.filesystem(url)
