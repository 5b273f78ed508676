"""The process's address space: refuses a limit that is too low for the libraries."""

from __future__ import annotations

import sys

from cogny_source.errors import ConfigError

# DuckDB, Arrow and their allocators reserve 2.5 GB, with deltalake 3.2 GB, and use a tenth of it (measured on two
# cores). If a reservation fails, they crash with a segmentation fault or hang for ever.
LEAST_BYTES = 4 * 2**30


def read_limit() -> int | None:
    """The process's limit of address space in bytes; None without a limit, or on a system without such limits."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def check_address_space(limit: int | None) -> None:
    """Refuse a limit under which the libraries would crash without a message.

    Args:
        limit: The limit in bytes; None for no limit.

    Raises:
        ConfigError: If it is below `LEAST_BYTES`.
    """
    if limit is not None and limit < LEAST_BYTES:
        raise ConfigError(
            f"`ulimit -v` leaves this process {limit / 2**30:.1f} GB of address space, but DuckDB and Arrow crash below"
            f" {LEAST_BYTES / 2**30:.0f} GB, although they use a tenth of it: raise the limit, and bound the memory in"
            " use with a container or systemd's MemoryMax"
        )
