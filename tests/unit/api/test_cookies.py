"""Cookies: an edge's own are sent back within a bound, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cogny_source.api.cookies import MOST_COOKIE_BYTES
from cogny_source.api.http_client import HttpClient
from cogny_source.api.meter import Meter

if TYPE_CHECKING:
    from tests.support.edge import Edge

Made = Callable[..., HttpClient]

OK = {"success": True, "data": []}
KEPT = (
    "__cf_bm",
    "cf_clearance",
    "AWSALB",
    "AWSALBCORS",
    "AWSALBTG",
    "AWSALBTGCORS",
    "GCLB",
    "ARRAffinity",
    "ARRAffinitySameSite",
    "incap_ses_123_456",
    "visid_incap_456",
    "ak_bmsc",
    "bm_sz",
    "_abck",
    "BIGipServerpool",
)


def collect(edge: Edge, client: HttpClient, cookies: list[str]) -> list[str | None]:
    """The `Cookie` of each request, while each answer sets one of some cookies; and of one after them."""
    for cookie in cookies:
        edge.will_answer(OK, headers={"Set-Cookie": f"{cookie}; Path=/"})
    for _ in range(len(cookies) + 1):
        client.get("/tickets", {}, Meter())
    return [headers.get("Cookie") for _, headers in edge.received]


@pytest.mark.parametrize("name", KEPT)
def test_cookies_of_edges_are_sent_back(edge: Edge, make_client: Made, name: str) -> None:
    """By them an edge knows a client, or keeps it at one server."""
    assert collect(edge, make_client(edge.base_url), [f"{name}=one"]) == [None, f"{name}=one"]


@pytest.mark.parametrize("name", ["session", "server", "csrftoken", "PHPSESSID", "AWSALBX", "x__cf_bm", "_ga"])
def test_other_cookies_are_not_kept(edge: Edge, make_client: Made, name: str) -> None:
    """An API that is called by key has no session."""
    assert collect(edge, make_client(edge.base_url), [f"{name}=one"]) == [None, None]


def test_many_cookies_end_in_no_header_that_is_too_long(edge: Edge, make_client: Made) -> None:
    """Neither new names nor long values pile up; what an edge needs it sets again."""
    numbered = [f"incap_ses_{number}_1={'v' * 500}" for number in range(50)]
    others = [f"name_{number}={'v' * 500}" for number in range(50)]
    sent = collect(edge, make_client(edge.base_url), [*numbered, *others, "__cf_bm=" + "v" * 5000])
    assert max(len(cookie or "") for cookie in sent) <= MOST_COOKIE_BYTES
    assert not any("name_" in (cookie or "") or "__cf_bm" in (cookie or "") for cookie in sent)
