"""The client's `requests.Session`: key, cookies, and the environment's proxies and certificates, checked once."""

from __future__ import annotations

import importlib.util
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationValueError
from urllib3.util import parse_url

from cogny_source.api.auth import KeyAuth
from cogny_source.api.cookies import EdgeCookies
from cogny_source.api.lines import LineAdapter, Lines
from cogny_source.errors import ConfigError
from cogny_source.settings import Settings, is_loopback

# The first that is set counts. requests reads the first two, OpenSSL and most other programs the others.
CERTIFICATE_FILES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


def open_session(settings: Settings, lines: Lines, adapter: BaseAdapter | None = None) -> requests.Session:
    """A session that reads proxies and certificates from the environment once, not for each request.

    Args:
        settings: Base URL, key and header.
        lines: Keeps the connections.
        adapter: Sends the requests in place of connections, in tests.

    Raises:
        ConfigError: If a variable of the environment names a proxy or certificates that cannot be used.
    """
    session = open_plain_session(settings.base_url, adapter or LineAdapter(lines))
    session.headers["Accept"] = "application/json"
    session.auth = KeyAuth(settings.api_key, settings.auth_header)
    session.cookies.set_policy(EdgeCookies())
    return session


def open_plain_session(url: str, adapter: BaseAdapter | None = None) -> requests.Session:
    """A session for one URL, without the key.

    Args:
        url: The URL.
        adapter: Sends the requests.

    Raises:
        ConfigError: As for `open_session`.
    """
    session = requests.Session()
    session.trust_env = False
    parts = urlsplit(url)
    if not is_loopback(str(parts.hostname)):
        session.proxies = _find_proxies(url)
    if parts.scheme == "https":
        session.verify = _find_certificates()
    if adapter is not None:
        session.mount(f"{parts.scheme}://", adapter)
    return session


def _find_proxies(url: str) -> dict[str, str]:
    """The environment's proxies by scheme; none if `NO_PROXY` names the host."""
    proxies = get_environ_proxies(url, no_proxy=None)
    proxy = select_proxy(url, proxies)
    if proxy:
        _check_proxy(proxy)
    return dict(proxies)


def _check_proxy(proxy: str) -> None:
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationValueError:
        parts = None
    name = _name_of_proxy(proxy)
    if parts is None or parts.scheme not in PROXY_SCHEMES or not parts.host or any(map(str.isspace, proxy)):
        raise ConfigError(f"{name} names no proxy: write it as http://host:port")
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socks") is None:
        raise ConfigError(f"{name} names a SOCKS proxy, which takes the package PySocks: install requests[socks]")


def _name_of_proxy(proxy: str) -> str:
    """The variable that holds a proxy; its value may contain a password and is not shown."""
    names = ("https_proxy", "http_proxy", "all_proxy")
    found = (name for name, value in os.environ.items() if name.lower() in names and value == proxy)
    return next(found, "the proxy of the system's settings")


def _find_certificates() -> str | bool:
    """The file or folder of certificates from the environment; True for those that requests ships."""
    for name in CERTIFICATE_FILES:
        path = os.environ.get(name)
        if path:
            _check_certificates(name, Path(path))
            return path
    return True


def _check_certificates(name: str, path: Path) -> None:
    if not path.exists():
        raise ConfigError(f"{name} names a file of certificates that is not there: {path}")
    if path.is_dir():
        return
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError:  # includes `ssl.SSLError`
        raise ConfigError(f"{name} names a file in which no certificates can be read: {path}") from None
