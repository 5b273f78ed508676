"""What a run has in mind: how many rows it marks as deleted without being asked."""

from __future__ import annotations

import pytest

from cogny_source.extract.plan import DeletionGuard, Plan, make_plan
from cogny_source.settings import Settings


@pytest.mark.parametrize(
    ("gone", "live", "refused"),
    [
        (0, 0, False), (0, 500, False), (9, 9, False), (10, 10, True), (49, 400, False), (50, 400, True),
        (50, 500, False), (51, 500, True), (99_999, 1_000_000, False), (100_001, 1_000_000, True),
    ],
)  # fmt: skip
def test_guard_refuses_a_tenth_and_all(gone: int, live: int, *, refused: bool) -> None:
    """More than a tenth and at least fifty, or all of ten and more; nothing once a person has accepted it."""
    assert DeletionGuard().refuses(gone, live) is refused
    assert not DeletionGuard(accepted=True).refuses(gone, live)
    assert not DeletionGuard(share=1.0, rows=1).refuses(gone, live + 1)


def test_settings_say_what_a_plan_says_by_itself() -> None:
    """The defaults of both are the same; what a person accepts and names is added."""
    settings = Settings("sk_test_sandbox", "http://localhost")
    assert make_plan(settings) == Plan()
    assert (Plan().full_refresh, Plan().verify, Plan().deletions.accepted) == (False, False, False)
    assert make_plan(settings, accept_deletions=True, verify=True) == Plan(
        verify=True, deletions=DeletionGuard(accepted=True)
    )
