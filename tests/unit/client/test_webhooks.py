"""Webhooks: subscriptions, and deliveries that are believed only with their signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cogny_source.client import InvalidSignature, OutcomeUnknown, unwrap
from cogny_source.errors import ContractError, InvalidArgument
from cogny_source.testing import SandboxCogny

SECRET = "s3cret"
BODY = json.dumps(
    {"id": "evt_1", "type": "report.completed", "created_at": "2025-02-03T10:30:00Z", "data": {"id": "rpt_ü"}, "v": 2},
    ensure_ascii=False,
).encode()


def sign(body: bytes, secret: str = SECRET) -> str:
    """The signature of a delivery."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_subscription(client: SandboxCogny) -> None:
    """Its secret comes back in no member."""
    hook = client.webhooks.create("https://example.com/hook", ["report.completed", "ticket.updated"], SECRET)
    assert (hook.url, hook.events) == ("https://example.com/hook", ("report.completed", "ticket.updated"))
    assert SECRET not in repr(hook) + str(hook.raw)


def test_a_lost_subscription_is_told_of(client: SandboxCogny) -> None:
    """A second one would double every delivery."""
    client.sandbox.fail_next("lost_504")
    with pytest.raises(OutcomeUnknown, match="would double"):
        client.webhooks.create("https://example.com/hook", ["report.completed"], SECRET)
    assert client.sandbox.requests == [("POST", "/webhooks")]


@pytest.mark.parametrize("name", ["X-Cogny-Signature", "x-cogny-signature", "X-COGNY-SIGNATURE"])
@pytest.mark.parametrize("body", [BODY, BODY.decode(), bytearray(BODY)])
def test_a_signed_delivery_is_read(client: SandboxCogny, body: bytes, name: str) -> None:
    """As it came, whatever the case of its header; what no page documents is kept."""
    event = client.webhooks.unwrap(body, {"Content-Type": "application/json", name: sign(BODY)}, SECRET)
    assert (event.id, event.type, event.data) == ("evt_1", "report.completed", {"id": "rpt_ü"})
    assert (event.created_at, event.extra) == (datetime(2025, 2, 3, 10, 30, tzinfo=UTC), {"v": 2})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Signature": sign(BODY)},
        {"X-Cogny-Signature": "\udce9"},
        {"X-Cogny-Signature": "é"},
        {"X-Cogny-Signature": ""},
        {"X-Cogny-Signature": sign(BODY)[:-1]},
        {"X-Cogny-Signature": sign(BODY, "other")},
        {"X-Cogny-Signature": sign(BODY + b" ")},
        {"X-Cogny-Signature": "ü" * 64},
    ],
)
def test_any_other_is_refused(headers: dict[str, str]) -> None:
    """Before it is read."""
    with pytest.raises(InvalidSignature):
        unwrap(BODY, headers, SECRET)


@pytest.mark.parametrize("secret", ["", None])
def test_an_empty_secret_proves_nothing(secret: str) -> None:
    """Anybody could sign with it."""
    with pytest.raises(InvalidArgument, match=r"^secret "):
        unwrap(BODY, {"X-Cogny-Signature": sign(BODY, "")}, secret)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"type": "x"}'])
def test_a_signed_delivery_that_is_no_event(body: bytes) -> None:
    """It breaks the contract."""
    with pytest.raises(ContractError):
        unwrap(body, {"X-Cogny-Signature": sign(body)}, SECRET)


@pytest.mark.parametrize(
    ("name", "body", "secret"), [("body", None, SECRET), ("body", 7, SECRET), ("secret", b"", "\udce9")]
)
def test_what_cannot_be_verified_is_refused_by_name(client: SandboxCogny, name: str, body: Any, secret: str) -> None:
    """In the words of the client, not of the library below."""
    with pytest.raises(InvalidArgument, match=f"^{name} "):
        client.webhooks.unwrap(body, {"X-Cogny-Signature": "0"}, secret)


def test_a_body_that_is_no_unicode_is_no_delivery(client: SandboxCogny) -> None:
    """Half of a surrogate pair comes from whoever decoded the bytes wrongly."""
    with pytest.raises(InvalidSignature):
        client.webhooks.unwrap("\udce9", {"X-Cogny-Signature": "0"}, SECRET)
