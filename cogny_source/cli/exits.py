"""How a command ends: the exit code, and a failure as one plain sentence on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from cogny_source.cli.interruption import Watch
from cogny_source.cli.streams import OutputFailed
from cogny_source.errors import (
    AlreadyRunning,
    AuthError,
    CognyError,
    ConfigError,
    Forbidden,
    InvalidArgument,
    Stopped,
    Untrusted,
    describe_unforeseen,
)

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_LOCKED = 75
# The code by which a shell reports a program that SIGPIPE ended.
EXIT_PIPE = 141
EPILOG = """\b
Exit codes: 0 done; 1 the sync failed; 2 usage, settings or key; 75 another run holds the lock;
130 or 143 stopped by a signal, with what was complete loaded."""


def exit_code(error: CognyError) -> int:
    """The exit code of an error."""
    if isinstance(error, Stopped):
        return 128 + error.signal_number
    if isinstance(error, AlreadyRunning):
        return EXIT_LOCKED
    if isinstance(error, ConfigError | InvalidArgument | AuthError | Forbidden | Untrusted):
        return EXIT_USAGE
    if isinstance(error, OutputFailed) and error.is_closed_pipe:
        return EXIT_PIPE
    return EXIT_FAILED


def report_failure(
    command: Callable[[], int | None],
    *,
    verbose: bool,
    on_failure: Callable[[int, str], None] = lambda *_: None,
    log_format: str = "text",
) -> int:
    """Run a command; turn its failure into a sentence on standard error and an exit code.

    Args:
        command: Returns its exit code; None for 0.
        verbose: Whether to print a traceback before the sentence.
        on_failure: Called with the exit code and the sentence.
        log_format: `text`, or `json` for one JSON object that holds sentence, exit code and traceback.
    """
    details: dict[str, object] = {}
    try:
        return command() or 0
    except CognyError as error:
        _check_signals(error)
        details = _list_details(error) | _print_traceback(verbose, log_format)
        code = exit_code(error)
        sentence = told = _describe(error)
    except MemoryError:
        code = EXIT_FAILED
        sentence = told = (
            "Error: there is not enough memory; nothing is lost: the next run goes on from what is loaded."
        )
    except Exception as error:  # noqa: BLE001 - the command's edge: an unexpected error ends in a sentence, too
        _check_signals(error)
        details = _print_traceback(verbose, log_format)
        code, sentence, told = _describe_unforeseen(error, verbose)
    # The reader that closed the pipe needs no message.
    if code != EXIT_PIPE and log_format == "json":
        from cogny_source.cli.logs import dump_error

        click.echo(dump_error(sentence.removeprefix("Error: "), exit_code=code, **details), err=True)
    elif code != EXIT_PIPE:
        click.echo(sentence, err=True)
    on_failure(code, told)
    return code


def _list_details(error: CognyError) -> dict[str, object]:
    """What an error tells beside its message."""
    names = ("status", "code", "request_id", "path")
    return {name: value for name in names if (value := getattr(error, name)) is not None}


def _describe(error: CognyError) -> str:
    if isinstance(error, Stopped) and error.loaded:
        return f"The run was {error}: {error.loaded} are loaded; the next one goes on from there."
    if isinstance(error, Stopped):
        return f"The run was {error}; the next one goes on from what is loaded."
    return f"Error: {error}"


def _describe_unforeseen(error: Exception, verbose: bool) -> tuple[int, str, str]:
    """The exit code, the sentence, and a sentence for alerts: a foreign message may contain a secret."""
    named = describe_unforeseen(error)
    told = f"Error: {type(error).__name__}, an unexpected error; `cogny status` tells more."
    if _is_setting(error):
        return EXIT_USAGE, f"Error: a setting of dlt's own cannot be read: {named}", told
    hint = "" if verbose else "; --verbose shows its traceback"
    return EXIT_FAILED, f"Error: an unexpected error: {named}{hint}. What is loaded stays.", told


def _is_setting(error: Exception) -> bool:
    if "dlt" not in sys.modules:
        return False
    from dlt.common.configuration.exceptions import ConfigurationException

    return isinstance(error, ConfigurationException)


def _check_signals(error: BaseException) -> None:
    context = click.get_current_context(silent=True)
    watch = None if context is None else context.find_object(Watch)
    if watch is not None:
        watch.check(error)


def _print_traceback(verbose: bool, log_format: str) -> dict[str, object]:
    """Print the traceback if it is wanted; as JSON it is a field of the error's line, which is returned."""
    if not verbose:
        return {}
    import traceback

    from cogny_source.plain_text import hide_keys, safe_lines

    text = hide_keys(safe_lines(traceback.format_exc()))
    if log_format == "json":
        return {"exception": text}
    click.echo(text, err=True, nl=False)
    return {}
