"""Reads the API's JSON into models, leniently: what does not fit is kept, and never an error but for a missing id."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from cogny_source.client.models import Model
from cogny_source.errors import ContractError
from cogny_source.timestamps import parse_instant

M = TypeVar("M", bound=Model)
# Reads a value; None where it does not fit.
Reader = Callable[[Any, str | None], Any]
COMMON = {item.name for item in fields(Model)}


def read_model(kind: type[M], data: object, request_id: str | None = None) -> M:
    """Read an object of the API.

    Args:
        kind: The model.
        data: What the API gave.
        request_id: The request that it came with.

    Raises:
        ContractError: If it is no object, or has no id though it must.
    """
    if not isinstance(data, Mapping):
        raise ContractError("the API answered with something else than an object", request_id=request_id)
    readers, needs_id = _inspect(cast("Hashable", kind))
    values: dict[str, Any] = {}
    extra = {name: value for name, value in data.items() if name not in readers}
    for name, read in readers.items():
        given = data.get(name)
        if given is None:
            continue
        value = read(given, request_id)
        if value is None:
            extra[name] = given
        else:
            values[name] = value
    if needs_id and "id" not in values:
        raise ContractError("the API gave an object without an id", request_id=request_id)
    return kind(**values, extra=extra, raw=data, request_id=request_id)


@cache
def _inspect(kind: Any) -> tuple[dict[str, Reader], bool]:
    """How each member of a model is read, and whether its id must be there."""
    hints = get_type_hints(kind)
    names = [name for name in hints if name not in COMMON]
    return {name: _reader(hints[name]) for name in names}, hints.get("id") is str


def _reader(hint: Any) -> Reader:
    if isinstance(hint, UnionType):
        [hint] = [part for part in get_args(hint) if part is not NoneType]
    if get_origin(hint) is tuple:
        return _tuple_reader(get_args(hint)[0])
    if isinstance(hint, type) and issubclass(hint, Model):
        return lambda value, request_id: read_model(hint, value, request_id) if isinstance(value, Mapping) else None
    plain: dict[Any, Callable[[Any], Any]] = {str: _text, int: _integer, float: _number, datetime: parse_instant}
    read: Callable[[Any], Any] = plain.get(hint, _object if get_origin(hint) is not None else _anything)
    return lambda value, _: read(value)


def _tuple_reader(hint: Any) -> Reader:
    read = _reader(hint)

    def read_all(value: Any, request_id: str | None) -> Any:
        if not isinstance(value, list):
            return None
        elements = tuple(read(element, request_id) for element in value)
        # One that does not fit would be lost, or shift the others.
        return None if hint is not Any and None in elements else elements

    return read_all


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _object(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None


def _anything(value: Any) -> Any:
    return value
