"""The command line: `python -m cogny_source.sandbox` serves a sandbox until it is told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from cogny_source.sandbox.flags import add_switch_flags, read_switches
from cogny_source.sandbox.history import History, live_on
from cogny_source.sandbox.keys import DEFAULT_KEYS
from cogny_source.sandbox.server import SandboxServer
from cogny_source.sandbox.world import World

_PARENT_POLL_SECONDS = 0.2
INTERRUPTED = 130
HINT = """\
Ask it:   curl -H 'Authorization: Bearer {key}' '{url}/tickets?limit=2'
Sync it:  SOURCES__COGNY__BASE_URL={url} COGNY_API_KEY={key} cogny sync --database sandbox.duckdb
Ctrl-C ends it.
"""


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog,
        # The usage of a typing error names 50 options otherwise.
        usage="%(prog)s [options]",
        description="Serve the Cogny API with made-up data on this machine, until a signal ends it.",
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen on the loopback; any free port by default")
    parser.add_argument("--seed", type=int, default=0, help="what the data begins with; the same seed, the same data")
    parser.add_argument("--tickets", type=int, default=1000, help="how many; 1000 by default")
    parser.add_argument("--reports", type=int, help="how many; a fiftieth of the tickets by default")
    parser.add_argument("--warehouses", type=int, help="how many; 12 by default")
    parser.add_argument("--world", type=Path, metavar="FILE", help="remember the world here; each start adds a turn")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="write the base URL here once it listens")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when the parent process is gone")
    add_switch_flags(parser)
    return parser


class _Ended(BaseException):
    """A signal ended the command."""


def main(argv: Sequence[str] | None = None, prog: str = "python -m cogny_source.sandbox") -> int:
    """Serve until a signal; returns 0 after SIGTERM, 130 after SIGINT, and 2 if an option makes no sense."""
    parent = os.getppid()
    parser = build_parser(prog)
    arguments = parser.parse_args(argv)
    signals: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        signals.append(number)
        if len(signals) == 1:
            raise _Ended

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, end)
    try:
        _serve(parser, arguments, parent)
    except _Ended:
        if signals[0] == signal.SIGINT:
            sys.stderr.write("The sandbox is stopped.\n")
            return INTERRUPTED
    return 0


def _serve(parser: argparse.ArgumentParser, arguments: argparse.Namespace, parent: int) -> None:
    try:
        switches = read_switches(arguments)
        world = _open_world(arguments, datetime.now(UTC))
    except ValueError as exc:
        parser.error(str(exc))
    with SandboxServer(world, switches, port=arguments.port, clock=time.time) as sandbox:
        if arguments.ready_file is not None:
            _write_at_once(arguments.ready_file, sandbox.base_url + "\n")
        sys.stdout.write(f"{sandbox.base_url} keys: {' '.join(DEFAULT_KEYS)}\n")
        sys.stdout.flush()
        if sys.stderr.isatty():
            sys.stderr.write(HINT.format(url=sandbox.base_url, key=next(iter(DEFAULT_KEYS))))
        while not arguments.exit_with_parent or os.getppid() == parent:
            time.sleep(_PARENT_POLL_SECONDS)


def _open_world(arguments: argparse.Namespace, now: datetime) -> World:
    fresh = History(arguments.seed, arguments.tickets, arguments.reports, arguments.warehouses, now.isoformat())
    return fresh.rebuild() if arguments.world is None else live_on(arguments.world, fresh, now)


def _write_at_once(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
