"""What a disk or an object store refuses is told in one sentence, with the command or setting that mends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from places import FolderPlace
from support import KEY, ROOT

from cogny_source.destinations.folder_errors import explain
from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.sandbox import SandboxServer

URL = "s3://growth/cogny"


def refusal(code: str, text: str) -> ClientError:
    """What botocore raises when S3 refuses."""
    return ClientError({"Error": {"Code": code, "Message": text}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (NoCredentialsError(), ConfigError, "no credentials for s3://growth/cogny: set destination.filesystem"),
        (refusal("AccessDenied", "Access Denied"), ConfigError, "may not read, write, list and delete in s3://growth"),
        (refusal("SignatureDoesNotMatch", "The signature differs"), ConfigError, "may not read, write, list"),
        (PermissionError(13, "Permission denied"), ConfigError, "may not read, write, list and delete"),
        (refusal("NoSuchBucket", "The specified bucket does not exist"), ConfigError, "the bucket of s3://growth"),
        (EndpointConnectionError(endpoint_url="http://x"), LoadFailed, "cannot be reached (EndpointConnectionError)"),
    ],
)
def test_refusals_are_explained(error: Exception, kind: type[Exception], sentence: str) -> None:
    """Also where dlt has wrapped them."""
    wrapped = LoadFailed("the destination refused a load: …")
    wrapped.__cause__ = RuntimeError(error)
    told = explain(wrapped, URL)
    assert type(told) is kind
    assert sentence in str(told)


def test_other_failures_are_left_as_they_are() -> None:
    """What is not known keeps its own words."""
    assert explain(LoadFailed("the disk is full"), URL) is None


def run(place: FolderPlace, server: SandboxServer, variables: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Run the script into a place; its exit code and what it says last."""
    settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": server.base_url}
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipelines" / place.script), *place.arguments, *arguments],
        env={**variables, **settings, **place.environment, "AWS_MAX_ATTEMPTS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, (done.stderr or done.stdout).splitlines()[-1]


def test_missing_bucket_is_named(
    sandbox: SandboxServer, bucket: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A bucket that is not there ends the check and the sync with 2."""
    place = FolderPlace(tmp_path, "parquet", bucket)
    place.url = "s3://no-such-bucket/cogny"
    for arguments in (["--check"], []):
        code, told = run(place, sandbox, environment, *arguments)
        assert "the bucket of s3://no-such-bucket/cogny is not there: make it, or name another" in told
        assert code == 2


def test_check_tries_the_folder(
    sandbox: SandboxServer, bucket: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`--check` writes into the folder, leaves nothing there, and says so."""
    for place in (FolderPlace(tmp_path, "parquet", bucket), FolderPlace(tmp_path, "parquet")):
        code, told = run(place, sandbox, environment, "--check")
        assert (code, told) == (0, f"{place.url}: files can be written, replaced, listed, read and deleted")
    assert not list((tmp_path / "tables").glob(".cogny_scratch"))
    assert not (tmp_path / "tables" / "tickets").exists()


def test_store_that_is_away_is_named(sandbox: SandboxServer, tmp_path: Path, environment: dict[str, str]) -> None:
    """A store that nobody answers for ends with 1, as that may pass."""
    place = FolderPlace(tmp_path, "parquet", "http://127.0.0.1:9")
    code, told = run(place, sandbox, environment, "--check")
    assert code == 1
    assert "cannot be reached" in told
