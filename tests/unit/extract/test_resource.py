"""Which passes a resource needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import ConfigError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.plan import Plan
from cogny_source.extract.resource import choose_mode, read_resource
from cogny_source.windows import Window

DAY = datetime(2026, 1, 1, tzinfo=UTC)
YEAR_BEFORE = DAY.replace(year=2025)
LOADED = {"origin": "here", "updated_after": "2026-01-01T00:00:00Z"}
BEGUN = {"origin": "here", "backfill": {"windows": [[None, None]], "updated_after": None}}


@pytest.mark.parametrize(
    ("resource", "state", "plan", "mode"),
    [
        ("tickets", {}, Plan(), "backfill"),
        ("tickets", BEGUN, Plan(), "backfill"),
        ("tickets", LOADED, Plan(), "incremental"),
        ("tickets", LOADED | {"start_date": "2025-06-01T00:00:00Z"}, Plan(start_date=YEAR_BEFORE), "backfill"),
        ("tickets", LOADED, Plan(full_refresh=True), "refresh"),
        ("tickets", LOADED, Plan(window=Window(DAY, None)), "window"),
        ("warehouses", LOADED, Plan(full_refresh=True, window=Window(DAY, None)), "full"),
    ],
)  # fmt: skip
def test_mode_follows_from_state_and_plan(resource: str, state: dict[str, Any], plan: Plan, mode: str) -> None:
    """As `sync_runs` tells it."""
    assert choose_mode(ENDPOINTS[resource], state, plan) == mode


class Empty:
    """An API without rows."""

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """No row."""
        return Answer([], {"has_more": False, "total_count": 0}, DAY, None)


def context_of(resource: str) -> ReadContext:
    """Reading a resource of an API without rows."""
    return ReadContext(Empty(), ENDPOINTS[resource], Meter(), lambda: None, 1000)


@pytest.mark.parametrize(("full_refresh", "kept"), [(True, {}), (False, {"census": [1]})])
def test_full_refresh_of_a_full_table_forgets_all_but_its_origin(full_refresh: bool, kept: dict[str, Any]) -> None:
    """Whatever else its state noted."""
    state = {"origin": "here", "census": [1]}
    [chunk] = read_resource(context_of("warehouses"), state, Plan(full_refresh=full_refresh))
    assert chunk.state is not None
    assert {name: chunk.state[name] for name in chunk.state if name not in ("list_digest", "compared_at")} == {
        "origin": "here",
        **kept,
    }


@pytest.mark.parametrize(("days", "refused"), [(0, True), (-1, False), (1, True)])
def test_window_must_not_end_before_the_start_date(days: int, refused: bool) -> None:
    """Nothing would lie in it."""
    plan = Plan(window=Window(DAY - timedelta(days=9), DAY))
    state = LOADED | {"start_date": (DAY + timedelta(days=days)).isoformat()}
    if refused:
        with pytest.raises(ConfigError, match="name a start_date too"):
            list(read_resource(context_of("tickets"), state, plan))
    else:
        *_, last = read_resource(context_of("tickets"), state, plan)
        assert (last.state, last.last) == (state, True)
