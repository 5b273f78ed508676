"""The alert: one POST where a run failed, and nothing in it that is secret."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from support import Script


class Webhook:
    """A server that keeps what it is told.

    Attributes:
        url: Where it listens; its path is a secret.
        told: The bodies.
        status: What it answers with.
    """

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/token"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook on this machine."""
    hook = Webhook()
    thread = Thread(target=hook.server.serve_forever, args=(0.01,))
    thread.start()
    yield hook
    hook.server.shutdown()
    thread.join()
    hook.server.server_close()


def test_failure_is_told(cogny: Script, webhook: Webhook) -> None:
    """A wrong key is told with the exit code, the sentence and the machine, and without the key."""
    key = "sk_test_somebody_elses"
    done = cogny("sync", "duckdb", expect=2, SOURCES__COGNY__API_KEY=key, SOURCES__COGNY__ALERT_WEBHOOK=webhook.url)
    [told] = webhook.told
    assert set(told) == {"text"}
    assert "ended with exit code 2. Error: " in told["text"]
    assert told["text"].endswith(f"({socket.gethostname()})")
    assert key not in told["text"] + done.stderr
    assert "token" not in done.stderr


def test_missing_key_is_told(cogny: Script, webhook: Webhook) -> None:
    """The webhook is found where the other settings make no sense."""
    cogny("sync", "duckdb", expect=2, SOURCES__COGNY__API_KEY="", SOURCES__COGNY__ALERT_WEBHOOK=webhook.url)
    assert "No API key" in webhook.told[0]["text"]


def test_success_is_not_told(cogny: Script, webhook: Webhook) -> None:
    """Nobody is called where nothing failed."""
    cogny("sync", "duckdb", "--quiet", SOURCES__COGNY__ALERT_WEBHOOK=webhook.url)
    cogny("check", SOURCES__COGNY__ALERT_WEBHOOK=webhook.url, expect=2, SOURCES__COGNY__API_KEY="sk_test_other")
    assert webhook.told == []


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.com/token", "alert_webhook must be a URL that begins with https://"),
        ("https://[token", "alert_webhook must be a URL that begins with https://"),
        ("http://127.0.0.1:9/token", "the webhook cannot be reached (ConnectionError)"),
    ],
)
def test_alert_that_cannot_be_sent_is_logged(cogny: Script, url: str, told: str) -> None:
    """The run ends as it would have, and the URL is told nowhere."""
    done = cogny("sync", "duckdb", "--resources", "bananas", expect=2, SOURCES__COGNY__ALERT_WEBHOOK=url)
    assert told in done.stderr
    assert "token" not in done.stderr


def test_refused_alert_is_logged(cogny: Script, webhook: Webhook) -> None:
    """With the status, by which a person finds out that the webhook is gone."""
    webhook.status = 404
    done = cogny("sync", "duckdb", "--resources", "bananas", expect=2, SOURCES__COGNY__ALERT_WEBHOOK=webhook.url)
    assert "the webhook refused the alert with status 404" in done.stderr
