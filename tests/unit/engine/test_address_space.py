"""A limit of address space under which the libraries would crash is refused before anything is asked."""

from __future__ import annotations

import pytest

from cogny_source.engine.address_space import LEAST_BYTES, check_address_space
from cogny_source.errors import ConfigError


@pytest.mark.parametrize("limit", [None, LEAST_BYTES, 2**40])
def test_enough_address_space_is_taken(limit: int | None) -> None:
    """No limit, or a large one."""
    check_address_space(limit)


@pytest.mark.parametrize("limit", [0, 2**30, LEAST_BYTES - 1])
def test_too_little_address_space_is_refused(limit: int) -> None:
    """In a sentence that names the limit and what to raise."""
    with pytest.raises(ConfigError, match=r"`ulimit -v` leaves this process [\d.]+ GB .* raise the limit"):
        check_address_space(limit)
