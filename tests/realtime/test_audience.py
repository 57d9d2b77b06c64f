"""Who follows a symbol is told on the terms on which it does, once."""

from __future__ import annotations

import pytest

from realtime.audience import Audience
from realtime.protocol.messages import Gap
from realtime.terms import PLAIN, Terms
from tests.realtime.peers import EPOCH, ManualAlarms, Reader, update, updates

SPECIAL = {
    "timing": Terms(timing=True),
    "filtered": Terms(min_confidence=0.6),
    "batch": Terms("batch", 0.5),
    "latest and filtered": Terms("latest", 0.5, min_move_pct=2.0),
}


@pytest.fixture
def alarms() -> ManualAlarms:
    """The time."""
    return ManualAlarms()


def follow(audience: Audience, alarms: ManualAlarms, terms: Terms = PLAIN) -> Reader:
    """A socket that follows AAPL on these terms."""
    reader = Reader(alarms)
    reader.follow("AAPL", terms=terms)
    audience.add(reader.connection, terms)
    return reader


def test_plain_followers_get_the_same_bytes_at_once_and_are_counted(alarms: ManualAlarms) -> None:
    audience = Audience()
    readers = [follow(audience, alarms) for _ in range(3)]
    assert audience.tell(update(1), alarms.now()) == 3
    assert [reader.wire.got for reader in readers] == [[update(1).frame]] * 3
    readers[0].wire.block()
    assert audience.tell(update(2), alarms.now()) == 2
    assert (audience.size, audience.last) == (3, update(2))


def test_without_plain_followers_nothing_is_written_at_once(alarms: ManualAlarms) -> None:
    audience = Audience()
    assert audience.tell(update(1), alarms.now()) == 0
    reader = follow(audience, alarms, SPECIAL["timing"])
    assert audience.tell(update(2), alarms.now()) == 0
    assert reader.seqs == [2]


def test_everyone_is_told_on_its_own_terms(alarms: ManualAlarms) -> None:
    audience = Audience()
    plain = follow(audience, alarms)
    special = {name: follow(audience, alarms, terms) for name, terms in SPECIAL.items()}
    latest = follow(audience, alarms, Terms("latest", 0.5))
    told = [
        update(1, confidence=0.6, move_pct=1.0),
        update(2, confidence=0.5, move_pct=2.0),
        update(3, confidence=0.6, move_pct=2.0),
        update(4, confidence=0.5, move_pct=1.0),
    ]
    for one in told:
        audience.tell(one, alarms.now())
    alarms.advance(0.01)
    assert plain.seqs == [1, 2, 3, 4]
    assert latest.seqs == [4]
    assert {name: reader.seqs for name, reader in special.items()} == {
        "timing": [1, 2, 3, 4],
        "filtered": [1, 3],
        "batch": [1, 2, 3, 4],
        "latest and filtered": [3],
    }


def test_who_gets_the_newest_is_marked_once_and_armed_again_when_it_was_sent(alarms: ManualAlarms) -> None:
    audience = Audience()
    reader = follow(audience, alarms, Terms("latest", 0.5))
    assert audience.armed == {reader.connection}
    for one in updates(1, 2):
        audience.tell(one, alarms.now())
        assert audience.armed == set()
    alarms.advance(0.01)
    assert audience.armed == {reader.connection}
    audience.tell(update(3), alarms.now())
    alarms.advance(1)
    assert reader.seqs == [2, 3]


def test_nobody_is_told_after_it_was_removed(alarms: ManualAlarms) -> None:
    audience = Audience()
    readers = [follow(audience, alarms, terms) for terms in (PLAIN, Terms("latest", 0.5), *SPECIAL.values())]
    for place, reader in enumerate(readers, start=1):
        audience.remove(reader.connection)
        assert audience.size == len(readers) - place
    audience.tell(update(1, confidence=1, move_pct=9), alarms.now())
    audience.tell_gap(Gap("AAPL", 1, 3, EPOCH), alarms.now())
    alarms.advance(1)
    assert [reader.frames for reader in readers] == [[]] * len(readers)


def test_a_gap_is_told_to_those_who_get_every_update(alarms: ManualAlarms) -> None:
    audience = Audience()
    plain, latest = follow(audience, alarms), follow(audience, alarms, Terms("latest", 0.5))
    special = {name: follow(audience, alarms, terms) for name, terms in SPECIAL.items()}
    audience.tell_gap(Gap("AAPL", 1, 3, EPOCH), alarms.now())
    alarms.advance(1)
    assert plain.gaps == [("AAPL", 1, 3)]
    assert latest.frames == []
    assert {name for name, reader in special.items() if reader.gaps} == {"timing", "filtered", "batch"}


def test_a_peer_that_goes_while_it_is_told_disturbs_nobody(alarms: ManualAlarms) -> None:
    audience = Audience()
    readers = [follow(audience, alarms) for _ in range(3)]
    for reader in readers[:2]:
        reader.connection.on_lost()
    assert audience.tell(update(1), alarms.now()) == 1
    audience.tell_gap(Gap("AAPL", 1, 3, EPOCH), alarms.now())
    assert readers[2].story == [1, (1, 3)]


def test_before_the_first_update_there_is_no_last(alarms: ManualAlarms) -> None:
    audience = Audience()
    reader = follow(audience, alarms, Terms("latest", 0.5))
    assert audience.take_last(reader.connection) is None
