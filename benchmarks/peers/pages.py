"""The listing that the scripts written by hand share: pages of one resource, one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import orjson
import requests

RESOURCES = ("tickets", "reports", "warehouses")


def read_pages(session: requests.Session, resource: str, **params: str) -> Iterator[dict[str, Any]]:
    """Every page of a listing, parsed; a resource that comes without `pagination` is one page."""
    url = f"{os.environ['SOURCES__COGNY__BASE_URL']}/{resource}"
    session.headers["Authorization"] = f"Bearer {os.environ['SOURCES__COGNY__API_KEY']}"
    params["limit"] = "100"
    while True:
        response = session.get(url, params=params, timeout=60)
        response.raise_for_status()
        page = orjson.loads(response.content)
        yield page
        place = page.get("pagination") or {}
        if not place.get("has_more"):
            return
        params["cursor"] = place["next_cursor"]
