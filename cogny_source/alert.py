"""A word to whoever is on call, where a run failed: one POST of JSON that Slack and its like understand."""

from __future__ import annotations

import logging
import socket

from cogny_source.errors import ConfigError
from cogny_source.settings import resolve_alert_webhook

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0


def send_alert(text: str) -> None:
    """Tell the URL that `SOURCES__COGNY__ALERT_WEBHOOK` names, if there is one.

    An alert that cannot be sent is logged, and changes nothing of how the run ends. The URL is a secret: it is told
    nowhere.

    Args:
        text: What happened, without secrets.
    """
    import requests

    try:
        url = resolve_alert_webhook()
        if url is None:
            return
        answer = requests.post(
            url, json={"text": f"{text} ({socket.gethostname()})"}, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
    except ConfigError as error:
        logger.warning("no alert was sent: %s", error)
    except requests.RequestException as error:
        logger.warning("no alert was sent: the webhook cannot be reached (%s)", type(error).__name__)
    else:
        if not answer.ok:
            logger.warning("the webhook refused the alert with status %d", answer.status_code)
