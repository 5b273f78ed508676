"""Models in a DuckDB file: one transaction, whose failure tells its own cause."""

from __future__ import annotations

import duckdb
import pytest

from cogny_source.destinations.duckdb_models import DuckDbModelStore
from cogny_source.errors import LoadFailed


class FullDisk:
    """A connection whose commit fails, after which DuckDB has no transaction to roll back."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()

    def commit(self) -> None:
        """Fail as on a full disk."""
        self._connection.rollback()
        raise duckdb.TransactionException("Failed to commit: File too large")

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_a_commit_that_fails_tells_its_own_cause() -> None:
    """Not that nothing is left to be rolled back."""
    places = ("memory", "main"), ("memory", "cogny_models")
    store = DuckDbModelStore(FullDisk(), *places, keeps_views=True)  # type: ignore[arg-type]
    with pytest.raises(LoadFailed, match="File too large"), store.building():
        pass
