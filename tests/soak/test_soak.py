"""Scenarios drawn by lot: whatever happened before, a quiet sync leaves tables that equal the API.

`make soak` plays 200; `SOAK_SEED=123 pytest tests/soak` plays one again. Kills of the script strike when the
machine comes to them; all else depends on the seed alone.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.scenario import Scenario

# Seeds below it are those of CI: short scenarios.
FIRST_LONG_SEED = 100
FIRST_SEED = int(os.environ.get("SOAK_FIRST_SEED", "1"))
SCENARIOS = int(os.environ.get("SOAK_SCENARIOS", "1"))
SEEDS = [int(os.environ["SOAK_SEED"])] if "SOAK_SEED" in os.environ else range(FIRST_SEED, FIRST_SEED + SCENARIOS)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_scenario_ends_exact(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After faults, kills, stops and other machines, a quiet sync leaves every cell as the API lists it."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "ERROR")
    Scenario(seed, tmp_path, steps=(2, 4) if seed < FIRST_LONG_SEED else (4, 9)).play()
