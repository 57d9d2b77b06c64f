"""What a peer has is not repeated to it, and what it cannot have is not passed over."""

from __future__ import annotations

import pytest

from realtime.known import Known
from realtime.protocol.messages import Gap
from tests.realtime.peers import EPOCH, LATER_EPOCH, update


@pytest.mark.parametrize(
    ("known", "until"),
    [(Known(EPOCH, 5), 5), (Known(EPOCH, 5, frozenset({7, 9})), 9), (Known(EPOCH, 5, may_miss=True), 5)],
)
def test_what_is_beyond_all_of_it_is_news(known: Known, until: int) -> None:
    assert known.until == (EPOCH, until)


def test_it_has_what_it_was_told_and_what_lies_before_its_place() -> None:
    known = Known(EPOCH, 5, frozenset({7, 9}))
    assert [known.has(update(seq), heard=seq - 1) for seq in (3, 5, 6, 7, 8, 9)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


def test_it_does_not_have_what_came_late_once_its_place_had_been_told() -> None:
    known = Known(EPOCH, 5, frozenset({7}))
    assert [known.has(update(3), heard=heard) for heard in (4, 5, 6)] == [True, False, False]
    assert known.has(update(7), heard=9)


def test_of_lives_it_has_the_earlier_ones() -> None:
    assert Known(LATER_EPOCH, 1).has(update(9), heard=8)
    assert not Known(EPOCH, 9).has(update(1, epoch=LATER_EPOCH), heard=0)


@pytest.mark.parametrize(("seq", "around"), [(6, (5, 7)), (8, (7, 9))])
def test_what_comes_behind_something_that_was_told_lies_in_a_gap(seq: int, around: tuple[int, int]) -> None:
    assert Known(EPOCH, 5, frozenset({7, 9})).gap_around(update(seq)) == Gap("AAPL", *around, EPOCH)
