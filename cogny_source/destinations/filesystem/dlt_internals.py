"""Where Delta tables lean on dlt below its public surface; imported only where the library deltalake is there."""

from __future__ import annotations

from dlt.common.libs.deltalake import deltalake_storage_options, evolve_delta_table_schema
from dlt.destinations.impl.filesystem.configuration import FilesystemDestinationClientConfiguration

__all__ = ["FilesystemDestinationClientConfiguration", "deltalake_storage_options", "evolve_delta_table_schema"]
