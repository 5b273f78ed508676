"""Numbers in JSON texts that not every destination returns as they were written.

BigQuery's JSON holds integers of 64 bits and doubles. An integer beyond 64 bits is loaded there as a text of digits,
and a whole double may come back as `1.0` or as `1`. A comparison of rows treats these forms as equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.records.columns import dump_json

# May match more than integers beyond 64 bits and whole doubles; a false match only costs a closer look.
WIDE = r"9[2-9][0-9]{17}|[0-9]{20}"
AMBIGUOUS = WIDE + r"|[0-9]\.0+([^0-9]|$)|[0-9][eE][-+0-9]"
BITS_64 = range(-(2**63), 2**63)
MAX_WHOLE = 2.0**63

Number = int | float | str


def spell_out_wide(texts: pa.ChunkedArray) -> list[str | None]:
    """JSON texts in which integers beyond 64 bits are texts of their digits."""
    return [
        _spell_out_text(text) if wide else text
        for text, wide in zip(texts.to_pylist(), _match(texts, WIDE), strict=True)
    ]


def canonical_json(texts: pa.ChunkedArray) -> list[str | None]:
    """JSON texts with sorted keys and one form for equal numbers."""
    return [
        None if text is None else _sort_keys(text, _canonical_number if ambiguous else None)
        for text, ambiguous in zip(texts.to_pylist(), _match(texts, AMBIGUOUS), strict=True)
    ]


def _match(texts: pa.ChunkedArray, pattern: str) -> list[bool | None]:
    matches: list[bool | None] = pc.match_substring_regex(texts, pattern).to_pylist()
    return matches


def _sort_keys(text: str, change: Callable[[Number], Number] | None) -> str:
    try:
        value = orjson.loads(text) if change is None else _replace(json.loads(text), change)
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except (orjson.JSONDecodeError, TypeError, RecursionError):  # a lone surrogate, or nested too deeply
        return text


def _spell_out_text(text: str) -> str | None:
    try:
        return dump_json(_replace(json.loads(text), _spell_out))
    except RecursionError:  # nested deeper than Python's stack
        return text


def _spell_out(number: Number) -> Number:
    return str(number) if isinstance(number, int) and number not in BITS_64 else number


def _canonical_number(number: Number) -> Number:
    if isinstance(number, float) and number.is_integer() and abs(number) < MAX_WHOLE:
        return int(number)
    return _spell_out(number)


def _replace(value: Any, change: Callable[[Number], Number]) -> Any:
    """A JSON value with its numbers changed."""
    if isinstance(value, dict):
        return {name: _replace(member, change) for name, member in value.items()}
    if isinstance(value, list):
        return [_replace(member, change) for member in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return change(value)
    return value
