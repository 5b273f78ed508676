"""The part of dbt's Jinja that the package uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jinja2 import UndefinedError

from cogny_source.models.project import DataTest, read_project
from cogny_source.models.rendering import Renderer
from tests.support.models import open_loaded, ticket


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    """Of a dataset that holds nothing but tickets."""
    with open_loaded(ticket("a", "2026-10-01")) as store:
        yield Renderer(read_project(), store, {"cogny_timezone": "Asia/Tokyo"})


def test_models_that_a_query_reads_are_told(renderer: Renderer) -> None:
    """Loaded tables are none."""
    found = renderer.render("select {{ ref('b') }}, {{ ref('a') }}, {{ source('cogny', 'tickets') }}")
    assert found.sql == (
        'select "memory"."cogny_data_models"."b", "memory"."cogny_data_models"."a", "memory"."cogny_data"."tickets"'
    )
    assert found.reads == {"a", "b"}


def test_a_macro_is_that_of_the_dialect(renderer: Renderer) -> None:
    """And goes by the variables."""
    assert renderer.render("{{ local_date('x') }}").sql == "cast(timezone('Asia/Tokyo', x) as date)"


def test_a_table_that_is_missing_has_no_rows_of_its_columns(renderer: Renderer) -> None:
    """With their types."""
    assert renderer.render("{{ loaded('tickets') }}").sql == '"memory"."cogny_data"."tickets"'
    missing = " ".join(renderer.render("{{ loaded('reports_history') }}").sql.split())
    assert missing.startswith(
        "( select cast(null as varchar) as id, cast(null as timestamp with time zone) as updated_at,"
    )
    assert missing.endswith("limit 0 )")


def test_a_generic_test_becomes_a_query(renderer: Renderer) -> None:
    """About a model, with its arguments."""
    test = DataTest("t", "error", "accepted_values", "m", {"column_name": "c", "values": ["x", "y"]})
    found = renderer.render_test(test)
    assert 'from "memory"."cogny_data_models"."m" where c not in (\'x\', \'y\')' in found.sql
    assert found.reads == {"m"}


def test_a_name_that_is_not_known_is_an_error(renderer: Renderer) -> None:
    """Not an empty text."""
    with pytest.raises(UndefinedError):
        renderer.render("{{ unknown }}")
