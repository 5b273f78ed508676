"""Repairs tables and columns that somebody dropped: warns, creates them again, and lets their rows be read again."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import dlt

from cogny_source.destinations.adapter import Columns, PackageLoader
from cogny_source.destinations.dlt_schema import SCHEMA_NAME, restored_schema
from cogny_source.destinations.session import DestinationSession
from cogny_source.extract.content_rows import CONTENTS
from cogny_source.extract.content_state import forget_contents
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.state import State, forget_rows
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package, list_tables
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS

logger = logging.getLogger(__name__)


def mend_losses(
    destination: DestinationSession, loader: PackageLoader, states: Mapping[str, State], token: str
) -> dict[str, State]:
    """Reset the states of resources with lost tables or columns, and create these again. Call it while connected.

    The reset states are committed before any table is created: a run that is killed in between leaves no state that
    claims rows of an empty table.

    Args:
        destination: The destination.
        loader: Loads into it.
        states: The states in it, by resource.
        token: The package's token in the state; see `Package`.

    Returns:
        The states after the repair, by resource.
    """
    if not states:
        return dict(states)
    with destination.connect() as client, destination.translating_errors():
        tables = _list_expected(destination.pipeline)
        losses = destination.adapter.find_losses(client, tables)
        if not losses:
            return dict(states)
        forgotten = {
            name: forget_state(name, states[name], destination, rows_are_lost=name in losses)
            for name in RESOURCE_TABLES
            if name in states and losses.keys() & list_tables(name, history=True).keys()
        }
        for table, sentence in losses.items():
            owner = next((name for name in RESOURCE_TABLES if table in list_tables(name, history=True)), None)
            logger.warning("%s; %s", sentence, f"all {owner} are read again" if owner else "it is created again")
        if forgotten:
            loader.load_states(Package({name: Chunk(state=s) for name, s in forgotten.items()}, token))
        history = any(name.endswith("_history") for name in tables)
        filled = [name for name in RESOURCE_TABLES if name in ENDPOINTS or name in states]
        loader.recreate_tables(Package(dict.fromkeys(filled, Chunk()), f"{token}:anew", history=history))
    return {**states, **forgotten}


def forget_state(name: str, state: State, destination: DestinationSession, *, rows_are_lost: bool) -> State:
    """The state with which all of a resource is read again.

    Args:
        name: The resource.
        state: Its state.
        destination: The destination.
        rows_are_lost: Whether the resource's table is gone.
    """
    if name != CONTENTS:
        return forget_rows(state)
    return forget_contents(state, max(destination.state_ids(), default=None), rows_are_lost=rows_are_lost)


def _list_expected(pipeline: dlt.Pipeline) -> Columns:
    """Table name to the columns that loads have filled: by dlt's schema, or as declared if that is lost too."""
    schema = restored_schema(pipeline)
    if schema is None and SCHEMA_NAME in pipeline.schema_names:
        return {}
    known = {} if schema is None else schema.tables
    is_recorded = not ENDPOINTS.keys().isdisjoint(known)
    expected = {}
    optional = list_tables(CONTENTS, history=True)
    for spec in [SYNC_RUNS, *(spec for name in RESOURCE_TABLES for spec in list_tables(name, history=True).values())]:
        if spec.name in known:
            columns = known[spec.name]["columns"]
            expected[spec.name] = [name for name, hints in columns.items() if hints.get("data_type")]
        elif not is_recorded and not spec.name.endswith("_history") and spec.name not in optional:
            expected[spec.name] = [column.name for column in spec.columns]
    return expected
