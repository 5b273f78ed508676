"""The uses of dlt's private names for Delta tables; imported only if deltalake is installed."""

from __future__ import annotations

from dlt.common.libs.deltalake import deltalake_storage_options, evolve_delta_table_schema
from dlt.destinations.impl.filesystem.configuration import FilesystemDestinationClientConfiguration

__all__ = ["FilesystemDestinationClientConfiguration", "deltalake_storage_options", "evolve_delta_table_schema"]
