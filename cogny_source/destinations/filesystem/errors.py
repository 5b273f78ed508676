"""Errors of a disk or an object store, as one sentence that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cogny_source.destinations.target import list_causes
from cogny_source.errors import CognyError, ConfigError, LoadFailed

# Characters that deltalake 1.6 unescapes once too often, or does not accept in a path.
NOT_IN_DELTA = re.compile(r"[%\[\]\\^|\x00-\x1f\x7f]")
# The libraries whose errors are not OSErrors.
LIBRARIES = ("aiobotocore", "aiohttp", "botocore", "deltalake", "gcsfs", "google", "s3fs")
SIGN_IN = (
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "DefaultCredentialsError",
    "ConfigFieldMissingException",
)  # fmt: skip
AWS_TOOLS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
GOOGLE_TOOLS = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
LINE = ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ClientConnectorError", "TimeoutError")
DENIED = ("AccessDenied", "Access Denied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken")
NO_BUCKET = ("NoSuchBucket", "bucket does not exist")


def explain(error: BaseException, url: str) -> CognyError | None:
    """The error to raise for a failure in a folder; None if its meaning is unknown.

    Args:
        error: The failure; its causes are searched too.
        url: The folder, or the prefix in an object store.
    """
    for cause in list_causes(error):
        if isinstance(cause, CognyError):
            continue
        kind, text = type(cause).__name__, " ".join(str(cause).split())
        if kind in SIGN_IN:
            tools = GOOGLE_TOOLS if url.startswith("gs://") else AWS_TOOLS
            return ConfigError(
                f"no credentials for {url}: {tools}, or set destination.filesystem.credentials in .dlt/secrets.toml"
            )
        if isinstance(cause, PermissionError) or any(word in text for word in DENIED):
            return ConfigError(f"the account may not read, write, list and delete in {url}: {text}")
        if any(word in text for word in NO_BUCKET):
            return ConfigError(f"the bucket of {url} does not exist: create it, or name another")
        if kind in LINE:
            return LoadFailed(f"{url} cannot be reached ({kind}). Nothing is lost: run the same command again")
    return None


def is_of_a_library(error: Exception) -> bool:
    """Whether an error comes from the library of an object store."""
    return type(error).__module__.partition(".")[0] in LIBRARIES


def check_delta_path(url: str) -> None:
    """Refuse a folder that deltalake cannot open.

    Raises:
        ConfigError: If its path has a character of `NOT_IN_DELTA`.
    """
    if refused := NOT_IN_DELTA.search(url):
        character = repr(refused[0])[1:-1]
        raise ConfigError(f"deltalake cannot open a path with {character}, such as {repr(url)[1:-1]}: name another")


@contextmanager
def raising_os_errors() -> Iterator[None]:
    """Raise an OSError, as a disk would, for the errors of an object store's library."""
    try:
        yield
    except Exception as exc:
        if not is_of_a_library(exc):
            raise
        raise OSError(f"{type(exc).__name__}: {exc}") from exc
