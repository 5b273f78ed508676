"""Load ids that rise above those of a destination, whatever a machine's clock says."""

from __future__ import annotations

import time

import pytest
from dlt.common import time as dlt_time
from dlt.common.storages.load_package import create_load_id

from cogny_source.destinations.load_ids import rise_above

YEAR_SECONDS = 365 * 86_400


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let dlt forget the ids that this process has made."""
    monkeypatch.setattr(dlt_time.increasing_precise_time, "_last", 0.0)
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    return monkeypatch


@pytest.mark.parametrize("newest", ["1795847429.12", "1895847429.1234567", "1895847429.1234568", "1895847429"])
def test_ids_rise_above_others(newest: str, new_process: pytest.MonkeyPatch) -> None:
    """As texts, by which dlt orders them, however many decimals they have."""
    rise_above(["1.5", newest])
    ids = [create_load_id(), create_load_id()]
    assert newest < ids[0] < ids[1]


def test_ids_of_the_past_change_nothing(new_process: pytest.MonkeyPatch) -> None:
    """The clock counts where it is ahead of what is there."""
    rise_above([])
    rise_above([str(time.time() - YEAR_SECONDS)])
    assert float(create_load_id()) == pytest.approx(time.time(), abs=60)
