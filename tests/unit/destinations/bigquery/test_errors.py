"""What Google refuses, told in one sentence with the exit code that it deserves."""

from __future__ import annotations

import pytest
from dlt.destinations.exceptions import DatabaseTransientException
from google.api_core import exceptions as google
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.cloud.bigquery.dbapi.exceptions import DatabaseError

from cogny_source.cli import exit_code
from cogny_source.destinations.bigquery.errors import explain
from cogny_source.errors import LoadFailed

URL = "POST https://bigquery.googleapis.com/bigquery/v2/projects/growth/queries?prettyPrint=false: "


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (google.Forbidden(f"{URL}Access Denied: bigquery.jobs.create denied"), "roles/bigquery.jobUser", 2),
        (google.Forbidden("Access Denied: bigquery.datasets.create denied"), "roles/bigquery.user", 2),
        (google.Forbidden("Access Denied: bigquery.tables.updateData"), "roles/bigquery.dataEditor", 2),
        (google.Forbidden("a@b does not have storage.objects.create access"), "roles/storage.objectAdmin", 2),
        (google.Forbidden("BigQuery API has not been used in project 1"), "an owner has to enable it", 2),
        (google.Forbidden("Billing has not been enabled for this project"), "has no billing", 2),
        (google.Forbidden("Too many", errors=[{"reason": "quotaExceeded"}]), "command again later", 1),
        (google.NotFound("Not found: Project growth"), "name another with --project", 2),
        (google.NotFound("Not found: Dataset growth:d was not found in location EU"), "leave --location out", 2),
        (google.BadRequest("Cannot read and write in different locations: source: US"), "in one location", 2),
        (google.NotFound("Not found: URI gs://b/x.jsonl"), "the bucket of --staging", 2),
        (google.Forbidden("Access Denied: File gs://b/x.jsonl: Access Denied"), "roles/storage.objectAdmin", 2),
        (google.Forbidden("VPC Service Controls: Request is prohibited by organization's policy."), "policy denies", 2),
        (google.Forbidden("Access Denied: something new"), "does not let the account do this", 2),
        (google.InternalServerError("x"), "does not answer (InternalServerError)", 1),
        (google.BadGateway("x"), "does not answer (BadGateway)", 1),
        (DefaultCredentialsError("x"), "gcloud auth application-default login", 2),
        (RefreshError("invalid_grant", {"secret": "s3cret"}), "create new ones", 2),
        (TransportError("x"), "does not answer", 1),
    ],
)  # fmt: skip
def test_refusals_are_told(error: Exception, sentence: str, code: int) -> None:
    """Who has to do what, and whether it will fail again until then; as deep as dlt wraps it."""
    wrapped = LoadFailed("the destination refused a load")
    wrapped.__cause__ = DatabaseTransientException(DatabaseError(error))
    told = explain(wrapped, "growth", "d")
    assert told is not None
    assert sentence in str(told)
    assert "https://" not in str(told)
    assert "s3cret" not in str(told)
    assert exit_code(told) == code


@pytest.mark.parametrize(
    "error",
    [
        LoadFailed("a full disk"),
        google.NotFound("Not found: Table growth:d_staging.tickets was not found in location US"),
        google.BadRequest("Resources exceeded during query execution", errors=[{"reason": "resourcesExceeded"}]),
    ],
)
def test_other_failures_are_left_alone(error: Exception) -> None:
    """What a sentence of ours would tell wrongly is told in Google's words."""
    assert explain(error, None, "d") is None
