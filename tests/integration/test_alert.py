"""The alert: one POST where a run failed, and nothing in it that is secret."""

from __future__ import annotations

import socket

import pytest

from cogny_source.cli import session
from cogny_source.engine import runner
from cogny_source.errors import LoadFailed
from cogny_source.monitoring import alert
from tests.support.syncs import Script
from tests.support.webhook import Webhook


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
        ("https://a..token/", "the webhook cannot be reached (LocationParseError)"),
        ("http://127.0.0.1:9/token", "the webhook cannot be reached (ConnectionError)"),
    ],
)
def test_alert_that_cannot_be_sent_is_logged(cogny: Script, url: str, told: str) -> None:
    """The run ends as it would have, and the URL is told nowhere."""
    done = cogny("sync", "duckdb", "--resources", "bananas", expect=2, SOURCES__COGNY__ALERT_WEBHOOK=url)
    assert told in done.stderr
    assert "token" not in done.stderr


@pytest.mark.parametrize("status", [302, 404])
def test_refused_alert_is_logged(cogny: Script, webhook: Webhook, status: int) -> None:
    """With the status, by which a person finds out that the webhook is gone, or has moved."""
    webhook.status = status
    done = cogny("sync", "duckdb", "--resources", "bananas", expect=2, SOURCES__COGNY__ALERT_WEBHOOK=webhook.url)
    assert f"the webhook refused the alert with status {status}" in done.stderr


def test_webhook_that_dribbles_holds_nobody_up(
    cogny: Script, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header a moment, for ever: the run ends all the same, and says that nobody may know."""
    monkeypatch.setattr(alert, "TIMEOUT_SECONDS", 0.5)
    webhook.dribbles = 20
    done = cogny("sync", "duckdb", "--resources", "bananas", expect=2, SOURCES__COGNY__ALERT_WEBHOOK=webhook.url)
    assert "the webhook did not answer within 0 s" in done.stderr


def test_dataset_that_cannot_be_read_after_a_sync_fails_nothing(
    cogny: Script, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are in: the run is done, and says that nobody looked whether all is well."""

    def refuse(*_: object) -> None:
        raise LoadFailed("another process still holds the database")

    monkeypatch.setattr(session, "read_dataset", refuse)
    done = cogny("sync", "duckdb", "--quiet", SOURCES__COGNY__ALERT_WEBHOOK=webhook.url)
    assert "the sync is done, but how the dataset stands cannot be read: another process" in done.stderr
    assert webhook.told == []


def test_unexpected_error_is_told(cogny: Script, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the program's own ends with a sentence, and with an alert that tells its class alone."""

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("sk_live_secret \x1b[2J\nmore")

    monkeypatch.setattr(runner, "sync", break_down)
    done = cogny("sync", "duckdb", "--quiet", expect=1, SOURCES__COGNY__ALERT_WEBHOOK=webhook.url)
    assert done.stderr == (
        "Error: an unexpected error: RuntimeError: sk_live_… \\x1b[2J; --verbose shows its traceback."
        " What is loaded stays.\n"
    )
    done = cogny("sync", "duckdb", "--quiet", "--verbose", expect=1)
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "sk_live_secret" not in done.stderr
    [told] = webhook.told
    assert "ended with exit code 1. Error: RuntimeError, an unexpected error" in told["text"]
    assert "secret" not in told["text"]
