"""The places that the command line names: refused where they cannot be one, before anything else is done."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target

DATASET = "cogny_data"
MAGIC, MAGIC_AT = b"DUCK", slice(8, 12)
# A file of which DuckDB wrote less holds nothing.
HEADERS_BYTES = 3 * 4096


def make_target(destination: str, place: dict[str, Any]) -> Target:
    """The target that a command's options name.

    Their modules are imported here, as dlt below them takes a second: a signal meanwhile is the command's to heed.

    Args:
        destination: `duckdb`, `parquet` or `bigquery`.
        place: The options that name a place, by name.

    Raises:
        ConfigError: If there can be no such place, or dlt's settings files cannot be read.
    """
    _check_texts(place)
    makers = {"duckdb": _make_duckdb, "parquet": _make_folder, "bigquery": _make_bigquery}
    if destination == "duckdb":
        _check_kind(place["database"])
    from cogny_source.settings_files import check_settings_files

    check_settings_files()
    return makers[destination](place)


def holds_database(path: Path) -> bool:
    """Whether a file holds a DuckDB database; not where there is none, or only its beginning.

    Raises:
        ConfigError: If it holds something else.
    """
    if not os.path.exists(path):  # false, too, where nobody may look
        return False
    try:
        with path.open("rb") as file:
            beginning = file.read(MAGIC_AT.stop)
    except OSError:  # DuckDB tells what is wrong with it
        return True
    if beginning and beginning[MAGIC_AT] != MAGIC:
        raise ConfigError(f"--database {path} is no DuckDB database: name another file")
    return path.stat().st_size >= HEADERS_BYTES


def _check_texts(place: dict[str, Any]) -> None:
    """Refuse names that are no text: neither DuckDB nor a URL takes their bytes."""
    options = {f"--{name.replace('_', '-')}": value for name, value in sorted(place.items())}
    for name, value in {**options, "the present folder": Path.cwd()}.items():
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise ConfigError(
                f"{name} is {value}, which is no text in the encoding of this system: name another, or set PYTHONUTF8=1"
            ) from None


def _check_kind(path: Path) -> None:
    """Refuse what is no file, as to open a pipe waits for ever, and what this user may not read."""
    if not os.path.exists(path):
        return
    if not os.path.isfile(path):
        raise ConfigError(f"--database {path} is no file: name a file")
    if not os.access(path, os.R_OK):
        raise ConfigError(f"--database {path} may not be read by this user")


def _make_duckdb(place: dict[str, Any]) -> Target:
    from cogny_source.destinations.duckdb.target import make_duckdb_target

    database = place["database"]
    target = make_duckdb_target(database, place["dataset"] or DATASET)

    def prepare() -> None:
        holds_database(database)
        target.prepare()

    return replace(target, is_there=lambda: holds_database(database), prepare=prepare)


def _make_folder(place: dict[str, Any]) -> Target:
    from cogny_source.destinations.filesystem.target import make_folder_target

    url = place["bucket_url"] or f"cogny_{place['table_format']}"
    return make_folder_target(url, place["dataset"], place["table_format"])


def _make_bigquery(place: dict[str, Any]) -> Target:
    from cogny_source.destinations.bigquery.target import Place, make_bigquery_target

    return make_bigquery_target(
        Place(place["project"], place["dataset"] or DATASET, place["location"], place["staging"])
    )
