"""Alerts: one POST of JSON after a failed run, in the form that Slack and similar services accept."""

from __future__ import annotations

import logging
import socket
from threading import Thread
from urllib.parse import urlsplit

from cogny_source.dlt_settings import resolve_alert_webhook
from cogny_source.errors import ConfigError
from cogny_source.monitoring.health import Health, Level
from cogny_source.plain_text import hide_keys, safe_lines
from cogny_source.settings import is_loopback

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0


def is_wanted() -> bool:
    """Whether a webhook is set; an invalid setting counts, as `send_alert` reports it."""
    try:
        return resolve_alert_webhook() is not None
    except ConfigError:
        return True


def describe_alert(command: str, exit_code: int, health: Health) -> str | None:
    """The text of an alert, by the same judgement as `cogny status`; None for no alert.

    Args:
        command: The command.
        exit_code: Its exit code.
        health: The health of the dataset after the run, or of the failed run.
    """
    if not health.fails():
        return None
    told = " ".join(
        f"{finding}." if finding.resource else str(finding)
        for finding in health.problems
        if finding.level is Level.ERROR
    )
    return f"{command} ended with exit code {exit_code}. {told}"


def send_alert(text: str) -> None:
    """Send a text to the URL in `SOURCES__COGNY__ALERT_WEBHOOK`, if it is set.

    A failure to send is logged and does not change the exit code. The URL is a secret and appears nowhere.

    Args:
        text: The alert, without secrets.
    """
    try:
        url = resolve_alert_webhook()
    except ConfigError as error:
        logger.warning("no alert was sent: %s", error)
        return
    if url is None:
        return
    # The time-out of requests restarts with each byte; a thread lets the run end nevertheless.
    thread = Thread(
        target=_post, args=(url, hide_keys(safe_lines(f"{text} ({socket.gethostname()})"))), name="alert", daemon=True
    )
    thread.start()
    thread.join(TIMEOUT_SECONDS)
    if thread.is_alive():
        logger.warning("the webhook did not answer within %.0f s", TIMEOUT_SECONDS)


def _post(url: str, text: str) -> None:
    import requests
    from urllib3.exceptions import HTTPError

    session = requests.Session()
    # A proxy would send the alert for this machine over the network, readable over http.
    session.trust_env = not is_loopback(str(urlsplit(url).hostname))
    try:
        # The answer's body is not read: it may be of any length.
        with (
            session,
            session.post(
                url, json={"text": text}, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
            ) as answer,
        ):
            if not 200 <= answer.status_code < 300:
                logger.warning("the webhook refused the alert with status %d", answer.status_code)
    except (requests.RequestException, HTTPError) as error:  # some host names raise urllib3's own error
        logger.warning("no alert was sent: the webhook cannot be reached (%s)", type(error).__name__)
