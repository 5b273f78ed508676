"""`client.webhooks`: subscriptions, and deliveries that are verified before they are read."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from cogny_source.api.envelope import parse_json
from cogny_source.client.arguments import check_text, make_subscription
from cogny_source.client.context import Context
from cogny_source.client.errors import InvalidSignature
from cogny_source.client.looking import settle
from cogny_source.client.models import EventName, Webhook, WebhookEvent
from cogny_source.client.reading import read_model
from cogny_source.errors import ContractError, InvalidArgument

SIGNATURE = "X-Cogny-Signature"


class Webhooks:
    """The webhooks of an account.

    Args:
        context: Sends the requests.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(self, url: str, events: Sequence[EventName], secret: str) -> Webhook:
        """Subscribe a URL to events. The API can neither list nor delete subscriptions.

        Args:
            url: Where deliveries go, https.
            events: Such as `report.completed`.
            secret: With which deliveries are signed.

        Raises:
            InvalidArgument: If an argument is not possible; nothing was sent.
            OutcomeUnknown: If the answer was lost: whether it was subscribed, only a delivery tells.
        """
        body = make_subscription(url, events, secret)

        def write() -> Webhook:
            answer = self._context.write("POST", "/webhooks", None, body)
            return read_model(Webhook, answer.data, answer.request_id)

        return settle(
            self._context, write, None, "subscriptions cannot be listed; a second one would double deliveries"
        )

    @staticmethod
    def unwrap(body: bytes | str, headers: Mapping[str, str], secret: str) -> WebhookEvent:
        """Verify a delivery and read it.

        Args:
            body: The body as it came; parsed and written anew it has another signature.
            headers: The request's headers.
            secret: That of the subscription.

        Raises:
            InvalidSignature: If it was not signed with the secret.
            ContractError: If it is no event.
        """
        return unwrap(body, headers, secret)


def unwrap(body: bytes | str, headers: Mapping[str, str], secret: str) -> WebhookEvent:
    """As `Webhooks.unwrap`, for a receiver that sends no requests."""
    if not isinstance(body, str | bytes | bytearray | memoryview):
        raise InvalidArgument("body", "must be the bytes of the request")
    if not isinstance(headers, Mapping):
        raise InvalidArgument("headers", "must be a mapping of names to values")
    content = body.encode(errors="surrogatepass") if isinstance(body, str) else bytes(body)
    key = check_text(secret, "secret").encode()
    given = next((value for name, value in headers.items() if str(name).lower() == SIGNATURE.lower()), None)
    if given is None:
        raise InvalidSignature(f"the delivery has no {SIGNATURE}")
    expected = hmac.new(key, content, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), str(given).strip().lower().encode(errors="replace")):
        raise InvalidSignature("the delivery was not signed with this secret")
    try:
        return read_model(WebhookEvent, parse_json(content))
    except ValueError:
        raise ContractError("the delivery is no JSON") from None
