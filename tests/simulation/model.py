"""The resources of a simulated account: the API's paths and names, with a few columns of each kind."""

from __future__ import annotations

from dataclasses import replace

from cogny_source.extract.endpoints import ENDPOINTS, Endpoint
from cogny_source.schema import TableSpec

RESOURCES = tuple(ENDPOINTS)
COLUMNS = {
    "tickets": ("id", "title", "created_at", "updated_at", "deleted_at", "extra", "_dlt_load_id"),
    "reports": ("id", "prompt", "created_at", "updated_at", "deleted_at", "extra", "_dlt_load_id"),
    "warehouses": ("id", "name", "created_at", "updated_at", "deleted_at", "extra", "_dlt_load_id"),
}
# The member that holds a row's version, by resource.
TEXTS = {"tickets": "title", "reports": "prompt", "warehouses": "name"}
PREFIXES = {"tickets": "tkt", "reports": "rpt", "warehouses": "wh"}


def _shorten(spec: TableSpec) -> TableSpec:
    """The table with fewer columns: a conversion takes as long as there are columns."""
    columns = tuple(column for column in spec.columns if column.name in COLUMNS[spec.name])
    history = ("title",) if spec.name == "tickets" else ()
    children = spec.children if spec.name == "tickets" else ()
    return replace(spec, columns=columns, children=children, history=history)


SMALL_ENDPOINTS: dict[str, Endpoint] = {
    name: replace(endpoint, table=_shorten(endpoint.table)) for name, endpoint in ENDPOINTS.items()
}
