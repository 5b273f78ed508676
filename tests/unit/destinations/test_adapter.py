"""What each registered destination owes to the port, and that a folder and a registration are enough for a new one."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import dlt
import duckdb
import pytest
from dlt.common.typing import TLoaderFileFormat

from cogny_source.destinations.adapter import DestinationAdapter
from cogny_source.destinations.registration import Registration
from cogny_source.destinations.registry import REGISTRATIONS, list_column_types
from cogny_source.destinations.sql import SqlAdapter
from cogny_source.records.package import list_tables, make_empty_table
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, ColumnType
from tests.support import places
from tests.support.syncs import ROOT

ADAPTERS = [(kind, make) for it in REGISTRATIONS.values() for kind, make in it.adapters.items()] + [("sql", SqlAdapter)]
SPECS = [SYNC_RUNS, *(spec for name in RESOURCE_TABLES for spec in list_tables(name, history=True).values())]


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter[0].rpartition(".")[2])
def adapter(request: pytest.FixtureRequest) -> DestinationAdapter:
    """Each adapter."""
    _, make = request.param
    return make()


def test_file_format_is_one_of_dlt(adapter: DestinationAdapter) -> None:
    """The load would refuse another as the first row is loaded."""
    assert adapter.loader_file_format in get_args(TLoaderFileFormat)


def test_every_table_can_be_written(adapter: DestinationAdapter, tmp_path: Path) -> None:
    """An empty table becomes items too: they make the table."""
    with adapter.open_writer(tmp_path) as write:
        for spec in SPECS:
            hints = dlt.mark.make_hints(table_name=spec.name, additional_table_hints=adapter.table_hints(spec))
            assert list(write(make_empty_table(spec), spec, hints)), spec.name
    assert list(tmp_path.iterdir()) == []


def test_instants_are_read_to_the_microsecond() -> None:
    """In standard SQL as in DuckDB's words, before 1970 and long after."""
    instants = [
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 2, 3, 4, 5, 6, 123457, tzinfo=UTC),
        datetime(2199, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    ]
    expected = [round(instant.timestamp() * 1_000_000) for instant in instants]
    for found in (make() for kind, make in ADAPTERS if "bigquery" not in kind):
        with duckdb.connect() as db:
            for instant, micros in zip(instants, expected, strict=True):
                query = f"SELECT {found.unix_micros('seen')} FROM (SELECT ?::TIMESTAMPTZ AS seen)"
                assert db.execute(query, [instant]).fetchall() == [(micros,)]


def test_types_are_told_for_every_column_type() -> None:
    """And every storage format has its place in the conformance suite."""
    kinds = {place.kind for place in vars(places).values() if isinstance(getattr(place, "kind", None), str)}
    assert {"Parquet", "Delta", *kinds} == set(list_column_types())
    for types in list_column_types().values():
        assert set(types) == set(get_args(ColumnType))


def test_each_registered_destination_has_a_dataset_and_a_script() -> None:
    """Every command names the dataset; the README's scripts are one a destination."""
    for name, registration in REGISTRATIONS.items():
        assert registration.name == name
        assert "dataset" in {option.name for option in registration.options}
        assert (ROOT / "pipelines" / f"cogny_to_{name}.py").exists()


def test_page_names_every_member_of_the_port() -> None:
    """Whoever adds a destination finds there what to write."""
    page = (ROOT / "docs" / "adding-a-destination.md").read_text(encoding="utf-8")
    members = [name for name in vars(DestinationAdapter) if not name.startswith("_")]
    for name in [*members, *(field.name for field in fields(Registration))]:
        assert f"`{name}`" in page, name
