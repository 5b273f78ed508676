"""Cookies of edges and load balancers are kept, and no others."""

from __future__ import annotations

import re
from http.cookiejar import Cookie, DefaultCookiePolicy
from urllib.request import Request

# Servers refuse headers of more than about 8 KB with 431.
MOST_COOKIE_BYTES = 4096
EDGE_COOKIES = re.compile(
    r"__cf_bm|__cfruid|_cfuvid|__cflb|cf_clearance"  # Cloudflare
    r"|AWSALB(APP-\d+|TG)?(CORS)?|AWSELB(CORS)?|aws-waf-token|GCLB|GCILB"  # load balancers of Amazon and Google
    r"|ARRAffinity(SameSite)?|ApplicationGatewayAffinity(CORS)?|ASLBSA(CORS)?"  # Azure
    r"|(incap_ses|visid_incap|nlbi)_\w+|ak_bmsc|bm_(sz|sv|mi|s|so|lso)|_abck"  # Imperva, Akamai
    r"|BIGipServer[\w.~-]*|SERVERID"  # F5, HAProxy
)


class EdgeCookies(DefaultCookiePolicy):
    """Keeps the cookies by which an edge recognises a client or keeps it at one server.

    Calls are authenticated by key, so that there is no session to keep.
    """

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        """Whether to keep a cookie."""
        size = len(cookie.name) + len(cookie.value or "")
        is_edge = EDGE_COOKIES.fullmatch(cookie.name) is not None
        return is_edge and size <= MOST_COOKIE_BYTES and super().set_ok(cookie, request)
