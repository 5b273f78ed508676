"""TLS failures that a retry cannot cure, each with its remedy."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from cogny_source.plain_text import safe_text

CERTIFICATES = "REQUESTS_CA_BUNDLE or SSL_CERT_FILE"
UNKNOWN_ISSUER = (
    "the certificate of base_url's host is signed by nobody whom this machine knows: behind a proxy that looks into"
    f" TLS, or with an authority of your own, name the file of its certificate in {CERTIFICATES}"
)
WRONG_HOST = "the certificate is not that of base_url's host: check base_url, and the proxy"
# Keys are OpenSSL's X509_V_ERR_ numbers.
REASONS = {
    9: "the certificate of base_url's host is not valid yet: check this machine's clock",
    10: "the certificate of base_url's host has expired: check this machine's clock, else tell the API's operators",
    18: UNKNOWN_ISSUER,
    19: UNKNOWN_ISSUER,
    20: UNKNOWN_ISSUER,
    21: UNKNOWN_ISSUER,
    62: WRONG_HOST,
    64: WRONG_HOST,
}
NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL")
NOT_TLS = "what answers at base_url speaks no TLS: check its host and port, and the proxy"


def find_distrust(error: BaseException) -> str | None:
    """Why a connection cannot be trusted, as a sentence; None if the failure may be transient.

    Args:
        error: The error of a request.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            known = REASONS.get(cause.verify_code)
            return known or f"the certificate of base_url's host proves nothing: {safe_text(cause.verify_message)}"
        if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", None) in NO_TLS:
            return NOT_TLS
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes: libraries keep them in three places."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or any(cause is other for other in seen):
            continue
        seen.append(cause)
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
