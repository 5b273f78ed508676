"""SIGINT and SIGTERM end a command with one line, even while a call does not return."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

GRACE_SECONDS = 1.5
SIGNALS = (signal.SIGINT, signal.SIGTERM)
STDERR = 2
HELD_UP = "Aborted while something did not let go.\n"


class Interrupted(BaseException):
    """A signal ended the command.

    Args:
        signal_number: The signal, such as 15 for SIGTERM.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"ended by signal {signal_number}")
        self.exit_code = 128 + signal_number


@contextmanager
def raising_on_signals() -> Iterator[Watch]:
    """Within the block, SIGINT and SIGTERM raise `Interrupted` in the main thread.

    A call into C may not return, a callback may swallow the exception, a thread may hang: a process that still runs
    after `GRACE_SECONDS` is ended. During a sync its own handler replaces this one. SIGINT is handled even if the
    process started with it ignored, as a shell does for `&`.
    """
    watch = Watch()
    with watch.sender:
        if threading.current_thread() is threading.main_thread():
            with _handling(watch):
                yield watch
        else:
            yield watch


@contextmanager
def _handling(watch: Watch) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    hook = sys.unraisablehook
    sys.unraisablehook = lambda told: None if told.exc_type is Interrupted else hook(told)
    previous = signal.set_wakeup_fd(watch.sender.fileno(), warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, watch.handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if watch.is_ending else handler)
        signal.set_wakeup_fd(previous)
        sys.unraisablehook = hook


class Watch:
    """Ends the process some time after a signal, from a thread: the main thread may be unable to handle it.

    Attributes:
        sender: The socket to which Python writes the number of each signal.
    """

    def __init__(self) -> None:
        self._receiver, self.sender = socket.socketpair()
        self.sender.setblocking(False)
        self._number: int | None = None
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    @property
    def is_ending(self) -> bool:
        """Whether a signal has come."""
        return self._number is not None

    def handle(self, number: int, _: FrameType | None) -> None:
        """Raise in the main thread; ignore further signals, as `timeout` sends two at once."""
        if not self.is_ending:
            self._number = number
            raise Interrupted(number)

    def check(self, error: BaseException) -> None:
        """Raise `Interrupted` again if a library turned it into another error, as DuckDB does during a query."""
        if self._number is not None:
            raise Interrupted(self._number) from error

    def _wait(self) -> None:
        with self._receiver:
            while number := self._receiver.recv(1):
                # Another handler is that of a sync, which ends after loading what is complete.
                if self.is_ending or signal.getsignal(number[0]) == self.handle:
                    time.sleep(GRACE_SECONDS)
                    with suppress(OSError):
                        os.write(STDERR, HELD_UP.encode())
                    os._exit(128 + number[0])
