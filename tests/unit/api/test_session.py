"""The session: proxies of the environment, and what never goes through one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cogny_source.api.http_client import HttpClient
from cogny_source.api.meter import Meter
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from tests.support.edge import Edge

Made = Callable[..., HttpClient]

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
OK = {"success": True, "data": []}


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment name no proxy."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_never_reached_through_a_proxy(
    edge: Edge, make_client: Made, monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    """What travels over http would show the key to the proxy."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    edge.will_answer(OK)
    assert make_client(edge.base_url.replace("127.0.0.1", host)).get("/tickets", {}, Meter()).data == []
    assert len(edge.received) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_form_of_this_machine_has_a_proxy(
    make_client: Made, monkeypatch: pytest.MonkeyPatch, scheme: str, host: str
) -> None:
    """By name, by each of its addresses, with TLS and without; another host has one."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert make_client(f"{scheme}://{host}:8080/v1")._wire.session.proxies == {}
    assert make_client("https://api.cogny.example/v1")._wire.session.proxies == {"all": "http://127.0.0.1:1"}


def test_a_host_that_no_proxy_names_has_none(make_client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """`NO_PROXY` is heeded."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "cogny.example")
    assert make_client("https://api.cogny.example/v1")._wire.session.proxies == {}


@pytest.mark.parametrize(
    "proxy",
    ["http://", "http://:3128", "http://proxy:port", "http://proxy:99999", "http://[::1", "ftp://proxy", "a b", "://x"],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_malformed_proxy_is_refused_by_its_variable(
    make_client: Made, monkeypatch: pytest.MonkeyPatch, name: str, proxy: str
) -> None:
    """Before the first request, and without its value: that may hold a password."""
    monkeypatch.setenv(name, proxy)
    with pytest.raises(ConfigError) as caught:
        make_client("https://api.cogny.example/v1")
    assert caught.value.message == f"{name} names no proxy: write it as http://host:port"


@pytest.mark.parametrize("proxy", ["http://proxy:3128", "proxy:3128", "https://user:secret@proxy.example", "PROXY"])
def test_proxies_of_every_usual_form_are_taken(make_client: Made, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """With scheme and without, with a password, by a bare name."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert make_client("https://api.cogny.example/v1")._wire.session.proxies == {"https": proxy}


def test_a_socks_proxy_takes_its_package(make_client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is missing, the sentence names it."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"^ALL_PROXY names a SOCKS proxy, which takes the package PySocks"):
        make_client("https://api.cogny.example/v1")
