"""Names of urllib3, requests and `http.client` that nothing promises: each test says what breaks with it."""

from __future__ import annotations

import http.client
import inspect
from io import BytesIO

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


def test_pools_are_made_of_classes_by_scheme() -> None:
    """`LineAdapter` puts its own pools there."""
    assert PoolManager().pool_classes_by_scheme == {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}, (
        "if this fails, connections cannot be aborted: look at api/lines.py, init_poolmanager"
    )
    assert isinstance(HTTPAdapter().poolmanager, PoolManager)


@pytest.mark.parametrize(
    ("pool", "connection"), [(HTTPConnectionPool, HTTPConnection), (HTTPSConnectionPool, HTTPSConnection)]
)
def test_pool_names_the_class_of_its_connections(
    pool: type[HTTPConnectionPool], connection: type[HTTPConnection]
) -> None:
    """`_make_pool` derives from it; `_Line` overrides how it connects, and whether it may be used again."""
    advice = "if this fails, connections cannot be aborted: look at api/lines.py, _Line and _make_pool"
    assert pool.ConnectionCls is connection, advice
    assert not inspect.signature(connection._new_conn).parameters.keys() - {"self"}, advice
    assert isinstance(connection.is_connected, property), advice
    assert issubclass(connection.response_class, http.client.HTTPResponse), advice


def test_status_line_is_read_by_a_method_of_its_own() -> None:
    """`LineResponse` skips informational answers there."""
    assert list(inspect.signature(http.client.HTTPResponse._read_status).parameters) == ["self"], (  # type: ignore[attr-defined]
        "if this fails, an informational answer is taken for the answer: look at api/lines.py, LineResponse"
    )


def test_answer_is_read_as_far_as_it_has_come() -> None:
    """`read_body` reads so, that a deadline holds between two pieces."""
    response = HTTPResponse(BytesIO(b"some"), preload_content=False)
    assert response.read1(2) == b"so", "if this fails, no answer can be read: look at api/transport.py, read_body"


def test_body_of_an_answer_is_read_from_its_raw_stream() -> None:
    """`read_body` puts the whole body there."""
    response = requests.Response()
    response.raw = BytesIO(b"the body")
    assert response.content == b"the body", (
        "if this fails, each answer seems empty: look at api/transport.py, the end of read_body"
    )


def test_packed_body_is_unpacked_piece_by_piece() -> None:
    """`_decompress` bounds what a small body may become."""
    packed = HTTPResponse(BytesIO(b"x" * 10), {"Content-Encoding": "identity"}, preload_content=False)
    assert packed.read(4, decode_content=True) == b"xxxx", (
        "if this fails, a small answer may fill the memory: look at api/transport.py, _decompress"
    )
