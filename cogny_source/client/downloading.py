"""Downloads of exports; the key goes along to the origin of `base_url` alone, whatever a URL or a redirect says."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from cogny_source.api.auth import KeyAuth
from cogny_source.api.retry import MAX_DOUBTFUL_ATTEMPTS, retry_delay
from cogny_source.api.session import open_plain_session
from cogny_source.api.transport import Timeouts, TooLong, describe_failure, read_body
from cogny_source.client.context import Context
from cogny_source.errors import AnswerTooLarge, ContractError, NetworkError, NotFound, ServerError, TransientError
from cogny_source.settings import is_loopback

MEGABYTE = 2**20
MOST_REDIRECTS = 5
PORTS = {"http": 80, "https": 443}
UNSAFE = "download_url must begin with https://, and name a host alone: the file would be read on its way"
# Parsers do not agree on where a host ends that stands before a backslash.
NOT_IN_URLS = re.compile(r"[\x00-\x1f\\\x7f]")
Origin = tuple[str, str, int]


def download(context: Context, url: str) -> bytes:
    """Read a file of another server than the API's, or of the API's.

    Args:
        context: Settings and clock.
        url: Where it lies.

    Raises:
        NotFound: If it has expired, or is not there.
        TransientError: If the server is away.
        ContractError: If the URL can be read on its way, or leads round in circles.
        AnswerTooLarge: If it is larger than `max_answer_megabytes`.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return _follow(context, url)
        except TransientError as error:
            if attempt >= MAX_DOUBTFUL_ATTEMPTS:
                raise
            context.timing.sleep(retry_delay(error, attempt, context.timing.jitter()))


def _follow(context: Context, url: str) -> bytes:
    for _ in range(MOST_REDIRECTS + 1):
        response = _get(context, url)
        if response.is_redirect:
            url = _join(url, response.headers["Location"])
            continue
        status = response.status_code
        if status >= 500 or status in (408, 425, 429):
            raise ServerError("the file's server is failing", status=status)
        if status != 200:
            raise NotFound("the file has expired, or is not there: export the tickets again", status=status)
        return response.content
    raise ContractError("the download leads round in circles")


def _get(context: Context, url: str) -> requests.Response:
    """Send one request; a redirect is not followed, as it could carry the key elsewhere."""
    settings = context.settings
    origin = _find_origin(url)
    if origin is None:
        raise ContractError(UNSAFE)
    timeouts = Timeouts(settings.connect_timeout_seconds, settings.read_timeout_seconds)
    stopwatch = context.timing.stopwatch
    with open_plain_session(url, context.adapter) as session:
        if origin == _find_origin(settings.base_url):
            session.auth = KeyAuth(settings.api_key, settings.auth_header)
        try:
            response = session.get(
                url, timeout=(timeouts.connect_seconds, timeouts.read_seconds), allow_redirects=False, stream=True
            )
            deadline = stopwatch() + timeouts.answer_seconds
            read_body(response, lambda: stopwatch() > deadline, int(settings.max_answer_megabytes * MEGABYTE))
        except TooLong:
            raise AnswerTooLarge(
                f"the file holds more than {settings.max_answer_megabytes:g} MB (max_answer_megabytes)"
            ) from None
        except ValueError:  # also of a redirect, whose URL the library reads though it does not follow it
            raise ContractError(UNSAFE) from None
        except (OSError, HTTPError) as exc:
            # The URL may hold a signature, and the library's own message the URL.
            raise NetworkError(describe_failure(exc, timeouts)) from None
    return response


def _join(url: str, location: str) -> str:
    try:
        joined = urljoin(url, location)  # leaves out control characters
    except ValueError:
        raise ContractError(UNSAFE) from None
    if NOT_IN_URLS.search(location):
        raise ContractError(UNSAFE)
    return joined


def _find_origin(url: str) -> Origin | None:
    """Scheme, host and port of a URL, by the parser that the connection is made with.

    Returns:
        None if a request to it could be read on its way, or if another parser might find another host.
    """
    if NOT_IN_URLS.search(url):
        return None
    try:
        parts = parse_url(url)
    except (HTTPError, ValueError):
        return None
    if parts.auth is not None or not parts.host or parts.scheme not in PORTS:
        return None
    if parts.scheme == "http" and not is_loopback(parts.host.strip("[]")):
        return None
    return parts.scheme, parts.host.lower(), parts.port or PORTS[parts.scheme]
