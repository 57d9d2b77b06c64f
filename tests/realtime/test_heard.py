"""A lost batch is noticed by the next one of its bridge, and what is then read again misses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.batches import Batch, Place
from realtime.heard import Heard
from tests.realtime.peers import EPOCH, updates

NOTHING: Place = ("", 0)


def batch(bridge: str, number: int, *seqs: int) -> Batch:
    """A batch, or without updates a beat."""
    return Batch(bridge, number, updates(*seqs))


def hear(heard: Heard, told: Batch, newest: int = 0) -> int | None:
    """The number after which something may be missing, or None."""
    place = heard.hear(told, newest=(EPOCH, newest))
    return None if place is None else place[1]


def test_batches_that_follow_one_another_miss_nothing() -> None:
    heard = Heard()
    hear(heard, batch("a", 7, 1, 2))
    for told in (batch("a", 8, 3), batch("a", 8), batch("a", 9, 4, 5), batch("a", 9)):
        assert hear(heard, told, newest=5) is None


@pytest.mark.parametrize("told", [batch("a", 9, 7, 8), batch("a", 8), batch("a", 20, 90)])
def test_after_a_hole_everything_behind_the_last_batch_of_that_bridge_may_be_missing(told: Batch) -> None:
    heard = Heard()
    hear(heard, batch("a", 7, 1, 2))
    assert hear(heard, told, newest=50) == 2
    # It is told once: what comes next follows it.
    assert hear(heard, batch("a", told.number + 1, 91), newest=90) is None


def test_a_batch_that_comes_again_or_late_is_no_hole() -> None:
    heard = Heard()
    hear(heard, batch("a", 7, 1))
    hear(heard, batch("a", 8, 2), newest=1)
    for told in (batch("a", 7, 1), batch("a", 8, 2), batch("a", 6), batch("a", 9, 3)):
        assert hear(heard, told, newest=2) is None


def test_behind_an_unknown_bridge_everything_since_the_newest_update_may_be_missing() -> None:
    heard = Heard()
    assert hear(heard, batch("a", 3, 41, 42), newest=40) == 40
    assert len(heard) == 1


def test_behind_a_further_bridge_everything_since_the_least_of_the_others_may_be_missing() -> None:
    heard = Heard()
    hear(heard, batch("a", 1, 10))
    hear(heard, batch("b", 1, 30), newest=10)
    # Either may have died with a batch on its way; the third is the one that took its messages over.
    assert hear(heard, batch("c", 1, 11), newest=30) == 10


def test_a_beat_of_an_unknown_bridge_counts_from_the_newest_update() -> None:
    heard = Heard()
    assert hear(heard, batch("a", 0), newest=40) == 40
    assert hear(heard, batch("a", 2, 43), newest=40) == 40


def test_what_was_read_again_is_whole_whoever_was_to_tell_it() -> None:
    heard = Heard()
    hear(heard, batch("a", 1, 10))
    hear(heard, batch("b", 1, 30), newest=10)
    heard.whole_until((EPOCH, 20))
    assert hear(heard, batch("a", 3, 40), newest=30) == 20
    assert hear(heard, batch("b", 3, 41), newest=40) == 30


def test_what_was_read_again_for_one_bridge_says_nothing_of_what_another_has_told_before() -> None:
    heard = Heard()
    hear(heard, batch("a", 1, 10))
    hear(heard, batch("b", 1, 11), newest=10)
    hear(heard, batch("b", 2, 30), newest=11)
    # Batch 2 of a was lost, with 20 in it. What b has lost stands behind 30.
    assert hear(heard, batch("b", 4, 40), newest=30) == 30
    heard.whole_until((EPOCH, 40))
    assert hear(heard, batch("a", 3, 41), newest=40) == 10


def test_a_bridge_whose_first_batches_were_lost_is_read_from_where_all_was_whole() -> None:
    heard = Heard()
    hear(heard, batch("a", 1, 10), newest=9)
    heard.whole_until((EPOCH, 10))
    # Batch 1 of b was lost, with 11 in it.
    hear(heard, batch("a", 2, 12), newest=10)
    assert hear(heard, batch("b", 1), newest=12) == 10


def test_where_nobody_was_heard_of_nothing_is_whole() -> None:
    heard = Heard()
    heard.whole_until((EPOCH, 90))
    assert hear(heard, batch("a", 1, 10), newest=9) == 9


def test_the_number_of_bridges_that_are_remembered_is_bounded_and_the_silent_go_first() -> None:
    heard = Heard()
    hear(heard, batch("gone", 1, 1))
    hear(heard, batch("busy", 1, 2))
    for number in range(3, 200):
        hear(heard, batch(f"bridge {number}", 1, number), newest=number)
        assert hear(heard, batch("busy", number, number), newest=number) is None or number == 3
    assert len(heard) == 64
    assert hear(heard, batch("busy", 200, 200), newest=200) is None
    assert hear(heard, batch("gone", 2, 201), newest=200) is not None


BRIDGES = ["a", "b", "c"]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(BRIDGES), st.integers(min_value=0, max_value=3), st.booleans()), max_size=40
    )
)
def test_whatever_is_lost_is_behind_the_place_that_is_named(sent: list[tuple[str, int, bool]]) -> None:
    """Bridges take updates in turn, some batches are lost; of one that is heard nothing is missing."""
    heard = Heard()
    numbers = dict.fromkeys(BRIDGES, 0)
    told: dict[str, set[int]] = {bridge: set() for bridge in BRIDGES}
    known: set[int] = set()
    seq = 0
    for bridge, size, arrives in sent:
        seqs = range(seq + 1, seq + size + 1)
        seq += size
        numbers[bridge] += size > 0
        told[bridge].update(seqs)
        if arrives:
            place = heard.hear(
                batch(bridge, numbers[bridge], *seqs), newest=(EPOCH, max(known)) if known else NOTHING
            )
            known.update(seqs)
            if place is not None:  # read from the record, which has everything
                known.update(range(place[1] + 1, seq + 1))
                heard.whole_until((EPOCH, seq))
            assert told[bridge] <= known
