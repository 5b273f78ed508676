"""Calls: what is asked of the API, and how a path is built from an id that came from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cogny_source.errors import InvalidArgument

Params = Mapping[str, str | int]
# Neither a slash nor what a URL reads otherwise; a name of dots alone leads elsewhere.
PLAIN_ID = re.compile(r"(?!\.+$)[A-Za-z0-9_.:~-]{1,200}")
PLAIN_PATH = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9_.:~-]+)+")


@dataclass(frozen=True)
class Call:
    """One request to the API.

    Attributes:
        method: The HTTP method.
        path: The path below the base URL, such as `/tickets`.
        params: The query.
        body: What is sent as JSON; None for no body.
        scope: The scope that the call needs, for the message of a 403.
        batch: Whether it counts as a batch operation, which has a limit of its own.
        patient: Whether it is sent again after a 429.

    Raises:
        InvalidArgument: If the path could lead to another endpoint.
    """

    method: str
    path: str
    params: Params = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    scope: str | None = None
    batch: bool = False
    patient: bool = True

    def __post_init__(self) -> None:
        if not PLAIN_PATH.fullmatch(self.path):
            raise InvalidArgument("path", "holds a character that could lead to another endpoint")

    @property
    def writes(self) -> bool:
        """Whether the call may change or make something, so that it must not be sent twice."""
        return self.method != "GET"


def check_id(identity: object, name: str) -> str:
    """An id that is safe in a path.

    Args:
        identity: The id as somebody gave it.
        name: The argument's name.

    Raises:
        InvalidArgument: If it is no plain id.
    """
    if not isinstance(identity, str) or not PLAIN_ID.fullmatch(identity):
        raise InvalidArgument(name, "is no id of the API: letters, digits, _ and - alone, such as rpt_123abc")
    return identity
