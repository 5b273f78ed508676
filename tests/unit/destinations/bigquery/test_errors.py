"""What Google refuses, told in one sentence with the exit code that it deserves."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from dlt.destinations.exceptions import DatabaseTransientException
from google.api_core import exceptions as google
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.cloud import bigquery as google_bigquery
from google.cloud.bigquery.dbapi.exceptions import DatabaseError

from cogny_source.cli import exit_code, main
from cogny_source.destinations.bigquery import target as bigquery
from cogny_source.destinations.bigquery.errors import explain
from cogny_source.destinations.bigquery.target import Place, make_bigquery_target
from cogny_source.errors import ConfigError, LoadFailed

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
        (google.Forbidden("VPC Service Controls: Request is prohibited by organization's policy."), "policy keeps", 2),
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


def test_failing_answers_are_asked_for_again_and_then_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An error of Google's that does not go away ends the run with a sentence, no traceback."""
    asked = []

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    monkeypatch.setattr(bigquery, "RETRY_SECONDS", 3)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOURCES__COGNY__API_KEY", "sk_test_sandbox")
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        done = CliRunner().invoke(main, ["sync", "bigquery", "--quiet"])
        server.shutdown()
    assert done.exit_code == 1
    assert "Error: BigQuery does not answer" in done.stderr
    assert len(asked) > 1


class Datasets:
    """Google's client as far as datasets go.

    Args:
        found: Dataset to location.
    """

    project = "growth"

    def __init__(self, found: dict[str, str]) -> None:
        self.found = found

    def get_dataset(self, name: str, **_: object) -> object:
        """A dataset that is there."""
        if name not in self.found:
            raise google.NotFound(f"Not found: Dataset growth:{name}")
        return google_bigquery.Dataset.from_api_repr(
            {"datasetReference": {"projectId": "growth", "datasetId": name}, "location": self.found[name]}
        )


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        ({}, None, "US"),
        ({}, "EU", "EU"),
        ({"d": "EU"}, None, "EU"),
        ({"d_staging": "EU"}, None, "EU"),
        ({"d": "EU"}, "eu", "EU"),
        ({"d": "EU"}, "US", "d is in EU, not in US"),
        ({"d_staging": "EU"}, "US", "d_staging is in EU, not in US"),
        (
            {"d": "EU", "d_staging": "US"},
            None,
            "d is in EU and d_staging is in US, but they must be in one location: delete d_staging",
        ),
    ],
)
def test_both_datasets_are_in_one_location(found: dict[str, str], asked: str | None, expected: str) -> None:
    """That of the one which is there, or what was asked for."""
    try:
        told = bigquery._choose_location(Datasets(found), Place(None, "d", asked, None))
    except ConfigError as error:
        told = str(error)
    assert told == expected or (len(expected) > 2 and expected in told)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (Place("Growth!", "d", None, None), "--project is"),
        (Place(None, "D-1", None, None), "--dataset is"),
        (Place(None, "d", None, "s3://bucket"), "--staging is"),
    ],
)
def test_wrong_options_are_refused(place: Place, sentence: str) -> None:
    """Before Google is asked."""
    with pytest.raises(ConfigError, match=sentence):
        make_bigquery_target(place)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Google's client, the sentence says how to install it."""
    monkeypatch.setattr(bigquery, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'cogny-source\[bigquery\]'"):
        make_bigquery_target(Place(None, "d", None, None))


def test_missing_and_broken_credentials_end_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the key nor a traceback is shown."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in ("BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    arguments = ["sync", "bigquery", "--project", "growth", "--quiet"]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no credentials for Google" in done.stderr
    key = '{"type":"service_account","project_id":"p","private_key":"s3cret","client_email":"a@b.c"}'
    monkeypatch.setenv("DESTINATION__BIGQUERY__CREDENTIALS", key)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert "is not the key of a service account" in done.stderr
    assert "s3cret" not in done.output


def test_google_is_imported_only_where_it_is_used() -> None:
    """The other pipelines start without it."""
    code = "import cogny_source.cli, sys; print([name for name in sys.modules if name.startswith('google')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
