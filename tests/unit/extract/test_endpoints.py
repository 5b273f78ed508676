"""The names of resources that a person gives."""

from __future__ import annotations

import pytest

from cogny_source.errors import ConfigError
from cogny_source.extract.endpoints import select_resources


def test_names_come_in_the_order_of_the_source() -> None:
    """All of them if none is given."""
    assert select_resources(None) == select_resources([]) == ["tickets", "reports", "warehouses"]
    assert select_resources(["warehouses", "tickets", "tickets"]) == ["tickets", "warehouses"]


def test_unknown_names_are_told() -> None:
    """With those that are there."""
    with pytest.raises(ConfigError, match=r"unknown resource a, b; there are tickets, reports, warehouses"):
        select_resources(["b", "tickets", "a"])
