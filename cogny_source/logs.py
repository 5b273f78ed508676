"""Log lines on standard error: as text for people, as one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import sys
from copy import copy
from datetime import UTC, datetime

DLT_COLUMN_HINTS = "when merging arrow schema"


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger and message."""

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
        return json.dumps(line, ensure_ascii=False)


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
    handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(text, "%H:%M:%S"))
    # dlt formats the handlers of its own logger anew, whenever a pipeline is made.
    handlers = (handler, copy(handler))
    connector, dlt_logger = logging.getLogger("cogny_source"), logging.getLogger("dlt")
    for logger, own in zip((connector, dlt_logger), handlers, strict=True):
        logger.handlers = [own]
        logger.propagate = False
    connector.setLevel(logging.WARNING if quiet else logging.INFO)
    dlt_logger.setLevel(logging.WARNING)
    # JSON columns travel as Arrow texts; dlt remarks on that at each load, to no one's use.
    dlt_logger.addFilter(_is_worth_telling)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    return DLT_COLUMN_HINTS not in record.getMessage()
