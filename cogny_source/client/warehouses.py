"""`client.warehouses`: the connected warehouses."""

from __future__ import annotations

from cogny_source.client.context import Context
from cogny_source.client.listing import Listing
from cogny_source.client.models import Warehouse


class Warehouses:
    """The warehouses of an account.

    Args:
        context: Sends the requests.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(self) -> Listing[Warehouse]:
        """The warehouses; the API documents no filter."""
        return Listing(self._context, Warehouse, "/warehouses", "warehouses:read", {})
