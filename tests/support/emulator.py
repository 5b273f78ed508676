"""The tests' BigQuery: an emulator in an environment of its own, which `make emulator` makes.

Run as a script it shows the pipeline, twice, against an emulator of its own: `make demo-bigquery`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
import pytest

from cogny_source.destinations.bigquery.target import Place, make_destination

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-bigquery"
PROJECT = "emu"
PATIENCE_SECONDS = 60
MISSING = "the tests' BigQuery is not installed: `make emulator`, with a Python 3.13 to 3.15"


@dataclass(frozen=True)
class Emulator:
    """A BigQuery on this machine.

    Attributes:
        url: Where it listens, for `BIGQUERY_EMULATOR_HOST`.
    """

    url: str

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs in its environment; the emulator reads no compressed files."""
        return {"BIGQUERY_EMULATOR_HOST": self.url, "DATA_WRITER__DISABLE_COMPRESSION": "true"}

    @contextmanager
    def client(self, dataset: str) -> Iterator[Any]:
        """Google's client, which finds the tables of a dataset by their bare names."""
        from google.cloud import bigquery
        from google.oauth2.credentials import Credentials

        config = bigquery.QueryJobConfig(default_dataset=f"{PROJECT}.{dataset}")
        credentials = Credentials(token="emulator", quota_project_id=PROJECT)
        with closing(
            bigquery.Client(
                PROJECT, credentials, default_query_job_config=config, client_options={"api_endpoint": self.url}
            )
        ) as client:
            yield client

    def ask(self, dataset: str, sql: str) -> list[tuple[Any, ...]]:
        """What a query brings, JSON as texts, as other databases give it."""
        with self.client(dataset) as client:
            rows = client.query_and_wait(sql)
            as_json = [field.field_type == "JSON" for field in rows.schema]
            return [
                tuple(
                    json.dumps(value, ensure_ascii=False) if is_json and value is not None else value
                    for value, is_json in zip(row.values(), as_json, strict=True)
                )
                for row in rows
            ]


@dataclass(frozen=True)
class Dataset:
    """A dataset of the emulator as the destination of pipelines.

    Attributes:
        emulator: Where it is.
        name: Its name.
    """

    emulator: Emulator
    name: str

    def make_pipeline(self, folder: Path, machine: str = "pipelines", **options: Any) -> dlt.Pipeline:
        """The pipeline into it, as another process, or another machine, would make it."""
        destination = make_destination(Place(None, self.name, None, None))
        return dlt.pipeline(
            "cogny", pipelines_dir=str(folder / machine), destination=destination, dataset_name=self.name, **options
        )

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query, or a change, brings."""
        return self.emulator.ask(self.name, sql)


def require_emulator(environment: Path = ENVIRONMENT) -> None:
    """Skip the test where `make emulator` has not been; in CI, fail it."""
    if not (environment / ".ready").exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)


@contextmanager
def run_emulator(folder: Path) -> Iterator[Emulator]:
    """Start an emulator, and end it with the block.

    Args:
        folder: Where it keeps its data.
    """
    port = _find_port()
    command = [str(ENVIRONMENT / "bin" / "local-bigquery"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--grpc-port", "0", "--project", PROJECT, "--data-dir", str(folder / "data")]
    # Its extensions are in its own home. DuckDB reads from the last how many threads it may have; for tables this small
    # a second one costs a sixth more.
    variables = {"PATH": os.environ["PATH"], "HOME": str(ENVIRONMENT / "home"), "SLURM_CPUS_ON_NODE": "1"}
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process)
            yield Emulator(url)
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def _find_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/bigquery/v2/projects/{PROJECT}/datasets", timeout=PATIENCE_SECONDS).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the emulator did not start")


def show_demo() -> int:
    """Sync the sandbox into an emulator twice, and ask it."""
    print("BigQuery here is an emulator on this machine: it shows the pipeline, and says nothing of Google's speed.")
    script = [sys.executable, str(ROOT / "pipelines" / "cogny_to_bigquery.py"), "--sandbox"]
    with TemporaryDirectory() as name, run_emulator(Path(name)) as emulator:
        variables = {**os.environ, **emulator.variables, "DLT_DATA_DIR": name}
        for arguments in (["--check"], [], ["--verify"]):
            code = subprocess.run([*script, *arguments], env=variables).returncode
            if code:
                return code
        query = "SELECT status, count(*) FROM tickets WHERE deleted_at IS NULL GROUP BY status ORDER BY status"
        print(query, *emulator.ask("cogny_data", query), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(show_demo())
