"""Stops a run on a signal: after the current page, during a wait, and if no page arrives."""

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
    """A flag that asks a run, or its readers, to stop."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._signal_number = 0
        self._linked: WeakSet[CancelToken] = WeakSet()

    def set(self, signal_number: int) -> None:
        """Ask to stop: set this token and those linked to it.

        Args:
            signal_number: The signal; 0 for another reason.
        """
        self._signal_number = signal_number
        self._event.set()
        for token in self._linked:
            token.set(signal_number)

    def check(self) -> None:
        """Raise `Stopped` if the token is set."""
        if self._event.is_set():
            raise Stopped(self._signal_number)

    def sleep(self, seconds: float) -> None:
        """Wait, and raise `Stopped` as soon as the token is set."""
        if self._event.wait(seconds):
            raise Stopped(self._signal_number)

    def linked(self) -> CancelToken:
        """A new token that is set with this one, and can be set alone."""
        token = type(self)()
        self._linked.add(token)
        if self._event.is_set():
            token.set(self._signal_number)
        return token

    @contextmanager
    def call_after(self, seconds: float, action: Callable[[], None]) -> Iterator[None]:
        """Within the block, call an action in another thread once the token has been set for some seconds.

        The end of the block sets the token, so use one only for the block. The thread starts with the block, not in the
        signal handler: a signal may arrive while the interrupted code holds a lock that starting a thread needs.

        Args:
            seconds: Seconds between the signal and the action.
            action: The action; not called if the block ends earlier.
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
        """Within the block, SIGINT and SIGTERM set the token; a second signal has its previous effect.

        A second signal within `ECHO_SECONDS` counts as the first: `timeout` signals the process and then its group.
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
