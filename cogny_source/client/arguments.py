"""Arguments of the client's methods, checked before anything is sent, as the bodies and queries that the API takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from math import isfinite
from typing import Any, Literal, TypeVar, get_args

import orjson

from cogny_source.api.calls import check_id
from cogny_source.client.models import Category, DismissalReason, EventName, ExportFormat, Priority, TicketStatus
from cogny_source.errors import ConfigError, InvalidArgument
from cogny_source.settings import is_unread, parse_date
from cogny_source.timestamps import format_instant

MOST_PROMPT_CHARACTERS = 2000
MOST_ITERATIONS = 100
FLAGS = ("include_visualizations", "include_sql_queries", "include_recommendations")
SORT_FIELDS = ("created_at", "updated_at", "priority", "status")
T = TypeVar("T")
When = datetime | date | str
DateRange = tuple[When, When] | Mapping[str, When]


class Keep(Enum):
    """Stands for a member that is left as it is, where None would clear it."""

    KEEP = "as it is"


KEEP: Literal[Keep.KEEP] = Keep.KEEP


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """A report that is wanted; of the options, those that are None are left to the API.

    Attributes:
        warehouse_id: The warehouse to ask, `wh_…`.
        prompt: The question, up to 2000 characters.
        date_range: First and last day, or instant.
        dimensions: What to split figures by.
        focus_areas: What to look at above all.
        include_visualizations: Whether to draw.
        include_sql_queries: Whether to show the queries.
        include_recommendations: Whether to recommend.
        max_iterations: How often to ask anew, 1 to 100.
        language: The language of the report, such as `de`.
        metadata: A JSON object of your own, which the report keeps.
    """

    warehouse_id: str
    prompt: str
    date_range: DateRange | None = None
    dimensions: Sequence[str] | None = None
    focus_areas: Sequence[str] | None = None
    include_visualizations: bool | None = None
    include_sql_queries: bool | None = None
    include_recommendations: bool | None = None
    max_iterations: int | None = None
    language: str | None = None
    metadata: Mapping[str, Any] | None = None

    def make_body(self) -> dict[str, Any]:
        """The body of the request.

        Raises:
            InvalidArgument: If the API would refuse it.
        """
        _check_prompt(self.prompt)
        _check_iterations(self.max_iterations)
        context = {
            "date_range": None if self.date_range is None else _read_range(self.date_range),
            "dimensions": _check_texts(self.dimensions, "dimensions"),
            "focus_areas": _check_texts(self.focus_areas, "focus_areas"),
        }
        options = {
            **{name: _check_flag(getattr(self, name), name) for name in FLAGS},
            "max_iterations": self.max_iterations,
            "language": None if self.language is None else check_text(self.language, "language"),
        }
        body: dict[str, Any] = {"warehouse_id": check_id(self.warehouse_id, "warehouse_id"), "prompt": self.prompt}
        for name, part in (("context", _drop_none(context)), ("options", _drop_none(options))):
            if part:
                body[name] = part
        if self.metadata:
            body["metadata"] = _check_json(self.metadata, "metadata")
        return body


def check_choice(value: object, name: str, choices: Any) -> str:
    """A value that must be one of a `Literal`'s.

    Raises:
        InvalidArgument: If it is none of them.
    """
    if value not in get_args(choices):
        raise InvalidArgument(name, f"is {str(value)[:50]!r}; it may be {', '.join(get_args(choices))}")
    return str(value)


def check_ids(ids: Iterable[str], name: str) -> list[str]:
    """Ids, each once.

    Raises:
        InvalidArgument: If there is none, or one of them is no plain id.
    """
    if isinstance(ids, str):
        raise InvalidArgument(name, "is one text; give a list of ids")
    checked = [check_id(identity, name) for identity in check_several([*ids] if isinstance(ids, Set) else ids, name)]
    if not checked:
        raise InvalidArgument(name, "is empty")
    return list(dict.fromkeys(checked))


def make_changes(
    status: TicketStatus | None,
    priority: Priority | None,
    assignee: str | Keep | None,
    notes: str | Keep | None,
    action_items: Sequence[str] | None,
) -> dict[str, Any]:
    """The changes of a ticket, as a body.

    Raises:
        InvalidArgument: If there is none, or one of them is not possible.
    """
    changes: dict[str, Any] = {}
    if status is not None:
        changes["status"] = check_choice(status, "status", TicketStatus)
    if priority is not None:
        changes["priority"] = check_choice(priority, "priority", Priority)
    for name, value in (("assignee", assignee), ("notes", notes)):
        if value is not KEEP:
            changes[name] = None if value is None else check_text(value, name)
    if action_items is not None:
        changes["action_items"] = _check_texts(action_items, "action_items")
    if not changes:
        raise InvalidArgument("changes", "are missing: name what is to be changed, such as status='in_progress'")
    return changes


def make_dismissal(reason: DismissalReason, notes: str | None) -> dict[str, Any]:
    """The body of a dismissal.

    Raises:
        InvalidArgument: If the reason is none of the five.
    """
    body = {"reason": check_choice(reason, "reason", DismissalReason)}
    return body if notes is None else body | {"notes": check_text(notes, "notes")}


def make_filters(**given: Any) -> dict[str, str]:
    """The filters of a list as a query; those that are None are left out.

    Raises:
        InvalidArgument: If one of them is not possible.
    """
    choices = {"priority": Priority, "category": Category}
    filters: dict[str, str] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name == "warehouse_id":
            filters[name] = check_id(value, name)
        elif name in choices:
            filters[name] = check_choice(value, name, choices[name])
        elif name == "sort":
            filters[name] = _check_sort(value)
        elif name.endswith(("_after", "_before")):
            filters[name] = format_instant(_read_when(value, name))
        else:
            filters[name] = check_text(value, name)
    return filters


def make_export(format: ExportFormat, filters: dict[str, str], fields: Sequence[str] | None) -> dict[str, Any]:
    """The body of an export.

    Raises:
        InvalidArgument: If the format is none of the six.
    """
    body: dict[str, Any] = {"format": check_choice(format, "format", ExportFormat)}
    names = _check_texts(fields, "include_fields")
    return body | ({"filters": filters} if filters else {}) | ({"include_fields": names} if names else {})


def make_subscription(url: str, events: Sequence[EventName], secret: str) -> dict[str, Any]:
    """The body of a webhook's subscription.

    Raises:
        InvalidArgument: If the URL can be read on its way, an event is unknown, or the secret is empty.
    """
    try:
        safe = is_unread(check_text(url, "url"))
    except ValueError:
        safe = False
    if not safe:
        raise InvalidArgument("url", "must begin with https://")
    names = [check_choice(event, "events", EventName) for event in check_several(events, "events")]
    if not names:
        raise InvalidArgument("events", "must be a list of at least one event")
    return {
        "url": url,
        "events": names,
        "secret": check_text(secret, "secret"),
    }


def check_text(value: object, name: str) -> str:
    """A text that is not empty.

    Raises:
        InvalidArgument: If it is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgument(name, "must be a text that is not empty")
    if not _is_unicode(value):
        raise InvalidArgument(name, "holds half of a surrogate pair, which no JSON can carry")
    return value


def check_several(values: Iterable[T], name: str) -> list[T]:
    """Several values in their order.

    Raises:
        InvalidArgument: If it is one text, or no list or the like.
    """
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise InvalidArgument(name, "must be a list")
    return list(values)


def _check_prompt(prompt: object) -> None:
    if len(check_text(prompt, "prompt")) > MOST_PROMPT_CHARACTERS:
        raise InvalidArgument("prompt", f"has {len(str(prompt)):,} characters; it may have {MOST_PROMPT_CHARACTERS:,}")


def _check_iterations(number: object) -> None:
    if number is None:
        return
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_ITERATIONS:
        raise InvalidArgument("max_iterations", f"must be a whole number from 1 to {MOST_ITERATIONS}")


def _check_texts(values: Sequence[str] | None, name: str) -> list[str] | None:
    if values is None:
        return None
    texts = check_several(values, name)  # once: an iterator would be empty afterwards
    if not all(isinstance(text, str) and _is_unicode(text) for text in texts):
        raise InvalidArgument(name, "must be a list of texts")
    return texts


def _check_flag(value: object, name: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidArgument(name, "must be True or False")


def _check_json(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    try:
        text = orjson.dumps(dict(value))
    except (TypeError, ValueError):
        raise InvalidArgument(name, "must be a JSON object, its names texts") from None
    if _holds_no_number(value):
        raise InvalidArgument(name, "holds NaN or an infinity, which JSON lacks")
    checked: dict[str, Any] = orjson.loads(text)
    return checked


def _holds_no_number(value: object) -> bool:
    """Whether a value that JSON can hold has a number in it that JSON lacks."""
    if isinstance(value, float):
        return not isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_holds_no_number, value.values()))
    return isinstance(value, list | tuple) and any(map(_holds_no_number, value))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_sort(value: object) -> str:
    if not isinstance(value, str) or value.removeprefix("-") not in SORT_FIELDS:
        raise InvalidArgument("sort", f"may be {', '.join(SORT_FIELDS)}, with a - before it for descending order")
    return value


def _read_when(value: When, name: str) -> datetime:
    try:
        instant = parse_date(value if isinstance(value, datetime | str) else value.isoformat(), name)
    except (ConfigError, AttributeError):
        instant = None
    if instant is None:
        raise InvalidArgument(name, "is no date: write 2025-02-03 or 2025-02-03T10:30:00Z, or give a datetime")
    return instant


def _read_range(date_range: DateRange) -> dict[str, str]:
    try:
        start, end = (date_range["start"], date_range["end"]) if isinstance(date_range, Mapping) else tuple(date_range)
    except (KeyError, TypeError, ValueError):
        raise InvalidArgument("date_range", "must be a start and an end") from None
    if _read_when(start, "date_range") > _read_when(end, "date_range"):
        raise InvalidArgument("date_range", "ends before it begins")
    return {"start": _show_when(start), "end": _show_when(end)}


def _show_when(value: When) -> str:
    return value if isinstance(value, str) else value.isoformat()


def _drop_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
