"""Reading: every declared path of the schema has its attribute, and what does not fit is kept."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest

from cogny_source.client.models import EstimatedImpact, Report, ReportContent, Ticket, Warehouse
from cogny_source.client.reading import read_model
from cogny_source.errors import ContractError
from cogny_source.schema import REPORTS, TICKETS, WAREHOUSES, TableSpec

TYPES = {"text": str, "double": float, "bigint": int, "timestamp": datetime}
TICKET = {"id": "tkt_1", "title": "Skip step 3", "estimated_impact": {"metric": "churn", "confidence": 1}}


def annotation(kind: type, path: tuple[str, ...]) -> Any:
    """The type of an attribute, without None."""
    hint = get_type_hints(kind)[path[0]]
    parts = [part for part in get_args(hint) if part is not NoneType]
    found = parts[0] if parts and NoneType in get_args(hint) else hint
    return annotation(found, path[1:]) if len(path) > 1 else found


@pytest.mark.parametrize(("spec", "kind"), [(TICKETS, Ticket), (REPORTS, Report), (WAREHOUSES, Warehouse)])
def test_models_have_what_the_schema_declares(spec: TableSpec, kind: type) -> None:
    """Each column that comes from the API, with its type, and each list."""
    for column in (column for column in spec.columns if column.path):
        hint = annotation(kind, column.path)
        expected = TYPES.get(column.type)
        assert hint is expected if expected else "Mapping" in str(hint), column
    for child in spec.children:
        assert annotation(kind, child.path) == tuple[str, ...]


def test_declared_members_are_typed() -> None:
    """Texts, numbers, instants, lists, and objects within."""
    row = {
        **TICKET,
        "action_items": ["a", "b"],
        "created_at": "2025-02-03T10:30:00.5+02:00",
        "supporting_data": {"p": [1]},
        "notes": None,
    }
    ticket = read_model(Ticket, row, "req_1")
    assert ticket.created_at == datetime(2025, 2, 3, 8, 30, 0, 500000, tzinfo=UTC)
    assert (ticket.action_items, ticket.supporting_data, ticket.notes) == (("a", "b"), {"p": [1]}, None)
    assert ticket.estimated_impact is not None
    assert (ticket.estimated_impact.metric, ticket.estimated_impact.confidence) == ("churn", 1.0)
    assert (ticket.raw, ticket.request_id, ticket.extra) == (row, "req_1", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", ["x"]),
        ("title", 7),
        ("estimated_impact", "+12% churn"),
        ("action_items", "x; y"),
        ("action_items", ["x", 1]),
        ("action_items", [None]),
        ("supporting_data", [1]),
        ("updated_at", "yesterday"),
        ("created_at", 1738578600),
        ("sentiment", {"score": 1}),
        ("unknown", None),
    ],
)
def test_what_does_not_fit_is_kept_in_extra(name: str, value: Any) -> None:
    """And its attribute is as if it were missing."""
    ticket = read_model(Ticket, {**TICKET, name: value})
    assert ticket.extra == {name: value}
    missing = read_model(Ticket, {key: item for key, item in TICKET.items() if key != name})
    assert dataclasses.replace(ticket, extra={}) == missing


@pytest.mark.parametrize(
    ("value", "number"), [(1, 1.0), (1.5, 1.5), (2**60, float(2**60)), ("1.5", None), (True, None), ([], None)]
)
def test_numbers_are_numbers(value: Any, number: float | None) -> None:
    """A text is none, nor is a truth value; they stand in the extra of the object that they belong to."""
    impact = read_model(Ticket, {**TICKET, "estimated_impact": {"confidence": value}}).estimated_impact
    assert impact == EstimatedImpact(confidence=number, extra={} if number is not None else {"confidence": value})


@pytest.mark.parametrize(("value", "number"), [(3, 3), (3.0, 3), (3.5, None), ("3", None), (False, None)])
def test_counts_are_whole(value: Any, number: int | None) -> None:
    """A whole float counts."""
    summary = read_model(Report, {"id": "rpt_1", "summary": {"total_queries": value}}).summary
    assert summary is not None
    assert summary.total_queries == number


@pytest.mark.parametrize("data", [None, [], "x", {}, {"id": None}, {"id": 7}, {"id": ["rpt_1"]}])
def test_what_is_no_row_is_refused(data: Any) -> None:
    """Without an id nothing could be done with it."""
    with pytest.raises(ContractError):
        read_model(Report, data)


def test_content_with_odd_sections() -> None:
    """A text where a list is declared stands in the extra of its section; what is undeclared too."""
    content = read_model(
        ReportContent,
        {
            "report_id": "rpt_1",
            "sections": [
                {
                    "title": "A",
                    "insights": [{"type": "trend", "data": [1]}],
                    "visualizations": [None, {}],
                    "queries": "x",
                }
            ],
            "recommendations": "none",
            "metadata": {"total_queries": 3, "model": "growth-3"},
        },
    )
    [section] = content.sections
    assert (section.insights[0].data, section.visualizations, section.queries) == ([1], (None, {}), ())
    assert section.extra == {"queries": "x"}
    assert (content.recommendations, content.extra) == ((), {"recommendations": "none"})
    assert content.metadata is not None
    assert content.metadata.extra == {"model": "growth-3"}


def test_models_are_frozen_and_slotted() -> None:
    """Nobody changes them, or gives them another attribute."""
    ticket = read_model(Ticket, TICKET)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ticket.title = "x"  # type: ignore[misc]
    assert not hasattr(ticket, "__dict__")
