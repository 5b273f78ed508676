"""Every switch as an option of the command line."""

from __future__ import annotations

import ast
import inspect
import textwrap
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from dataclasses import MISSING, fields
from itertools import pairwise
from typing import Any

from cogny_source.sandbox.switches import ORDERS, Switches

_OPTIONAL_COUNTS = (
    "revoked_after_requests",
    "requests_per_minute",
    "cursor_lifetime_pages",
    "max_unfinished_reports",
    "stream_drops_after_events",
    "stream_stalls_after_events",
)


def add_switch_flags(parser: ArgumentParser) -> None:
    """Give a parser an option for each switch: `--error-500 0.1`, `--away`, `--ignored-filters reports=sort+status`."""
    group = parser.add_argument_group("switches", "ways to misbehave; shares of requests or rows lie between 0 and 1")
    told = read_descriptions()
    for item in fields(Switches):
        flag, help_text = "--" + item.name.replace("_", "-"), told[item.name].replace("%", "%%")
        if isinstance(item.default, bool):
            group.add_argument(flag, action=BooleanOptionalAction, default=None, help=help_text)
        else:
            reader, metavar = _reader(item.name, item.default), _metavar(item.name)
            group.add_argument(flag, type=reader, default=None, metavar=metavar, help=help_text)


def read_descriptions() -> dict[str, str]:
    """The description of each switch: the string below it in its class, and its default."""
    [declaration] = ast.parse(textwrap.dedent(inspect.getsource(Switches))).body
    assert isinstance(declaration, ast.ClassDef)
    told: dict[str, str] = {}
    for line, following in pairwise(declaration.body):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(following, ast.Expr):
            text = inspect.cleandoc(str(ast.literal_eval(following.value))).replace("\n", " ").replace("`", "")
            told[line.target.id] = f"{text} Default: {_describe_default(line.target.id)}."
    return told


def _describe_default(name: str) -> str:
    value = getattr(Switches(), name)
    if value is None or value is False or value == {}:
        return "off"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return "on" if value is True else str(value)


def read_switches(arguments: Namespace) -> Switches:
    """The switches that the parsed options ask for.

    Raises:
        ValueError: If a value is invalid.
    """
    given = {item.name: getattr(arguments, item.name) for item in fields(Switches)}
    return Switches(**{name: value for name, value in given.items() if value is not None})


def _metavar(name: str) -> str:
    forms = {
        "ignored_filters": "RESOURCE=NAME[+NAME],…",
        "ignored_sorts": f"RESOURCE[={'|'.join(ORDERS)}],…",
        "pagination_omitted": "RESOURCE,…",
    }
    return forms.get(name, "VALUE")


def _reader(name: str, default: Any) -> Any:
    if name == "ignored_filters":
        return _read_filters
    if name == "ignored_sorts":
        return _read_orders
    if name == "pagination_omitted":
        return _read_names
    if name in _OPTIONAL_COUNTS:
        return int
    return str if default is MISSING else type(default)


def _read_names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _read_filters(text: str) -> dict[str, list[str]]:
    pairs = (item.partition("=") for item in _read_names(text))
    return {resource: [name for name in names.split("+") if name] for resource, _, names in pairs}


def _read_orders(text: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in _read_names(text))
    return {resource: order or "oldest_first" for resource, _, order in pairs}
