"""What the rows of a listing say about its order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cogny_source.extract.order_proof import PROOF_PAGES, OrderProof, OrderState
from cogny_source.windows import Order

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: int | None) -> datetime | None:
    """An instant so many seconds after the start."""
    return None if second is None else START + timedelta(seconds=second)


def observed(*pages: Sequence[int | None]) -> OrderProof:
    """The proof after some pages, each given by its rows' seconds."""
    proof, run = OrderProof(), Order()
    for page in pages:
        proof.observe(map(at, page), run)
    return proof


@pytest.mark.parametrize(
    ("pages", "first", "last", "state"),
    [
        ([], None, None, OrderState.UNPROVEN),
        ([[None, None]], None, None, OrderState.UNPROVEN),
        ([[5, 5], [5]], 5, 5, OrderState.UNPROVEN),
        ([[5, None], [6]], 5, 6, OrderState.OPEN),
        ([[5, 6], [4]], 5, 6, OrderState.UNPROVEN),
    ],
)
def test_rows_alone_never_prove_the_order(
    pages: list[list[int | None]], first: int | None, last: int | None, state: OrderState
) -> None:
    """Rows of several instants in ascending order are worth the question; all others are not."""
    proof = observed(*pages)
    assert (proof.first, proof.last, proof.state) == (at(first), at(last), state)
    assert (proof.is_proven, proof.is_honoured, proof.newest) == (False, False, None)


@pytest.mark.parametrize(
    ("newest", "came_before", "answer", "state"),
    [
        (9, False, True, OrderState.PROVEN),
        (6, False, True, OrderState.PROVEN),
        (5, False, False, OrderState.UNPROVEN),
        (5, True, False, OrderState.UNPROVEN),
        (None, False, False, OrderState.UNPROVEN),
        (9, True, None, OrderState.UNPROVEN),
    ],
)
def test_newest_row_decides(newest: int | None, came_before: bool, answer: bool | None, state: OrderState) -> None:
    """An older row shows another order, one that came before shows nothing, any other proves the order."""
    proof = observed([5, 6])
    assert proof.judge(at(newest), came_before=came_before) is answer
    assert (proof.state, proof.can_be_asked) == (state, False)
    assert proof.newest == (None if answer is False else at(newest))


def test_open_question_is_put_again_some_pages_later() -> None:
    """Where the newest row had come before, as many pages pass as make a listing worth the first question."""
    proof, run = observed([5, 6]), Order()
    proof.judge(at(9), came_before=True)
    asked = []
    for second in range(PROOF_PAGES):
        proof.observe([at(10 + second)], run)
        asked.append(proof.can_be_asked)
    assert asked == [False] * (PROOF_PAGES - 1) + [True]
    assert proof.judge(at(100), came_before=False) is True


def test_broken_order_is_not_proven_by_an_answer() -> None:
    """Once a row was older than one before it, the sort may be honoured, and the listing cannot be resumed."""
    proof = observed([5, 6], [4])
    assert proof.can_be_asked
    assert proof.judge(at(9), came_before=False) is True
    assert (proof.is_honoured, proof.is_proven, proof.state) == (True, False, OrderState.UNPROVEN)


def test_new_run_may_begin_before_the_last_row() -> None:
    """A listing that is taken up is compared with itself: its first rows are older than the last ones read."""
    proof = observed([5, 9])
    proof.observe([at(6), at(7)], Order())
    assert (proof.ascending, proof.last, proof.pages) == (True, at(9), 2)


@pytest.mark.parametrize(("broken", "state"), [(False, OrderState.PROVEN), (True, OrderState.OPEN)])
def test_proof_is_handed_on_only_where_it_stands(broken: bool, state: OrderState) -> None:
    """A listing of a part trusts the proof of the whole, unless its rows broke the order."""
    whole, part = observed([5, 6]), observed([1, 2])
    whole.judge(at(9), came_before=False)
    whole.observe([at(7), at(4)] if broken else [at(7)], Order())
    part.trust(whole)
    assert part.state is state


@pytest.mark.parametrize(("start", "passed"), [(None, True), (4, True), (6, False), (7, False)])
def test_place_is_passed_only_by_a_later_instant(start: int | None, passed: bool) -> None:
    """Taken up at its last timestamp, a listing that shares it with its start has come nowhere."""
    assert observed([5, 6]).has_passed(at(start)) is passed
    assert not observed([None]).has_passed(at(start))
