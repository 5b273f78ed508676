"""Faults: which one a request or a row gets, and what such a row looks like."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from cogny_source.sandbox.rows import Row
from cogny_source.sandbox.switches import Switches

REQUEST_FAULTS = (
    "reset",
    "html_502",
    "html_504",
    "html_521",
    "html_524",
    "error_500",
    "rate_limited",
    "empty_200",
    "empty_list",
    "success_false",
    "cut_short",
    "dribble",
)
# A write takes effect before one of these strikes.
LOST_ANSWERS = ("lost_reset", "lost_504", "lost_524", "lost_cut", "lost_empty")
EVERY_FAULT = REQUEST_FAULTS + LOST_ANSWERS

_UNREADABLE = ("yesterday", "2025-02-30T10:00:00Z", "1738578600", "", "0000-00-00 00:00:00")


def strikes(seed: int, fault: str, subject: object, probability: float) -> bool:
    """Whether a subject gets a fault; the same answer for the same arguments."""
    if probability <= 0:
        return False
    return probability >= 1 or _lot(seed, fault, subject) < probability


def draw_fault(switches: Switches, number: int, *, writes: bool = False) -> str | None:
    """The fault that a request gets, or None; an answer can be lost where the request writes."""
    if switches.away:
        return "html_521"
    for fault in EVERY_FAULT if writes else REQUEST_FAULTS:
        if strikes(switches.fault_seed, fault, number, getattr(switches, fault)):
            return fault
    return None


def draw_stall(switches: Switches, number: int) -> float:
    """How many seconds late the answer to a request comes."""
    stalled = strikes(switches.fault_seed, "stall", number, switches.stall)
    return switches.latency_seconds + (switches.stall_seconds if stalled else 0.0)


def dresses_rows(switches: Switches) -> bool:
    """Whether rows may be shown otherwise than they are stored."""
    return bool(switches.undeclared_fields or switches.impact_as_string or switches.bad_timestamps or switches.misfits)


def dress(switches: Switches, row: Row) -> Row:
    """The row as it is shown under the switches: a changed copy, the same at every request."""
    seed, identity, shown = switches.fault_seed, row["id"], dict(row)
    impact = row.get("estimated_impact")
    if switches.undeclared_fields:
        shown |= {"ai_model": "growth-3", "labels": ["neu", None], "sync": {"attempt": 2, "über": [{"a": 1}]}}
        if isinstance(impact, dict):
            shown["estimated_impact"] = impact | {"currency": "EUR", "range": {"low": 0.5, "high": None}}
    if strikes(seed, "misfits", identity, switches.misfits):
        shown |= _misfit(row, int(_lot(seed, "misfit", identity) * 4))
    if isinstance(impact, dict) and strikes(seed, "impact_as_string", identity, switches.impact_as_string):
        shown["estimated_impact"] = f"+{impact['increase_percentage']}% {impact['metric']}"
    if "updated_at" in row and strikes(seed, "bad_timestamps", identity, switches.bad_timestamps):
        shown["updated_at"] = _UNREADABLE[int(_lot(seed, "unreadable", identity) * len(_UNREADABLE))]
    return shown


def _misfit(row: Row, kind: int) -> dict[str, Any]:
    """One of four ways in which values are not of their declared type, as far as the row has such fields."""
    impact = row.get("estimated_impact")
    if kind == 0 and isinstance(impact, dict):
        return {"estimated_impact": impact | {"current_value": f"{impact['current_value']}", "confidence": "high"}}
    if kind == 1 and "action_items" in row:
        return {"action_items": "; ".join(row["action_items"])}
    if kind == 2 and "supporting_data" in row:
        return {"supporting_data": [row["supporting_data"], 7]}
    name = "prompt" if "prompt" in row else "title" if "title" in row else "name"
    return {name: [row.get(name), 42]}


def _lot(seed: int, fault: str, subject: object) -> float:
    digest = blake2b(f"{seed}:{fault}:{subject}".encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2.0**56
