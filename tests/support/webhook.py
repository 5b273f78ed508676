"""A webhook on this machine, which keeps what it is told."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer


class Webhook:
    """A server that keeps what it is told.

    Attributes:
        url: Where it listens; its path is a secret.
        told: The bodies.
        status: What it answers with.
        dribbles: How many headers come, one each tenth of a second.
    """

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.status = 200
        self.dribbles = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                for place in range(hook.dribbles):
                    self.send_header(f"X-Dribble-{place}", "more")
                    self.flush_headers()
                    time.sleep(0.1)
                with suppress(OSError):
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/token"
