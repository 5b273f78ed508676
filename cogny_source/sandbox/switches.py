"""Switches: every way in which the sandbox can misbehave, checked whenever one is set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any

RESOURCE_NAMES = frozenset({"tickets", "reports", "warehouses"})
EVERY_FILTER = "*"
ORDERS = ("oldest_first", "newest_first", "least_recently_updated_first", "recently_updated_first")

_UNFILTERED: Mapping[str, frozenset[str]] = MappingProxyType({"warehouses": frozenset({EVERY_FILTER})})
_UNSORTED: Mapping[str, str] = MappingProxyType({"warehouses": "oldest_first"})

Check = Callable[[Any], Any]


@dataclass
class Switches:
    """The behaviour of a sandbox. Every assignment is checked and raises ValueError if the value is invalid.

    Probabilities lie between 0 and 1. Whether a fault occurs depends on `fault_seed` and the number of the request
    (or the id of the row) alone.
    """

    fault_seed: int = 0
    """What the chance of the faults begins with."""

    # Faults of a request.
    away: bool = False
    """Every request answers an HTML page with status 521."""
    away_requests: int = 0
    """The next so many requests do; the switch counts down to 0, and the outage is over."""
    reset: float = 0.0
    """The connection is reset before an answer."""
    stall: float = 0.0
    """The answer comes `stall_seconds` late."""
    stall_seconds: float = 30.0
    """How late that is."""
    html_502: float = 0.0
    """An HTML page with status 502."""
    html_504: float = 0.0
    """An HTML page with status 504."""
    html_521: float = 0.0
    """An HTML page with status 521."""
    html_524: float = 0.0
    """An HTML page with status 524."""
    error_500: float = 0.0
    """A 500 in the API's envelope."""
    rate_limited: float = 0.0
    """429 out of the blue, whatever the key."""
    empty_200: float = 0.0
    """200 with an empty body."""
    empty_list: float = 0.0
    """200 with no rows and no pagination, as if there were none."""
    success_false: float = 0.0
    """200 with `"success": false` and a code that no page documents."""
    cut_short: float = 0.0
    """The body ends before its Content-Length."""
    dribble: float = 0.0
    """The body comes in small pieces, and takes `stall_seconds`."""
    latency_seconds: float = 0.0
    """How long each answer takes."""

    # Faults that strike a write: it takes effect, and its answer is lost.
    lost_reset: float = 0.0
    """The connection is reset."""
    lost_504: float = 0.0
    """The edge answers 504 in the API's place."""
    lost_524: float = 0.0
    """The edge answers 524 in the API's place."""
    lost_cut: float = 0.0
    """The body ends before its Content-Length."""
    lost_empty: float = 0.0
    """200 without a body."""

    # Keys, rate limits and headers.
    revoked_after_requests: int | None = None
    """Once the server has answered so many requests, every key is refused with 401."""
    requests_per_minute: int | None = None
    """A limit for every key but test keys, in place of the key's own."""
    window_seconds: float = 60.0
    """The length of the rate limit's window."""
    batch_requests_per_minute: int = 10
    """The limit of bulk updates and exports, counted for themselves; test keys have none."""
    retry_after: str = "seconds"
    """How a 429 tells when to come back: `seconds`, `date` or `none`."""
    retry_after_seconds: int = 1
    """What a 429 out of the blue asks for."""
    rate_headers: bool = True
    """Whether answers have `X-RateLimit-Remaining` and `X-RateLimit-Reset`."""
    date_header: bool = True
    """Whether answers have `Date`."""
    meta_timestamp: bool = True
    """Whether the envelope tells the server's clock."""
    clock_offset_seconds: float = 0.0
    """How far the clock that the server tells is ahead of the world's."""

    # Listings.
    ignored_filters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Resource to the parameters it ignores; `*` stands for all. Warehouses ignore all unless named here."""
    ignored_sorts: Mapping[str, str] = field(default_factory=dict)
    """Resource to the order in which it comes instead: `oldest_first` or `newest_first` by creation,
    `least_recently_updated_first` or `recently_updated_first` by update, under which rows move as they change."""
    pagination_omitted: frozenset[str] = frozenset({"warehouses"})
    """Resources that come whole, without `pagination`."""
    single_rows: bool = True
    """Whether a row can be asked for by its id; else there is no such path."""
    lists_frozen: bool = False
    """Lists come as they were when the switch was thrown, as from a copy that lags; single rows are up to date."""
    inclusive_bounds: bool = False
    """Whether `created_after` and the like include their instant."""
    total_count: bool = True
    """Whether lists count their rows."""
    total_count_unfiltered: bool = False
    """`total_count` counts all rows of the resource, whatever the filters."""
    total_count_surplus: int = 0
    """By how many rows `total_count` exceeds what is listed."""
    cursor_kind: str = "keyset"
    """`keyset` (time and id of the last row), `row` (its id alone, which may have gone or moved) or `offset`."""
    shuffled_ties: bool = False
    """Rows of one timestamp come in another order with each request, as from a database without a second sort field."""
    cursor_lifetime_pages: int | None = None
    """How often the cursors of one listing work before they have expired."""
    repeat_cursor: bool = False
    """`next_cursor` never advances: the second page comes for ever."""
    missing_cursor: bool = False
    """`has_more` is true without `next_cursor`."""
    endless: bool = False
    """Fresh cursors for ever, and the rows of the first page with each."""
    churn_per_page: int = 0
    """How many rows change after each page."""
    churn_creates_per_page: int = 0
    """How many rows are created after each page."""
    churn_deletes_per_page: int = 0
    """How many rows are deleted after each page."""

    # Writes, and reports that are being made.
    report_seconds: float = 5.0
    """How long a report takes, in seconds."""
    failing_reports: float = 0.0
    """The share of them that fails."""
    max_unfinished_reports: int | None = None
    """With so many unfinished, another one is refused with 429."""
    metadata_dropped: bool = False
    """The metadata of a new report is not kept."""
    listed_after_seconds: float = 0.0
    """A new report is missing in lists for so long; its own answer is there at once."""
    unready_content_status: int = 404
    """What the content of a report that is not completed answers with: 404 or 400."""
    stream_event_ids: bool = True
    """Whether events carry ids, and a stream goes on after `Last-Event-ID`."""
    stream_drops_after_events: int | None = None
    """Each stream is cut after so many events."""
    stream_stalls_after_events: int | None = None
    """After so many events nothing comes for `stall_seconds`; then the stream is cut."""

    # Faults of a row.
    undeclared_fields: bool = False
    """Whether rows have fields that no page documents."""
    impact_as_string: float = 0.0
    """`estimated_impact` is a text."""
    bad_timestamps: float = 0.0
    """`updated_at` is a text that nobody can read."""
    misfits: float = 0.0
    """Lists where text is declared, numbers as text, text where a list is declared."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Check and set one switch.

        Raises:
            ValueError: If there is no such switch, or the value is invalid.
        """
        if name not in _CHECKS:
            raise ValueError(f"no switch is named {name!r}")
        try:
            super().__setattr__(name, _CHECKS[name](value))
        except (TypeError, ValueError) as exc:
            raise ValueError(f"switch {name}: {exc}") from exc

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set several switches, or none if one of them is wrong.

        Raises:
            ValueError: If a name or a value is invalid.
        """
        trial = Switches(**self.as_dict())
        for name, value in changes.items():
            setattr(trial, name, value)
        for name in changes:
            setattr(self, name, getattr(trial, name))

    def as_dict(self) -> dict[str, Any]:
        """Every switch as plain JSON values."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def ignores_filter(self, resource: str, name: str) -> bool:
        """Whether a resource ignores a filter."""
        ignored = self.ignored_filters.get(resource, _UNFILTERED.get(resource, frozenset()))
        return EVERY_FILTER in ignored or name in ignored

    def forced_order(self, resource: str) -> str | None:
        """The order in which a resource comes whatever `sort` says, or None if it honours `sort`."""
        return self.ignored_sorts.get(resource, _UNSORTED.get(resource))


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _number(value: Any, most: float = 1e9, least: float = 0.0) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{value!r} is no number between {least:g} and {most:g}")
    return float(value)


def _probability(value: Any) -> float:
    return _number(value, 1.0)


def _offset(value: Any) -> float:
    return _number(value, 1e9, -1e9)


def _window(value: Any) -> float:
    return _number(value, least=0.001)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _count_or_none(value: Any) -> int | None:
    return None if value is None else _count(value)


def _status(value: Any) -> int:
    if isinstance(value, bool) or value not in (400, 404):
        raise ValueError(f"{value!r} is neither 400 nor 404")
    return int(value)


def _one_of(*choices: str) -> Check:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{value!r} is none of {', '.join(choices)}")
        return str(value)

    return check


_ORDER = _one_of(*ORDERS)


def _names(value: Any) -> frozenset[str]:
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{value!r} is no list of names")
    return frozenset(value)


def _resources(value: Any) -> frozenset[str]:
    names = _names(value)
    if not names <= RESOURCE_NAMES:
        raise ValueError(f"no resource is named {', '.join(sorted(names - RESOURCE_NAMES))}")
    return names


def _filters(value: Any) -> dict[str, frozenset[str]]:
    _resources(value)
    return {resource: _names(names) for resource, names in dict(value).items()}


def _orders(value: Any) -> dict[str, str]:
    names = _resources(value)
    if not isinstance(value, Mapping):
        return dict.fromkeys(sorted(names), "oldest_first")
    return {resource: _ORDER(order) for resource, order in value.items()}


def _check_of(default: Any) -> Check:
    if isinstance(default, bool):
        return _flag
    if isinstance(default, float):
        return _probability
    return _count


_CHECKS: dict[str, Check] = {
    item.name: _check_of(item.default) for item in fields(Switches) if item.default is not MISSING
}
_CHECKS |= {
    "fault_seed": _seed,
    "stall_seconds": _number,
    "latency_seconds": _number,
    "revoked_after_requests": _count_or_none,
    "requests_per_minute": _count_or_none,
    "cursor_lifetime_pages": _count_or_none,
    "window_seconds": _window,
    "report_seconds": _number,
    "listed_after_seconds": _number,
    "max_unfinished_reports": _count_or_none,
    "stream_drops_after_events": _count_or_none,
    "stream_stalls_after_events": _count_or_none,
    "unready_content_status": _status,
    "clock_offset_seconds": _offset,
    "retry_after": _one_of("seconds", "date", "none"),
    "cursor_kind": _one_of("keyset", "row", "offset"),
    "pagination_omitted": _resources,
    "ignored_filters": _filters,
    "ignored_sorts": _orders,
}
