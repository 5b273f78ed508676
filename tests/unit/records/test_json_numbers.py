"""Numbers of JSON: those that a database rounds travel as texts, and forms of one number are equal."""

from __future__ import annotations

import orjson
import pyarrow as pa
import pytest

from cogny_source.records.json_numbers import canonical_json, spell_out_wide


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("18446744073709551616", '"18446744073709551616"'),
        ('{"a":-9223372036854775809}', '{"a":"-9223372036854775809"}'),
        ("[9223372036854775807,-9223372036854775808,92.23372036854775807]", None),
        ('"a text of 12345678901234567890 digits"', None),
        ("null", None),
    ],
)
def test_integers_beyond_64_bits_travel_as_texts(sent: str, stored: str | None) -> None:
    """All other numbers and texts mean the same afterwards."""
    [text] = spell_out_wide(pa.chunked_array([[sent]], pa.string()))
    assert text is not None
    assert orjson.loads(text) == orjson.loads(stored or sent)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"b":1.0,"a":[2]}', '{"a":[2.0],"b":1}'),
        ("1e16", "10000000000000000"),
        ("18446744073709551615", '"18446744073709551615"'),
        ("-0.0", "0"),
        ("1e+22", "1e22"),
    ],
)
def test_forms_of_a_number_are_equal(one: str, other: str) -> None:
    """A comparison takes what BigQuery gives back for what it was given."""
    first, second = canonical_json(pa.chunked_array([[one, other]], pa.string()))
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.5", "1"), ('"v 1.0"', '"v 1"'), ("1e22", "1e23"), (str(2**70), str(2**70 + 1)), ("1", "true")],
)
def test_different_values_stay_different(one: str, other: str) -> None:
    """Only forms of one number are equal."""
    first, second = canonical_json(pa.chunked_array([[one, other]], pa.string()))
    assert first != second
