"""The standard streams: closed, on a full disk, without a reader, or with an encoding that lacks characters."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from cogny_source.errors import CognyError
from cogny_source.plain_text import dump_safe_json, safe_text

logger = logging.getLogger(__name__)

STDIN, STDOUT, STDERR = 0, 1, 2


class OutputFailed(CognyError):
    """Standard output cannot be written.

    Args:
        cause: The system's error.
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"standard output cannot be written: {cause.strerror}")
        self.reason = cause.strerror
        self.is_closed_pipe = isinstance(cause, BrokenPipeError)


def prepare_streams() -> None:
    """Replace closed streams; call it before any file is opened.

    The next opened file would take the number of a closed stream, and output would be written into a database.
    """
    for number, mode in ((STDIN, os.O_RDONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        if not _is_open(number):
            os.open(os.devnull, mode)  # takes the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(STDIN, closefd=False)))
    if sys.stdout is None:  # writing to it fails, as on a full disk
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(STDOUT, "w", closefd=False)), "utf-8")
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        sys.stderr = _open_stderr(getattr(sys.stderr, "encoding", "utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def writing_out() -> Iterator[None]:
    """Turn errors of standard output within the block into a sentence: it may be a file on a full disk.

    Raises:
        OutputFailed: If it cannot be written.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as exc:
        # The rest of the buffer would fail again at the end of the process.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        raise OutputFailed(exc) from exc


def dump_for(stream: TextIO, value: Any) -> str:
    """A value as JSON that a stream can encode, whatever its encoding."""
    is_unicode = str(stream.encoding).lower().startswith("utf")
    return dump_safe_json(value, ascii_only=not is_unicode, indent=2)


def say(text: str) -> None:
    """Print a line; if it cannot be written, the command still ends as it would have."""
    try:
        with writing_out():
            click.echo(safe_text(text))
    except OutputFailed as failure:
        logger.warning("%s", failure)


class _LenientFile(io.FileIO):
    """A file that ignores errors of writing, as nobody could be told."""

    def write(self, data: Any, /) -> int:
        """Write bytes, or drop them."""
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _open_stderr(encoding: str) -> io.TextIOWrapper:
    raw = _LenientFile(STDERR, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=True, write_through=True
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
