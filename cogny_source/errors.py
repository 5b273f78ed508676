"""The exceptions of the connector, grouped by what the caller should do.

CognyError
├── ConfigError         settings are missing or wrong: mend them (exit code 2)
├── TransientError      the API or the way to it failed: try again later (exit code 1)
│   ├── RateLimited     the limit is used up, and waiting exceeds the run's budget
│   ├── ServerError     a 5xx, an HTML page, a cut-short or empty body
│   │   ├── EdgeRefusal     a 4xx without JSON: what stands in front of the API refused, or the base URL is wrong
│   │   └── Contradiction   an answer that contradicts itself, such as a count without a row
│   └── NetworkError    no connection, a reset, a time-out
├── FatalError          the API refused the request: repeating it changes nothing
│   ├── AuthError       401, the key is missing or invalid (exit code 2)
│   ├── Forbidden       403, the key lacks a scope (exit code 2)
│   ├── NotFound        404
│   ├── BadRequest      400 and every other 4xx
│   └── Untrusted       a certificate that proves nothing, or no TLS at all (exit code 2)
├── ContractError       the API broke a promise of its own
│   ├── PaginationError a cursor that repeats or is missing, a list without end
│   ├── MassDeletion    so many rows are no longer listed that a person must accept it
│   └── AnswerTooLarge  an answer beyond max_answer_megabytes
├── LoadFailed          the destination refused a load package, or is held by another process
├── VerificationFailed  the destination differs from the API (exit code 1)
├── AlreadyRunning      another run holds the lock of this working directory (exit code 75)
└── Stopped             a signal asked the run to stop (exit code 130 or 143)
"""

from __future__ import annotations

from cogny_source.plain_text import cut_text, hide_keys, safe_lines, safe_text

UNFORESEEN_CHARACTERS = 300


class CognyError(Exception):
    """Anything this connector raises on purpose.

    Args:
        message: One plain sentence. Never holds a key or a body.
        status: The HTTP status, where there was a response.
        code: The error code of the API's envelope, such as ``INVALID_PARAMETER``.
        request_id: The id under which the API's operators find the request.
        path: The path below the base URL, without its query.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.path = path

    def __str__(self) -> str:
        """The message, followed by what the API's operators need to find the request; nothing acts."""
        facts = {"path": self.path, "status": self.status, "code": self.code, "request id": self.request_id}
        known = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
        return safe_lines(f"{self.message} ({known})" if known else self.message)


class ConfigError(CognyError):
    """A setting is missing or wrong."""


class TransientError(CognyError):
    """A request failed in a way that may pass.

    Args:
        message: One plain sentence.
        retry_after_seconds: How long the API asks to wait, where it says so.
        status: See `CognyError`, as the arguments after it.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code, request_id=request_id, path=path)
        self.retry_after_seconds = retry_after_seconds


class RateLimited(TransientError):
    """HTTP 429."""


class ServerError(TransientError):
    """A 5xx status, or a body that is no answer: HTML, empty, cut short, `success: false` of unknown code."""


class EdgeRefusal(ServerError):
    """A 400, 401, 403 or 404 that is no JSON: it comes from what stands in front of the API, not from the API."""


class Contradiction(ServerError):
    """An answer that cannot be right as it stands; it is asked for a few times more."""


class NetworkError(TransientError):
    """No answer at all: connection refused or reset, name not found, time-out."""


class FatalError(CognyError):
    """The API refused the request and would refuse it again."""


class AuthError(FatalError):
    """HTTP 401: the key is missing, wrong or revoked."""


class Forbidden(FatalError):
    """HTTP 403: the key lacks a scope."""


class NotFound(FatalError):
    """HTTP 404."""


class BadRequest(FatalError):
    """HTTP 400, and every client error that has no class of its own."""


class Untrusted(FatalError):
    """The TLS connection proves nothing: a certificate that is expired, unknown or another host's, or no TLS."""


class ContractError(CognyError):
    """The API answered against its own contract; going on could lose rows."""


class PaginationError(ContractError):
    """A repeated cursor, `has_more` without a cursor, or a list that grows without end."""


class MassDeletion(ContractError):
    """So many rows are no longer listed that they are not marked deleted before a person accepts it."""


class AnswerTooLarge(ContractError):
    """An answer that goes on beyond `max_answer_megabytes`."""


class LoadFailed(CognyError):
    """The destination refused a load package, or could not be opened; nothing of what it holds is lost."""


class VerificationFailed(CognyError):
    """Rows of the destination are not as the API lists them."""


class AlreadyRunning(CognyError):
    """Another run holds the lock of this working directory."""


class Stopped(CognyError):
    """A signal asked the run to stop; what was complete is loaded.

    Args:
        signal_number: The signal, such as 15 for SIGTERM.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.signal_number = signal_number


def describe_unforeseen(error: BaseException) -> str:
    """An error that the connector did not raise on purpose, by its class and the first line of its message."""
    first = next(iter(str(error).splitlines()), "")
    told = cut_text(hide_keys(safe_text(first)), UNFORESEEN_CHARACTERS)
    return f"{type(error).__name__}: {told}" if told else type(error).__name__
