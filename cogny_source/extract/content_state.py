"""The state of the contents of reports: which of them a dataset is to have, beside what its tables say.

Its members: `origin`, `since` (reports completed before it are left out; null for none), `mode` (the setting of the
last run), `fetched_all` (whether a run ever fetched those before `since` too), `refetch_through` (the newest load
before a reset: what it and earlier ones brought is fetched again), `a_minute` (how many the last run fetched a minute).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cogny_source.extract.state import State
from cogny_source.settings import Contents, Settings
from cogny_source.timestamps import format_instant, parse_instant

# With `new`, contents of this time before the first sync come too: a clock that is ahead must leave out none.
EARLIER = timedelta(days=1)
ALL, NEVER = "all", "never"
# The status of the reports that have a content.
COMPLETED = "completed"


@dataclass(frozen=True)
class ContentScope:
    """Which contents a dataset is to have.

    Attributes:
        mode: The setting.
        since: Reports that were completed before it, and were never asked for, are left out; None for all reports.
        refetch_through: Contents of this load and earlier ones are fetched again; None for none.
    """

    mode: Contents = "new"
    since: datetime | None = None
    refetch_through: str | None = None

    @classmethod
    def of(cls, state: State) -> ContentScope:
        """The scope by a state."""
        mode = state.get("mode", "new")
        since = None if mode == ALL else parse_instant(state.get("since"))
        return cls(mode, since, state.get("refetch_through"))


def begin_contents(state: State, settings: Settings, now: datetime) -> State | None:
    """The state to commit before contents are fetched with a setting for the first time; None if it is there.

    Args:
        state: The state of the contents in the destination; empty if there never were any.
        settings: The settings.
        now: The present (UTC).
    """
    if settings.contents == NEVER and not state:
        return None
    begun = {"origin": settings.origin, "since": format_instant(now - EARLIER), **state, "mode": settings.contents}
    if settings.contents == ALL:
        begun["fetched_all"] = True
    return None if begun == state else begun


def forget_contents(state: State, newest_load: str | None, *, rows_are_lost: bool) -> State:
    """The state with which all contents are fetched again.

    Args:
        state: The state of the contents.
        newest_load: The newest load in the destination; None without one.
        rows_are_lost: Whether the table of the contents is gone, so that only the state can tell that those of before
            `since` were there.
    """
    again = {} if newest_load is None else {"refetch_through": newest_load}
    since = {"since": None} if rows_are_lost and state.get("fetched_all") else {}
    return {**state, **since, **again}


def lower_contents(mine: State, theirs: State) -> State:
    """The state that claims no content which another writer wants fetched again, and leaves out none that it wants.

    Args:
        mine: The state of one writer.
        theirs: A state that another writer committed meanwhile.
    """
    if not mine or not theirs:
        return mine or theirs
    lowered = {**theirs, **mine}
    dates = [parse_instant(state["since"]) for state in (mine, theirs) if "since" in state]
    known = [date for date in dates if date is not None]
    lowered["since"] = format_instant(min(known)) if known and len(known) == len(dates) else None
    marks = [state["refetch_through"] for state in (mine, theirs) if "refetch_through" in state]
    return {**lowered, "refetch_through": max(marks)} if marks else lowered
