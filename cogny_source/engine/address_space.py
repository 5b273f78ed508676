"""The process's address space: what the libraries reserve of it, and a limit that is too little for them."""

from __future__ import annotations

import sys

from cogny_source.errors import ConfigError

# DuckDB, Arrow and their allocators reserve 2.5 GB, with deltalake 3.2 GB, of which a tenth is in use: measured on two
# cores. Where a reservation is refused they end the process by a segmentation fault, or wait for ever.
LEAST_BYTES = 4 * 2**30


def read_limit() -> int | None:
    """The process's limit of address space in bytes; None for none, or where the system knows no such thing."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def check_address_space(limit: int | None) -> None:
    """Refuse a limit under which the libraries would crash without a word.

    Args:
        limit: The limit in bytes; None for none.

    Raises:
        ConfigError: If it is too little.
    """
    if limit is not None and limit < LEAST_BYTES:
        raise ConfigError(
            f"`ulimit -v` leaves this process {limit / 2**30:.1f} GB of address space, and DuckDB and Arrow crash below"
            f" {LEAST_BYTES / 2**30:.0f} GB, of which they use a tenth: raise it, and bound the memory in use by a"
            " container or systemd's MemoryMax"
        )
