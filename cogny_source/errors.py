"""The exceptions of the connector, grouped by what the caller should do.

CognyError
├── ConfigError         settings are missing or wrong: correct them (exit code 2)
├── InvalidArgument     an argument that the API would refuse; nothing was sent (exit code 2)
├── TransientError      the API or the network failed: try again later (exit code 1)
│   ├── RateLimited     the limit is used up, and waiting exceeds the run's budget
│   ├── ServerError     a 5xx, an HTML page, a cut-short or empty body
│   │   ├── EdgeRefusal     a 4xx without JSON: an edge in front of the API refused, or the base URL is wrong
│   │   └── Contradiction   an answer that contradicts itself, such as a count without a row
│   └── NetworkError    a reset, a time-out
│       └── Unreachable     no connection at all
├── FatalError          the API refused the request: a retry changes nothing
│   ├── AuthError       401, the key is missing or invalid (exit code 2)
│   ├── Forbidden       403, the key lacks a scope (exit code 2)
│   ├── NotFound        404
│   ├── BadRequest      400 and every other 4xx
│   └── Untrusted       a certificate that cannot be verified, or no TLS (exit code 2)
├── ContractError       the API broke its contract
│   ├── PaginationError a repeated or missing cursor, a list without an end
│   ├── MassDeletion    too many rows are no longer listed: a person must accept their deletion
│   ├── NotVerifiable   rows moved at each of several readings, so that nothing is verified
│   └── AnswerTooLarge  an answer larger than max_answer_megabytes
├── OutcomeUnknown      a write whose answer was lost: it may have taken effect (exit code 1)
├── LoadFailed          the destination refused a load package, or is held by another process
├── VerificationFailed  the destination differs from the API (exit code 1)
├── AlreadyRunning      another run holds the lock of this working directory (exit code 75)
└── Stopped             a signal stopped the run (exit code 130 or 143)
"""

from __future__ import annotations

from cogny_source.plain_text import cut_text, hide_keys, safe_lines, safe_text

UNFORESEEN_CHARACTERS = 300


class CognyError(Exception):
    """Base class of every error that the connector raises on purpose.

    Args:
        message: One plain sentence, without the API key and without a response body.
        status: The HTTP status, if there was a response.
        code: The error code of the API's envelope, such as ``INVALID_PARAMETER``.
        request_id: The id by which the API's operators find the request.
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
        """The message, path and request id, safe to print."""
        facts = {"path": self.path, "status": self.status, "code": self.code, "request id": self.request_id}
        known = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
        return safe_lines(f"{self.message} ({known})" if known else self.message)


class ConfigError(CognyError):
    """A setting is missing or wrong."""


class InvalidArgument(CognyError):
    """An argument that the API would refuse; nothing was sent.

    Args:
        name: The argument.
        reason: What is wrong with it, such as `is empty`.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name


class TransientError(CognyError):
    """A request failed, but the same request may succeed later.

    Args:
        message: One plain sentence.
        retry_after_seconds: The wait that the API asks for, if it does.
        status: As in `CognyError`, like the following arguments.
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
    """HTTP 429.

    Attributes:
        window_used_up: Whether the window is; otherwise it is this request alone that is turned away, such as a report
            while too many are unfinished.
    """

    window_used_up: bool = True


class ServerError(TransientError):
    """A 5xx status, or a body that is not an answer: HTML, empty, cut short, `success: false` with an unknown code."""


class EdgeRefusal(ServerError):
    """A 400, 401, 403 or 404 without JSON: it comes from an edge in front of the API."""


class Contradiction(ServerError):
    """An answer that contradicts itself; the request is repeated a few times."""


class NetworkError(TransientError):
    """No answer: no connection, a reset, a time-out.

    Attributes:
        may_have_arrived: Whether the request may have reached the API: not if no connection was made.
    """

    may_have_arrived: bool = True


class Unreachable(NetworkError):
    """No connection: refused, host name not found, time-out, or a proxy or TLS that fails."""


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
    """The TLS connection cannot be verified: a certificate that is expired, unknown or another host's, or no TLS."""


class ContractError(CognyError):
    """The API broke its contract; continuing could lose rows."""


class PaginationError(ContractError):
    """A repeated cursor, `has_more` without a cursor, or a list without an end."""


class MassDeletion(ContractError):
    """Too many rows are no longer listed: they are marked deleted only after a person accepts it."""


class NotVerifiable(ContractError):
    """The list lost rows at each of several readings, so that nothing is verified."""


class AnswerTooLarge(ContractError):
    """An answer larger than `max_answer_megabytes`."""


class OutcomeUnknown(CognyError):
    """A write whose answer was lost, and of which a look did not tell whether it took effect. It is not sent again.

    Args:
        message: One plain sentence.
        token: With it, `create(token=…)` or `create_many(token=…)` looks for the report first; None for other writes.
        status: As in `CognyError`, like the following arguments.
    """

    def __init__(
        self,
        message: str,
        *,
        token: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message, status=status, request_id=request_id, path=path)
        self.token = token


class LoadFailed(CognyError):
    """The destination refused a load package, or could not be opened; what it holds is unchanged."""


class VerificationFailed(CognyError):
    """Rows of the destination differ from those that the API lists."""


class AlreadyRunning(CognyError):
    """Another run holds the lock of this working directory."""


class Stopped(CognyError):
    """A signal stopped the run; complete rows are loaded.

    Args:
        signal_number: The signal, such as 15 for SIGTERM.

    Attributes:
        loaded: What the run has loaded, such as `10,100 of 20,000 tickets`; None if nobody counted.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.signal_number = signal_number
        self.loaded: str | None = None


def describe_unforeseen(error: BaseException) -> str:
    """The class and the first line of an error that the connector did not raise on purpose."""
    first = next(iter(str(error).splitlines()), "")
    told = cut_text(hide_keys(safe_text(first)), UNFORESEEN_CHARACTERS)
    return f"{type(error).__name__}: {told}" if told else type(error).__name__
