"""Try the image without a container engine: build it as the Dockerfile says, and sync from the sandbox.

Debian's own Python stands for the base image; namespaces and a read-only root stand for the engine. Needs root on a
Debian machine, mmdebstrap and the package index.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from cogny_source.sandbox import SandboxServer, World
from tests.deploy.container.image import Image, build
from tests.deploy.container.root import Container, send_signal

PROJECT = Path(__file__).parents[3]
KEY = "sk_test_sandbox"
TICKETS = 1500
PATIENCE_SECONDS = 120
# Any uid of a cluster that gives its own, with the group that the image lets write.
OTHER_USER = "23456:0"


class Trial:
    """An image, and a sandbox for its containers.

    Args:
        image: The image.
        sandbox: What its containers sync from.
        folder: Where their volumes are made.
    """

    def __init__(self, image: Image, sandbox: SandboxServer, folder: Path) -> None:
        self._image, self._sandbox, self._folder = image, sandbox, folder
        self._command = image.stage.last("ENTRYPOINT").command + image.stage.last("CMD").command

    def all(self) -> None:
        """Everything that is tried, in turn.

        Raises:
            AssertionError: If something is not as it should be.
        """
        inside = (self.help, self.nothing_installs, self.compiled)
        for attempt in (*inside, self.sync_and_health, self.stop, self.other_user):
            begun = time.monotonic()
            attempt()
            print(f"{time.monotonic() - begun:5.1f} s  {attempt.__doc__}", flush=True)

    def help(self) -> None:
        """The command starts."""
        _expect(0, self._container("help").run(self._command[0], "--help"))

    def nothing_installs(self) -> None:
        """No pip is in the environment."""
        found = list((self._image.root / "opt/cogny").glob("**/pip"))
        assert not found, found

    def compiled(self) -> None:
        """Every module is compiled."""
        modules = list((self._image.root / "opt/cogny/lib").rglob("*.py"))
        missing = [path for path in modules if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))]
        assert modules
        assert not missing, missing

    def sync_and_health(self) -> None:
        """A sync in a read-only root, proved row for row, and the health check."""
        container = self._container("sync")
        _expect(0, container.run(*self._command, "--verify"))
        assert self._tickets("sync") == TICKETS
        _expect(0, container.run(*self._image.stage.last("HEALTHCHECK").command))

    def stop(self) -> None:
        """SIGTERM to the first process: 143, with what was complete loaded; a second run that may not wait: 75."""
        container = self._container("stop")
        with self._slow_api():
            asked = len(self._sandbox.requests)
            process = container.start(*self._command, "--chunk-rows", "100")
            self._wait_until(lambda: len(self._sandbox.requests) >= asked + 3, process)
            _expect(75, self._container("stop", new=False).run(*self._command, "--wait-for-run", "0s"))
            send_signal(process, signal.SIGTERM)
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        _expect(143, subprocess.CompletedProcess(self._command, process.returncode, output, errors))
        assert 100 <= self._tickets("stop") < TICKETS
        _expect(0, container.run(*self._command, "--verify"))

    def other_user(self) -> None:
        """A sync as a uid that the image does not know."""
        _expect(0, self._container("other", user=OTHER_USER).run(*self._command, "--verify"))

    def _container(self, name: str, *, new: bool = True, user: str = "") -> Container:
        """A container with a volume of its own, or one that is there."""
        volume = self._folder / f"volume-{name}"
        if new:
            self._image.make_volume(volume)
        settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": self._sandbox.base_url}
        return self._image.container(volume, user=user, **settings)

    def _tickets(self, name: str) -> int:
        """The tickets in a volume's database."""
        with duckdb.connect(str(self._folder / f"volume-{name}" / "cogny.duckdb"), read_only=True) as db:
            [(count,)] = db.execute("SELECT count(*) FROM cogny_data.tickets").fetchall()
        return int(count)

    @contextmanager
    def _slow_api(self) -> Iterator[None]:
        self._sandbox.switches.latency_seconds = 1.0
        yield
        self._sandbox.switches.latency_seconds = 0.0

    @staticmethod
    def _wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _expect(code: int, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stdout}{done.stderr}"


def main() -> None:
    """Build and try; the roots are removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cogny-image-"))
    try:
        image = build(PROJECT, folder)
        with SandboxServer(World(seed=7, tickets=TICKETS, reports=40, warehouses=5)) as sandbox:
            Trial(image, sandbox, folder).all()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
