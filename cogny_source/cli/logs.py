"""Log lines on standard error: as text for people, as one JSON object a line for machines."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from cogny_source.plain_text import dump_safe_json, safe_lines

DLT_COLUMN_HINTS = "when merging arrow schema"
# dlt's own record of a run, which nothing here reads: where the disk is full it would log a traceback.
DLT_TRACE = "Failed to create trace dump"


class TextFormatter(logging.Formatter):
    """A line a record; whatever a message holds, it neither acts on a terminal nor looks like another record."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as text, what follows its first line indented."""
        return safe_lines(super().format(record)).replace("\n", "\n  ")


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger and message.

    Args:
        ascii_only: Whether to write characters beyond ASCII as escapes, for a stream that lacks them.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return dump_safe_json(line, ascii_only=self._ascii_only)


class _Relay(logging.Handler):
    """Gives records to another handler: dlt formats those of its own logger anew, whenever a pipeline is made."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def emit(self, record: logging.LogRecord) -> None:
        """Let the other handler write it."""
        self._handler.handle(record)


def configure_logging(log_format: str, *, quiet: bool, handler: logging.Handler | None = None) -> None:
    """Send the connector's and dlt's log lines to standard error.

    Args:
        log_format: `text` or `json`.
        quiet: Warnings and errors only.
        handler: Writes the lines in place of standard error's handler, such as a live display's.
    """
    # A live display's handler shows the level itself.
    text = "%(asctime)s %(levelname)s %(message)s" if handler is None else "%(asctime)s %(message)s"
    handler = handler or logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(ascii_only=not _writes_unicode(handler))
        if log_format == "json"
        else TextFormatter(text, "%H:%M:%S")
    )
    handlers = (handler, _Relay(handler))
    connector, dlt_logger = logging.getLogger("cogny_source"), logging.getLogger("dlt")
    for logger, own in zip((connector, dlt_logger), handlers, strict=True):
        logger.handlers = [own]
        logger.propagate = False
    connector.setLevel(logging.WARNING if quiet else logging.INFO)
    dlt_logger.setLevel(logging.WARNING)
    # JSON columns travel as Arrow texts; dlt remarks on that at each load, to no one's use.
    dlt_logger.addFilter(_is_worth_telling)


def _writes_unicode(handler: logging.Handler) -> bool:
    """Whether a handler's stream takes every character; a stream without an encoding does."""
    encoding = getattr(getattr(handler, "stream", None), "encoding", None) or "utf-8"
    return str(encoding).lower().startswith("utf")


def _is_worth_telling(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return DLT_COLUMN_HINTS not in message and DLT_TRACE not in message
