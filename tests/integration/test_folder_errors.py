"""What a disk or an object store refuses is told in one sentence, with the command or setting that mends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cogny_source.cli import main
from cogny_source.sandbox import SandboxServer
from tests.support.places import FolderPlace
from tests.support.syncs import KEY, ROOT


@pytest.mark.parametrize(("url", "advice"), [("s3://b/x", "set AWS_ACCESS_KEY_ID"), ("gs://b/x", "run `gcloud auth")])
def test_missing_credentials_are_named(
    url: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer
) -> None:
    """By the check and by the sync, which dlt would end with a traceback of its own."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "DESTINATION__"))]:
        monkeypatch.delenv(name)
    settings = {"HOME": str(tmp_path), "DLT_DATA_DIR": str(tmp_path), "NO_GCE_CHECK": "true"}
    settings |= {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    settings |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for arguments in (["--check"], ["--quiet"]):
        done = CliRunner().invoke(main, ["sync", "parquet", "--bucket-url", url, *arguments])
        assert done.exit_code == 2
        told = done.stdout if arguments == ["--check"] else done.stderr
        assert f": no credentials for {url}: {advice}" in told


def test_sandbox_makes_the_folder_that_it_needs(tmp_path: Path, environment: dict[str, str]) -> None:
    """A first run into a folder of a folder, with one resource, ends well."""
    arguments = ["--sandbox", "--dataset", "growth", "--resources", "warehouses"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipelines" / "cogny_to_parquet.py"), *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cogny_parquet" / "growth" / "warehouses" / "warehouses.parquet").exists()


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
        assert "the bucket of s3://no-such-bucket/cogny does not exist: create it, or name another" in told
        assert code == 2


def test_check_tries_the_folder(
    sandbox: SandboxServer, bucket: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`--check` writes into the folder, leaves nothing there, and says so."""
    for place in (FolderPlace(tmp_path, "parquet", bucket), FolderPlace(tmp_path, "parquet")):
        code, told = run(place, sandbox, environment, "--check")
        assert (code, told) == (0, f"ok    {place.url}: files can be written, replaced, listed, read and deleted")
    assert not list((tmp_path / "tables").glob(".cogny_scratch"))
    assert not (tmp_path / "tables" / "tickets").exists()


def test_store_that_is_away_is_named(sandbox: SandboxServer, tmp_path: Path, environment: dict[str, str]) -> None:
    """A store that nobody answers for fails the check, and a sync with 1, as that may pass."""
    place = FolderPlace(tmp_path, "parquet", "http://127.0.0.1:9")
    for arguments, expected in ((["--check"], 2), ([], 1)):
        code, told = run(place, sandbox, environment, *arguments)
        assert code == expected
        assert "cannot be reached" in told
