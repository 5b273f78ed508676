"""Figures on tickets and reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from cogny_source.dashboard.axes import linear, name_span, spans
from cogny_source.dashboard.charts import Bar, Range, bars, columns, grid, labels_below, opposed_columns, ranges
from cogny_source.dashboard.figure import Figure
from cogny_source.dashboard.report_metrics import LASTED_MINUTES, UNFINISHED, Outcomes
from cogny_source.dashboard.report_metrics import STATUSES as REPORT_STATUSES
from cogny_source.dashboard.ticket_metrics import AGES_DAYS, EFFORTS, STATUSES, Group, Tickets, Week
from cogny_source.destinations.portable_sql import NOT_GIVEN, OTHER, Spread, instant
from cogny_source.formatting import BLANK, count, day, excerpt, listing, minute, per_cent, short_number, span

RANKS = ("a tenth at most", "a quarter at most", "half at most", "three quarters at most", "nine tenths at most")
OTHERS = "all others"
# As many as fit beside the figures on a phone.
NAME_CHARACTERS = 20
SPREAD = "dot: median, box: middle half, line: all but the lowest and the highest tenth"


def make_ticket_figures(tickets: Tickets | None) -> list[Figure]:
    """Figures on tickets; none without tickets."""
    if tickets is None or not tickets.statuses:
        return []
    return [
        _draw_weeks(tickets),
        _draw_ages(tickets),
        _draw_impacts(tickets),
        _draw_visits(tickets),
        _draw_groups(tickets),
    ]


def make_report_figures(outcomes: Outcomes | None) -> list[Figure]:
    """Figures on reports; none without reports."""
    if outcomes is None or not outcomes.statuses:
        return []
    return [_draw_outcomes(outcomes), _draw_lasted(outcomes)]


def _draw_weeks(tickets: Tickets) -> Figure:
    title = "Opened against closed"
    weeks = tickets.weeks
    mondays = [instant(week.start) for week in weeks]
    rows = [
        (minute(monday).partition(",")[0], count(week.opened), "–" if week.closed is None else count(week.closed))
        for monday, week in zip(mondays, weeks, strict=True)
    ]
    if not any(week.opened or week.closed for week in weeks):
        return Figure("weeks", title, f"No ticket was opened or closed in the last {len(weeks)} weeks.")
    how = "its last change, as no history is kept"
    if tickets.undated is not None:
        how = (
            "the first version in the history since which it is completed or dismissed; one that was closed when the"
            f" first sync saw it ({tickets.undated:,} of them) was closed nobody knows when, and is left out"
        )
    note = f"By week from Monday, UTC; the last one is not over. A ticket that is closed now counts as closed at {how}."
    scale = linear([value for week in weeks for value in (week.opened, week.closed or 0)], 2, whole=True)
    parts = [
        opposed_columns(
            [week.opened for week in weeks], [week.closed for week in weeks], scale, titles=("opened", "closed")
        ),
        labels_below([day(monday) for monday in mondays if monday is not None], 228),
    ]
    figure = Figure("weeks", title, _read_weeks(weeks), ("week from (UTC)", "opened", "closed"), rows, note)
    axes = "↑ tickets opened · ↓ tickets closed · → weeks, from Monday"
    return figure.illustrate(parts, 234, axes + (" · grey: before the first sync" if weeks[0].closed is None else ""))


def _read_weeks(weeks: Sequence[Week]) -> str:
    """The statement on the weeks in which closings are known."""
    seen = [week for week in weeks if week.closed is not None]
    opened, closed = sum(week.opened for week in seen), sum(week.closed or 0 for week in seen)
    change = opened - closed
    trend = f"{abs(change):,} {'more' if change > 0 else 'fewer'}" if change else "as many"
    since = f"In {count(len(seen), 'week')}{'' if len(seen) == len(weeks) else ' since the first sync'}"
    reading = f"{since} {count(opened, 'ticket')} {_were(opened)} opened and {closed:,} closed: {trend}"
    return reading + (" are open than before." if change else " are open as before.")


def _draw_ages(tickets: Tickets) -> Figure:
    title = "Age of open tickets"
    if not tickets.ages:
        return Figure("ages", title, "No dated ticket is open or in progress.")
    total = sum(sum(counts) for counts in tickets.ages.values())
    old = {name: sum(counts[3:]) for name, counts in tickets.ages.items()}
    older = sum(old.values())
    of_all = f"{count(total, 'ticket')} open or in progress"
    reading = f"{older:,} of {of_all} {_are(older)} {AGES_DAYS[2]} days old or older"
    reading += f", {old.get('critical', 0):,} of them critical." if older else "."
    headings = _name_classes(AGES_DAYS)
    rows = [(name, *(count(value) for value in counts)) for name, counts in tickets.ages.items()]
    note = "Each ticket that is neither completed nor dismissed. The more a cell holds, the stronger its colour."
    figure = Figure("ages", title, reading, ("priority", *(f"{name} d" for name in headings)), rows, note)
    parts = [grid(list(tickets.ages.items()), headings)]
    return figure.illustrate(parts, 24 + 34 * len(rows), "↓ priority · → days since they were created")


def _draw_groups(tickets: Tickets) -> Figure:
    title = "Where open tickets are"
    known = {kind: groups for kind, groups in tickets.groups.items() if groups}
    if not known:
        return Figure("groups", title, "No ticket is open or in progress.")
    total = sum(group.tickets for group in next(iter(known.values())))
    firsts = [f"{kind} {_name_group(groups[0])} ({groups[0].tickets:,})" for kind, groups in known.items()]
    reading = f"Of {count(total, 'ticket')} open or in progress most are in {listing(firsts)}."
    rows = [
        (f"{kind}: {group.name or OTHERS}", count(group.tickets), count(group.urgent))
        for kind, groups in known.items()
        for group in groups
    ]
    items = [
        Bar(f"{kind}: {_name_group(group)}", group.tickets, f"{group.tickets:,} · {group.urgent:,} urgent")
        for kind, groups in known.items()
        for group in groups
    ]
    note = "Urgent is a critical or high priority. Of each kind the largest are shown, and all others together."
    figure = Figure("groups", title, reading, ("", "tickets", "urgent"), rows, note)
    return figure.illustrate([bars(items, total)], 44 * len(items), "→ share of all tickets open or in progress")


def _name_group(group: Group) -> str:
    return OTHERS if group.name is None else excerpt(group.name, NAME_CHARACTERS)


def _draw_impacts(tickets: Tickets) -> Figure:
    title = "Projected impact against effort"
    if not tickets.impacts:
        return Figure("impacts", title, "No open ticket has a projected increase.")
    kinds = _sort(tickets.impacts, EFFORTS)
    middles = [f"{per_cent(tickets.impacts[kind].median)} {_with_effort(kind)}" for kind in kinds]
    reading = f"The median open ticket promises {listing(middles)}."
    scale = linear([value for kind in kinds for value in tickets.impacts[kind].ranks])
    items = [
        _range(_with_effort(kind).removeprefix("with "), tickets.impacts[kind], per_cent, "ticket") for kind in kinds
    ]
    note = (
        "The increase is that of the metric each ticket names. Metrics differ in what a per cent is worth, and of some,"
        " such as churn, less is better."
    )
    figure = Figure(
        "impacts", title, reading, ("effort", "tickets", *RANKS), _tell(tickets.impacts, kinds, per_cent), note
    )
    parts = [ranges(items, scale, short_number)]
    return figure.illustrate(parts, 52 * len(items) + 20, f"↓ effort · → projected increase in per cent · {SPREAD}")


def _draw_visits(tickets: Tickets) -> Figure:
    title = "Time in a status"
    if tickets.visits is None:
        return Figure("visits", title, "No history is kept, so that nothing tells how long a ticket was in a status.")
    if not tickets.visits:
        return Figure("visits", title, "No sync has seen a ticket leave a status yet.")
    kinds = _sort(tickets.visits, STATUSES)
    told = [f"{_plain(kind)} {span(tickets.visits[kind].median)}" for kind in kinds]
    reading = f"Half of the stays that ended lasted at most: {listing(told)}."
    scale = spans([value for kind in kinds for value in tickets.visits[kind].ranks])
    items = [_range(_plain(kind), tickets.visits[kind], span, "stay") for kind in kinds]
    note = (
        "From the history: a stay begins with the first version seen in a status and ends with the next in"
        " another; what came and went between two syncs is not seen. Stays that go on are not counted, so that long"
        " ones are missing where the history is short."
    )
    figure = Figure("visits", title, reading, ("status", "stays", *RANKS), _tell(tickets.visits, kinds, span), note)
    parts = [ranges(items, scale, name_span)]
    axes = f"↓ status · → time, logarithmic · {SPREAD}"
    return figure.illustrate(parts, 52 * len(items) + 20, axes)


def _draw_outcomes(outcomes: Outcomes) -> Figure:
    title = "How reports ended"
    kinds = [kind for kind in _sort(outcomes.statuses, REPORT_STATUSES) if outcomes.statuses[kind]]
    total = outcomes.statuses.total()
    waiting = sum(outcomes.statuses[kind] for kind in UNFINISHED)
    ended, completed = total - waiting, outcomes.statuses["completed"]
    reading = f"{completed:,} of {count(ended, 'report')} that ended {_were(completed)} completed"
    reading += f" ({100 * completed / ended:.0f}{BLANK}%)" if ended else ""
    reading += f"; {waiting:,} {_are(waiting)} on the way." if waiting else "."
    looks = {"completed": "good", "failed": "bad"}
    items = [
        Bar(_plain(kind), number, f"{number:,} · {100 * number / total:.0f}{BLANK}%", looks.get(kind, "mark"))
        for kind, number in ((kind, outcomes.statuses[kind]) for kind in kinds)
    ]
    rows = [(bar.name, count(outcomes.statuses[kind])) for kind, bar in zip(kinds, items, strict=True)]
    figure = Figure("outcomes", title, reading, ("status", "reports"), rows)
    parts = [bars(items, total)]
    return figure.illustrate(parts, 44 * len(items), "↓ status · → share of all reports")


def _draw_lasted(outcomes: Outcomes) -> Figure:
    title = "How long reports took"
    if outcomes.spread is None:
        return Figure("lasted", title, "No report is completed with both its times.")
    half, most = outcomes.spread.median, outcomes.spread.ranks[-1]
    number = count(outcomes.spread.count, "completed report")
    reading = f"Half of {number} took at most {span(half)}, nine in ten {span(most)}."
    names = _name_classes(LASTED_MINUTES)
    items = [Bar(name, number, count(number)) for name, number in zip(names, outcomes.lasted, strict=True)]
    rows = [(bar.name, bar.told) for bar in items]
    note = "From when it was asked for to when it was completed."
    figure = Figure("lasted", title, reading, ("minutes", "reports"), rows, note)
    parts = [columns(items, linear(outcomes.lasted, 3, whole=True))]
    return figure.illustrate(parts, 162, "↑ reports · → minutes until completed")


def _name_classes(edges: Sequence[int]) -> list[str]:
    """The names of the classes between edges: `< 7`, `7–29`, `≥ 30`."""
    between = [f"{low}–{high - 1}" for low, high in pairwise(edges)]
    return [f"< {edges[0]}", *between, f"≥ {edges[-1]}"]


def _sort(kinds: Mapping[str, object], known: Sequence[str]) -> list[str]:
    return [kind for kind in (*known, OTHER, NOT_GIVEN) if kind in kinds]


def _plain(kind: str) -> str:
    return kind.replace("_", " ")


def _with_effort(kind: str) -> str:
    return "without an effort" if kind == NOT_GIVEN else f"with {kind} effort"


def _range(name: str, spread: Spread, tell: Callable[[float], str], noun: str) -> Range:
    return Range(name, spread.ranks, f"{tell(spread.median)} · {count(spread.count, noun)}")


def _tell(spreads: Mapping[str, Spread], kinds: Sequence[str], tell: Callable[[float], str]) -> list[tuple[str, ...]]:
    """The rows of a table of distributions."""
    return [
        (_plain(kind), count(spreads[kind].count), *(tell(value) for value in spreads[kind].ranks)) for kind in kinds
    ]


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
