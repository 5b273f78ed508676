"""Bodies: what a write asks for, read and checked as the contract says."""

from __future__ import annotations

from typing import Any

import orjson

from cogny_source.sandbox.answers import ApiError, invalid
from cogny_source.sandbox.data import CATEGORIES, DISMISSALS, PRIORITIES, TICKET_STATUSES
from cogny_source.sandbox.instants import parse_instant

MOST_PROMPT_CHARACTERS = 2000
MOST_ITERATIONS = 100
EXPORT_FORMATS = ("csv", "json", "xlsx", "jira", "asana", "linear")
EVENTS = (
    "report.completed",
    "report.failed",
    "ticket.created",
    "ticket.updated",
    "warehouse.connected",
    "warehouse.sync_completed",
)
_CHOICES = {"status": TICKET_STATUSES, "priority": PRIORITIES, "category": CATEGORIES}
_CHANGEABLE = ("status", "priority", "assignee", "notes", "action_items")


def read_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        ApiError: 400 if it is none.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise invalid("body", "the body must be a JSON object")
    return content


def check_changes(changes: Any, name: str = "body") -> dict[str, Any]:
    """The changes of a ticket.

    Raises:
        ApiError: 400 if one of them makes no sense, or there is none.
    """
    if not isinstance(changes, dict) or not changes:
        raise invalid(name, "nothing is to be changed")
    for field, value in changes.items():
        if field not in _CHANGEABLE:
            raise invalid(field, f"{field} cannot be changed")
        if field in _CHOICES and value not in _CHOICES[field]:
            raise invalid(field, f"{field} must be one of {', '.join(_CHOICES[field])}")
        if field == "action_items" and not _is_list_of_texts(value):
            raise invalid(field, "action_items must be a list of texts")
        if field in ("assignee", "notes") and not isinstance(value, str | None):
            raise invalid(field, f"{field} must be a text")
    return changes


def check_dismissal(content: dict[str, Any]) -> dict[str, Any]:
    """What a dismissal changes in its ticket.

    Raises:
        ApiError: 400 if the reason is none of the five.
    """
    if content.get("reason") not in DISMISSALS:
        raise invalid("reason", f"reason must be one of {', '.join(DISMISSALS)}")
    notes = content.get("notes")
    if not isinstance(notes, str | None):
        raise invalid("notes", "notes must be a text")
    return {"status": "dismissed"} | ({} if notes is None else {"notes": notes})


def check_bulk(content: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The ids and the changes of a bulk update.

    Raises:
        ApiError: 400 if one of them makes no sense.
    """
    ids = content.get("ticket_ids")
    if not isinstance(ids, list) or not ids or not _is_list_of_texts(ids):
        raise invalid("ticket_ids", "ticket_ids must be a list of ids")
    return ids, check_changes(content.get("updates"), "updates")


def check_export(content: dict[str, Any]) -> tuple[str, dict[str, str], list[str] | None]:
    """The format, the filters and the fields of an export.

    Raises:
        ApiError: 400 if one of them makes no sense.
    """
    kind = content.get("format")
    if kind not in EXPORT_FORMATS:
        raise invalid("format", f"format must be one of {', '.join(EXPORT_FORMATS)}")
    filters, fields = content.get("filters", {}), content.get("include_fields")
    if not isinstance(filters, dict):
        raise invalid("filters", "filters must be an object")
    if fields is not None and not _is_list_of_texts(fields):
        raise invalid("include_fields", "include_fields must be a list of texts")
    return str(kind), {name: str(value) for name, value in filters.items()}, fields


def check_report(content: dict[str, Any]) -> None:
    """Refuse a report that cannot be made, but for its warehouse.

    Raises:
        ApiError: 400 if a part of it makes no sense.
    """
    prompt = content.get("prompt")
    if not isinstance(prompt, str) or not 0 < len(prompt) <= MOST_PROMPT_CHARACTERS:
        raise ApiError(400, "INVALID_PROMPT", f"prompt must be a text of 1 to {MOST_PROMPT_CHARACTERS} characters")
    for name in ("context", "options", "metadata"):
        if not isinstance(content.get(name, {}), dict):
            raise invalid(name, f"{name} must be an object")
    _check_range(content.get("context", {}).get("date_range"))
    most = content.get("options", {}).get("max_iterations", 1)
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST_ITERATIONS:
        raise invalid("max_iterations", f"max_iterations must be a whole number from 1 to {MOST_ITERATIONS}")


def _check_range(date_range: Any) -> None:
    if date_range is None:
        return
    try:
        start, end = parse_instant(date_range["start"]), parse_instant(date_range["end"])
    except (KeyError, TypeError, ValueError):
        start, end = 1, 0
    if start > end:
        raise ApiError(400, "INVALID_DATE_RANGE", "date_range needs a start and an end that is not before it")


def check_webhook(content: dict[str, Any]) -> dict[str, Any]:
    """The subscription of a webhook, without its secret.

    Raises:
        ApiError: 400 if a part of it makes no sense.
    """
    url, events = content.get("url"), content.get("events")
    if not isinstance(url, str) or not url.startswith("https://"):
        raise invalid("url", "url must begin with https://")
    if not isinstance(events, list) or not events or not set(map(str, events)) <= set(EVENTS):
        raise invalid("events", f"events must be some of {', '.join(EVENTS)}")
    if not isinstance(content.get("secret"), str) or not content["secret"]:
        raise invalid("secret", "secret must be a text")
    return {"url": url, "events": events}


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
