"""The programs that are compared: this connector, and what else somebody might write or take."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import ROOT

PEERS = ROOT / "benchmarks" / "peers"


@dataclass(frozen=True)
class Program:
    """A program that loads the API's rows.

    Attributes:
        name: What the results call it.
        command: How it is started, in a folder of its own.
        database: The DuckDB file that it fills there; none for one that keeps nothing.
        tickets: The table of the tickets.
    """

    name: str
    command: tuple[str, ...]
    database: str | None = None
    tickets: str = "tickets"

    @property
    def is_installed(self) -> bool:
        """Whether the interpreter of its environment is there; `make peers` makes those of the peers."""
        return Path(self.command[0]).exists()

    def query(self, folder: Path, sql: str) -> list[list[Any]]:
        """What a query of its database gives, asked by its own interpreter, whose DuckDB wrote the file."""
        script = "import duckdb, json, sys; rows = duckdb.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()"
        command = [self.command[0], "-c", f"{script}; print(json.dumps(rows, default=str))"]
        answer = subprocess.run([*command, str(folder / str(self.database)), sql], stdout=subprocess.PIPE, check=True)
        rows: list[list[Any]] = json.loads(answer.stdout)
        return rows

    def count_tickets(self, folder: Path) -> int:
        """How many tickets its database holds."""
        return int(self.query(folder, f"SELECT count(*) FROM {self.tickets}")[0][0])


def pipeline(script: str, *options: str) -> tuple[str, ...]:
    """The command of one of this connector's pipelines."""
    return (sys.executable, str(ROOT / "pipelines" / f"{script}.py"), "--quiet", *options)


def connector(name: str, *options: str) -> Program:
    """This connector into DuckDB; without contents of reports, which no peer loads, unless the options ask for them."""
    contents = () if "--contents" in options else ("--contents", "never")
    return Program(name, pipeline("cogny_to_duckdb", *contents, *options), "cogny.duckdb", "cogny_data.tickets")


def _peer(script: str, *options: str, venv: str | None = None) -> tuple[str, ...]:
    python = sys.executable if venv is None else str(ROOT / venv / "bin" / "python")
    return (python, str(PEERS / script), *options)


CONNECTOR = connector("this connector")
# The peers keep no versions of rows.
PLAIN_CONNECTOR = connector("this connector, no history", "--no-history")
BARE = Program("bare download", _peer("bare.py"))
FLOOR = Program("floor, by hand", _peer("floor.py"), "floor.duckdb")
PANDAS = Program("pandas script", _peer("pandas_script.py"), "pandas.duckdb")
DLT_PARQUET = Program(
    "dlt rest_api, Parquet", _peer("dlt_rest_api.py", "--parquet"), "peer.duckdb", "peer_data.tickets"
)
DLT_DEFAULT = Program("dlt rest_api, as it comes", _peer("dlt_rest_api.py"), "peer.duckdb", "peer_data.tickets")
SINGER = Program(
    "Singer, target-duckdb", _peer("singer/run.py", venv=".venv-peers-singer"), "singer.duckdb", "main.tickets"
)
AIRBYTE = Program(
    "PyAirbyte, manifest", _peer("airbyte_manifest.py", venv=".venv-peers-airbyte"), "airbyte.duckdb", "main.tickets"
)
EVERYBODY = (BARE, FLOOR, CONNECTOR, PLAIN_CONNECTOR, PANDAS, DLT_PARQUET, DLT_DEFAULT, SINGER, AIRBYTE)
