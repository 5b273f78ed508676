"""How a command ends: with an exit code, and a failure in one plain sentence on standard error."""

from __future__ import annotations

import signal
from collections.abc import Callable

import click

from cogny_source.errors import AlreadyRunning, AuthError, CognyError, ConfigError, Forbidden, Stopped

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_LOCKED = 75
EPILOG = """\b
Exit codes: 0 done; 1 the sync failed; 2 usage, settings or key; 75 another run holds the lock;
130 or 143 stopped by a signal, with what was complete loaded."""


def exit_code(error: CognyError) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, Stopped):
        return 128 + error.signal_number
    if isinstance(error, AlreadyRunning):
        return EXIT_LOCKED
    if isinstance(error, ConfigError | AuthError | Forbidden):
        return EXIT_USAGE
    return EXIT_FAILED


def report_failure(
    command: Callable[[], int | None], *, verbose: bool, on_failure: Callable[[int, str], None] = lambda *_: None
) -> int:
    """Run a command; turn its failure into a sentence on standard error and an exit code.

    Args:
        command: Returns its exit code; None for 0.
        verbose: Whether a traceback comes before the sentence.
        on_failure: Told the exit code and the sentence.
    """
    try:
        return command() or 0
    except CognyError as error:
        if verbose:
            import traceback

            traceback.print_exc()
        code = exit_code(error)
        if isinstance(error, Stopped):
            sentence = f"The run was {error}; the next one goes on from what is loaded."
        else:
            sentence = f"Error: {error}"
    except MemoryError:
        code = EXIT_FAILED
        sentence = "Error: there is not enough memory; nothing is lost: the next run goes on from what is loaded."
    except KeyboardInterrupt:  # a second Ctrl-C
        code = exit_code(Stopped(signal.SIGINT))
        sentence = "Aborted; the next run goes on from the last chunk that was loaded."
    except Exception as error:
        on_failure(EXIT_FAILED, f"Error: {type(error).__name__}, which nobody foresaw; the log has its traceback.")
        raise
    click.echo(sentence, err=True)
    on_failure(code, sentence)
    return code
