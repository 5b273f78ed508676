"""Log lines on standard error: as text for people, as one JSON object a line for machines."""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

from cogny_source.log_fields import read_common_fields
from cogny_source.plain_text import dump_safe_json, safe_lines

# dlt's own record of a run, which is not needed here: on a full disk dlt would log a traceback.
DLT_TRACE = "Failed to create trace dump"


class TextFormatter(logging.Formatter):
    """One line a record, its time in UTC; a message can neither control a terminal nor imitate another record."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """A record as text, with further lines indented."""
        return safe_lines(super().format(record)).replace("\n", "\n  ")


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and the fields of the run and the line.

    Args:
        ascii_only: Whether to escape characters beyond ASCII, for a stream that cannot encode them.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def format(self, record: logging.LogRecord) -> str:
        """A record as JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(read_common_fields())
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return dump_safe_json(line, ascii_only=self._ascii_only)


class _Relay(logging.Handler):
    """Passes records to another handler: dlt replaces the formatters of its logger's handlers with each pipeline."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on."""
        self._handler.handle(record)


def dump_error(message: str, **values: Any) -> str:
    """The line of an error, whether logging is set up or not.

    Args:
        message: The message.
        **values: Its fields.
    """
    record = logging.LogRecord("cogny_source", logging.ERROR, "", 0, message, (), None)
    record.fields = values
    return JsonFormatter(ascii_only=not _is_unicode(sys.stderr)).format(record)


def configure_logging(log_format: str, *, quiet: bool, handler: logging.Handler | None = None) -> None:
    """Send the connector's and dlt's log lines to standard error.

    Args:
        log_format: `text` or `json`.
        quiet: Warnings and errors only.
        handler: Replaces the handler of standard error, for a live display.
    """
    # A live display's handler shows the level itself.
    text = "%(asctime)s %(levelname)s %(message)s" if handler is None else "%(asctime)s %(message)s"
    clock = "%Y-%m-%d %H:%M:%SZ" if handler is None else "%H:%M:%SZ"
    handler = handler or logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(ascii_only=not _writes_unicode(handler)) if log_format == "json" else TextFormatter(text, clock)
    )
    handlers = (handler, _Relay(handler))
    connector, dlt_logger = logging.getLogger("cogny_source"), logging.getLogger("dlt")
    for logger, own in zip((connector, dlt_logger), handlers, strict=True):
        logger.handlers = [own]
        logger.propagate = False
    connector.setLevel(logging.WARNING if quiet else logging.INFO)
    dlt_logger.setLevel(logging.WARNING)
    dlt_logger.addFilter(_is_relevant)


def _writes_unicode(handler: logging.Handler) -> bool:
    """Whether a handler's stream can encode every character; a stream without an encoding can."""
    return _is_unicode(getattr(handler, "stream", None))


def _is_unicode(stream: object) -> bool:
    return str(getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def _is_relevant(record: logging.LogRecord) -> bool:
    return DLT_TRACE not in record.getMessage()
