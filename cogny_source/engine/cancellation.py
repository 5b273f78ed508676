"""Stopping on a signal: after the page in hand, in the middle of a wait, and where no page comes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from weakref import WeakSet

from cogny_source.errors import Stopped

ECHO_SECONDS = 1.0


class CancelToken:
    """Remembers that a signal asked the run to stop."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._signal_number = 0
        self._followers: WeakSet[CancelToken] = WeakSet()

    def set(self, signal_number: int) -> None:
        """Ask the run to stop."""
        self._signal_number = signal_number
        self._event.set()
        for flag in self._followers:
            flag.set(signal_number)

    def check(self) -> None:
        """Raise `Stopped` where the run was asked to stop."""
        if self._event.is_set():
            raise Stopped(self._signal_number)

    def sleep(self, seconds: float) -> None:
        """Wait, or raise `Stopped` as soon as the run is asked to stop."""
        if self._event.wait(seconds):
            raise Stopped(self._signal_number)

    def follow(self) -> CancelToken:
        """A flag that is set with this one, and may be set without it."""
        flag = type(self)()
        self._followers.add(flag)
        if self._event.is_set():
            flag.set(self._signal_number)
        return flag

    @contextmanager
    def call_after(self, seconds: float, action: Callable[[], None]) -> Iterator[None]:
        """Within the block, call an action in another thread once the flag has been set for so many seconds.

        The end of the block sets the flag, which must be that of the block alone. The thread begins with the block: a
        signal may come while a lock is held that another thread needs to begin.
        """
        ended = threading.Event()

        def watch() -> None:
            self._event.wait()
            if not ended.wait(seconds):
                action()

        threading.Thread(target=watch, name="stop", daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            self.set(0)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Within the block, SIGINT and SIGTERM set the flag; a later one ends the process as it would have.

        One that follows at once is the same order: `timeout` sends it to the process, and to its group.
        """
        previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        began: dict[int, float] = {}

        def handle(number: int, _: FrameType | None) -> None:
            if time.monotonic() - began.setdefault(number, time.monotonic()) > ECHO_SECONDS:
                signal.signal(number, previous[signal.Signals(number)])
                signal.raise_signal(number)
            self.set(number)

        for number in previous:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
