"""Deep JSON: what lies too deep is kept as text, and all beside it stays as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cogny_source.api.envelope import parse_json
from cogny_source.api.nesting import MOST_LEVELS, flatten_depths, is_shallow


def nest(levels: int, core: str = "1.5") -> str:
    """A value within so many arrays and objects by turns."""
    opening = "".join('{"a":' if level % 2 else "[" for level in range(levels))
    closing = "".join("}" if level % 2 else "]" for level in reversed(range(levels)))
    return opening + core + closing


def count_levels(value: Any) -> int:
    """How deep a value is along its first members."""
    levels = 0
    while isinstance(value, dict | list):
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
        levels += 1
    return levels


@pytest.mark.parametrize("levels", [0, 1, 50, MOST_LEVELS - 1])
@pytest.mark.parametrize("text", ["plain", "}]{[" * 500, r"\"{\\\\"])
def test_values_of_common_depth_stay_as_they_are(levels: int, text: str) -> None:
    """Brackets and quotes within texts count for nothing."""
    body = f'{{"text":{json.dumps(text)},"deep":{nest(levels)}}}'.encode()
    assert flatten_depths(body) == body
    assert parse_json(body) == json.loads(body)


@pytest.mark.parametrize("levels", [201, 500, 1_000, 100_000])
@pytest.mark.parametrize("core", ["1.5", '"\\ud83d"', "123456789012345678901234567890", '"]}"'])
def test_what_lies_too_deep_is_kept_as_text(levels: int, core: str) -> None:
    """The text holds the JSON as it came, and rows beside it are unharmed."""
    deep = nest(levels, core)
    value = parse_json(f'[{{"deep":{deep}}},{{"id":"tkt_2","list":[1,{{"a":[]}}]}}]'.encode())
    assert value[1] == {"id": "tkt_2", "list": [1, {"a": []}]}
    found = value[0]["deep"]
    assert count_levels(found) == MOST_LEVELS - 2
    while isinstance(found, dict | list):
        found = found["a"] if isinstance(found, dict) else found[0]
    assert deep.count(found) == 1
    assert core in found


def test_several_deep_values_are_each_kept() -> None:
    """One after the other, and within one another's neighbours."""
    deep = nest(300)
    first, second = parse_json(f"[{deep},{deep}]".encode())
    assert first == second
    assert count_levels(first) == MOST_LEVELS - 1


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 500, b"[" * 300 + b"]" * 100, b"[" * 300 + b"\xff" + b"]" * 300]
)
def test_deep_json_that_is_broken_is_no_json(body: bytes) -> None:
    """A bracket that is not closed, or bytes that are no text."""
    with pytest.raises(ValueError, match=r"."):
        parse_json(body)


def test_brackets_in_texts_that_hide_how_deep_a_value_is_do_not_end_a_page() -> None:
    """Made up so that each bracket has its counterpart in a text."""
    body = b'{"}":' * 2_000 + b"1" + b',"{":0}' * 2_000
    assert is_shallow(body)
    assert isinstance(parse_json(body), dict)
