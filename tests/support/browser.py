"""A browser for the tests: Chromium without a window, asked over WebDriver, which is plain HTTP."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

PROGRAMS = ("chromium", "chromedriver")
MISSING = "no chromium and chromedriver are here: apt-get install chromium chromium-driver"
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Browser:
    """A browser's session.

    Attributes:
        session: The session's address.
    """

    session: str

    def command(self, path: str, **values: Any) -> Any:
        """Ask the driver."""
        answer = requests.post(f"{self.session}/{path}", json=values, timeout=PATIENCE_SECONDS).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def devtools(self, name: str, **values: Any) -> Any:
        """Ask the browser itself."""
        return self.command("goog/cdp/execute", cmd=name, params=values)

    def show(self, page: Path, size: tuple[int, int], colours: str) -> None:
        """Open a page as a screen of some size shows it, by day (`light`) or by night (`dark`)."""
        width, height = size
        is_phone = width < 600
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone
        )
        scheme = {"name": "prefers-color-scheme", "value": colours}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])
        self.command("se/log", type="browser")
        self.command("se/log", type="performance")
        self.command("url", url=page.as_uri())

    def run(self, script: str) -> Any:
        """What a function's body returns in the page."""
        return self.command("execute/sync", script=script, args=[])

    def list_complaints(self) -> list[str]:
        """What stands in the console since the page was opened."""
        return [entry["message"] for entry in self.command("se/log", type="browser")]

    def list_requests(self) -> list[str]:
        """The addresses that were asked for since the page was about to be opened, its own among them."""
        entries = [json.loads(entry["message"])["message"] for entry in self.command("se/log", type="performance")]
        urls = [
            entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"
        ]
        assert urls, "the browser keeps no log"
        return urls

    def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """Start a browser, and end it with the block. Where none is installed the test is skipped, but in CI.

    Args:
        folder: Where it keeps its files.
    """
    chromium, driver = map(shutil.which, PROGRAMS)
    if chromium is None or driver is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    process = subprocess.Popen([driver, f"--port={port}", "--silent"], env=environment, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, process)
        session = requests.post(f"{address}/session", json=_describe(chromium, folder), timeout=PATIENCE_SECONDS)
        browser = Browser(f"{address}/session/{session.json()['value']['sessionId']}")
        yield browser
        requests.delete(browser.session, timeout=PATIENCE_SECONDS)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _describe(chromium: str, folder: Path) -> dict[str, Any]:
    """The browser that is asked for; a container has no sandbox and little shared memory for it."""
    arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]
    arguments += ["--disable-background-networking", "--no-first-run", f"--user-data-dir={folder / 'profile'}"]
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": chromium, "args": arguments},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    return {"capabilities": {"alwaysMatch": wanted}}


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{address}/status", timeout=PATIENCE_SECONDS).json()["value"]["ready"]:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise RuntimeError("chromedriver did not start")
