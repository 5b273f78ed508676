"""Log lines: as text for people, as one JSON object a line for machines."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime

import pytest

from cogny_source.cli.logs import JsonFormatter, configure_logging

NAMES = ("cogny_source", "dlt")


def test_text_lines_tell_time_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for people has the date and the time in UTC, the level and the message."""
    configure_logging("text", quiet=False)
    logging.getLogger("cogny_source.api.http_client").warning("waiting %.1f s", 45)
    line = capsys.readouterr().err
    told = datetime.strptime(line[:20], "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60
    assert line[20:] == " WARNING waiting 45.0 s\n"


def test_json_lines_are_one_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for machines is an object, whatever the message holds."""
    configure_logging("json", quiet=False)
    logging.getLogger("cogny_source.sync").info('a "quoted"\nmessage über %s', {"rows": 3})
    logging.getLogger("dlt").error("no")
    written = capsys.readouterr().err
    lines = [json.loads(line) for line in written.splitlines()]
    assert [{name: line[name] for name in ("level", "logger", "message")} for line in lines] == [
        {"level": "INFO", "logger": "cogny_source.sync", "message": "a \"quoted\"\nmessage über {'rows': 3}"},
        {"level": "ERROR", "logger": "dlt", "message": "no"},
    ]
    assert [set(line) for line in lines] == [{"time", "level", "logger", "message"}] * 2
    assert "über" in written


def test_the_time_of_a_json_line_is_universal() -> None:
    """The time of the record, with its offset."""
    record = logging.LogRecord("cogny_source", logging.INFO, "", 0, "hello", (), None)
    record.created = 1748822400.25
    assert json.loads(JsonFormatter().format(record)) == {
        "time": "2025-06-02T00:00:00.250000+00:00",
        "level": "INFO",
        "logger": "cogny_source",
        "message": "hello",
    }


def test_a_json_line_carries_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception stays within its line."""
    configure_logging("json", quiet=False)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("cogny_source").exception("no")
    (line,) = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert line["message"] == "no"
    first, *_, final = line["exception"].splitlines()
    assert (first, final) == ("Traceback (most recent call last):", "ValueError: broken")


@pytest.mark.parametrize(
    ("quiet", "told"),
    [
        (False, ["cogny_source info", "cogny_source warning", "dlt warning"]),
        (True, ["cogny_source warning", "dlt warning"]),
    ],
)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_quiet_leaves_out_what_is_no_warning(
    capsys: pytest.CaptureFixture[str], log_format: str, quiet: bool, told: list[str]
) -> None:
    """The connector tells its progress unless it is to be quiet; dlt tells warnings only; nobody debugs."""
    configure_logging(log_format, quiet=quiet)
    for name in NAMES:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, "%s %s", name, logging.getLevelName(level).lower())
    lines = capsys.readouterr().err.splitlines()
    messages = [json.loads(line)["message"] if log_format == "json" else line.split(" ", 3)[3] for line in lines]
    assert messages == told


def test_the_root_logger_is_left_alone(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Lines are written once, and not by whoever else listens."""
    configure_logging("text", quiet=False)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("cogny_source").warning("once")
    assert caplog.messages == []
    assert capsys.readouterr().err.count("once") == 1


def test_configuring_again_replaces_what_was_before(
    capsys: pytest.CaptureFixture[str], loggers: dict[str, logging.Logger]
) -> None:
    """A second call neither doubles lines nor piles up filters."""
    configure_logging("text", quiet=False)
    filters = len(loggers["dlt"].filters)
    configure_logging("json", quiet=True)
    logging.getLogger("cogny_source").warning("once")
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["once"]
    assert len(loggers["dlt"].filters) == filters


def test_dlts_record_of_a_run_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """What dlt says of its trace, which nobody needs, helps nobody; all else does."""
    configure_logging("text", quiet=False)
    logging.getLogger("dlt").warning("Failed to create trace dump: no space left")
    logging.getLogger("dlt").warning("The destination is slow")
    assert [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()] == [
        "WARNING The destination is slow"
    ]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_handler_of_ones_own_takes_the_place_of_standard_error(
    capsys: pytest.CaptureFixture[str], loggers: dict[str, logging.Logger], log_format: str
) -> None:
    """A live display gets the lines of both loggers, and standard error none."""
    own = io.StringIO()
    handler = logging.StreamHandler(own)
    configure_logging(log_format, quiet=False, handler=handler)
    for name in NAMES:
        loggers[name].warning("hello")
    assert loggers["cogny_source"].handlers == [handler]
    assert (len(own.getvalue().splitlines()), capsys.readouterr().err) == (2, "")


ACTING = "[/x] [link=a]\x1b]8;;b\x07 \x1b[2J\r\x08\u202e\u2028\x85\ud800 fin"
SHOWN = r"[/x] [link=a]\x1b]8;;b\x07 \x1b[2J\r\x08\u202e\u2028\x85\ud800 fin"


def test_nothing_in_a_text_line_acts(capsys: pytest.CaptureFixture[str]) -> None:
    """What a terminal would obey is shown as an escape, and no message looks like a record of its own."""
    configure_logging("text", quiet=False)
    logging.getLogger("cogny_source").warning("%s\n12:00:00 INFO forged", ACTING)
    first, second = capsys.readouterr().err.split("\n")[:2]
    assert first.split(" ", 2)[2] == f"WARNING {SHOWN}"
    assert second == "  12:00:00 INFO forged"


def test_nothing_in_a_json_line_acts(capsys: pytest.CaptureFixture[str]) -> None:
    """It says the same once it is read; half a surrogate pair, which is no Unicode, is shown."""
    configure_logging("json", quiet=False)
    logging.getLogger("cogny_source").warning("%s", ACTING)
    written = capsys.readouterr().err
    assert written.isprintable() or written[:-1].isprintable()
    assert json.loads(written)["message"] == ACTING.replace("\ud800", r"\ud800")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_json_lines_are_json_in_any_encoding(encoding: str) -> None:
    """A stream that lacks a character gets JSON's own escape of it."""
    written = io.BytesIO()
    handler = logging.StreamHandler(io.TextIOWrapper(written, encoding, errors="backslashreplace"))
    configure_logging("json", quiet=False, handler=handler)
    logging.getLogger("cogny_source").warning("ä…😀\ud800")
    assert json.loads(written.getvalue())["message"] == "ä…😀\\ud800"


def test_lines_of_dlt_stay_what_they_are_once_a_pipeline_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline of dlt gives the handlers of its logger a format of its own."""
    configure_logging("json", quiet=False)
    for handler in logging.getLogger("dlt").handlers:
        handler.setFormatter(logging.Formatter("no JSON: %(message)s"))
    logging.getLogger("dlt").warning("slow")
    assert json.loads(capsys.readouterr().err)["message"] == "slow"
