"""A word to whoever is on call, where a run failed: one POST of JSON that Slack and its like understand."""

from __future__ import annotations

import logging
import socket
from threading import Thread
from urllib.parse import urlsplit

from cogny_source.errors import ConfigError
from cogny_source.monitoring.health import Health, Level
from cogny_source.plain_text import hide_keys, safe_lines
from cogny_source.settings import is_loopback, resolve_alert_webhook

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0


def is_wanted() -> bool:
    """Whether there is somebody to tell, or a setting that makes no sense, of which `send_alert` tells."""
    try:
        return resolve_alert_webhook() is not None
    except ConfigError:
        return True


def describe_alert(command: str, exit_code: int, health: Health) -> str | None:
    """What whoever is on call is told, by the judgement that `cogny status` goes by; None where nobody is called.

    Args:
        command: The command.
        exit_code: How it ended.
        health: How the run ended, or how the dataset stands after it.
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
    """Tell the URL that `SOURCES__COGNY__ALERT_WEBHOOK` names, if there is one.

    An alert that cannot be sent is logged, and changes nothing of how the run ends. The URL is a secret: it is told
    nowhere.

    Args:
        text: What happened, without secrets.
    """
    try:
        url = resolve_alert_webhook()
    except ConfigError as error:
        logger.warning("no alert was sent: %s", error)
        return
    if url is None:
        return
    # A time-out of requests begins anew with each byte; the run must end all the same.
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
    # A proxy would take the alert off this machine, where anybody reads http.
    session.trust_env = not is_loopback(str(urlsplit(url).hostname))
    try:
        # The answer's body is not read: nobody knows how long it is.
        with (
            session,
            session.post(
                url, json={"text": text}, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
            ) as answer,
        ):
            if not 200 <= answer.status_code < 300:
                logger.warning("the webhook refused the alert with status %d", answer.status_code)
    except (requests.RequestException, HTTPError) as error:  # urllib3 lets some host names through to its own error
        logger.warning("no alert was sent: the webhook cannot be reached (%s)", type(error).__name__)
