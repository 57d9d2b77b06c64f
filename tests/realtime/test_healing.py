"""What was missed is read from a real record: in order, bounded, and not waited for too long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.db import OperationalError

from observability import blocking
from predictions import record
from predictions.documents import PredictionDocument
from realtime import healing
from realtime.batches import update_of
from realtime.protocol.requests import Since
from realtime.recent import Recent
from tests.realtime.peers import EPOCH, LATER_EPOCH, document

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


async def append(*rows: PredictionDocument) -> None:
    """Put rows into the record."""
    await blocking.run(record.append, rows)


RECORDED = [document(seq, "MSFT" if seq % 3 == 0 else "AAPL") for seq in range(1, 8)]


async def test_everything_after_a_place_is_read_in_order_and_of_all_symbols() -> None:
    await append(*RECORDED, document(1, "IBM", epoch=LATER_EPOCH))
    found = await healing.read_missed((EPOCH, 4), most=100)
    assert found == [update_of(one) for one in (*RECORDED[4:], document(1, "IBM", epoch=LATER_EPOCH))]
    assert await healing.read_missed((LATER_EPOCH, 1), most=100) == []
    everything = await healing.read_missed(("", 0), most=100)
    assert everything is not None
    assert [one.place for one in everything][-2:] == [(EPOCH, 7), (LATER_EPOCH, 1)]


async def test_more_than_is_wanted_is_none() -> None:
    await append(*RECORDED)
    found = await healing.read_missed((EPOCH, 0), most=7)
    assert found is not None
    assert len(found) == 7
    assert await healing.read_missed((EPOCH, 0), most=6) is None


async def test_a_record_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "_AGAIN_S", 0.0)
    await append(*RECORDED)
    after, failures = record.after, [OperationalError("away"), OperationalError("starting up")]

    def fail_first(*args: Any, **kwargs: Any) -> list[PredictionDocument]:
        if failures:
            raise failures.pop()
        return after(*args, **kwargs)

    monkeypatch.setattr(record, "after", fail_first)
    found = await healing.read_missed((EPOCH, 6), most=100)
    assert found == [update_of(RECORDED[6])]


async def test_the_live_flow_does_not_wait_for_a_record_that_stays_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: Any, **kwargs: Any) -> list[PredictionDocument]:
        raise OperationalError("away")

    monkeypatch.setattr(healing, "_PATIENCE_S", 0.02)
    monkeypatch.setattr(healing, "_AGAIN_S", 0.001)
    monkeypatch.setattr(record, "after", fail)
    async with asyncio.timeout(5):
        assert await healing.read_missed((EPOCH, 6), most=100) is None


async def test_a_memory_begins_with_the_last_updates_and_covers_from_the_first_of_them() -> None:
    await append(*RECORDED)
    recent = Recent(100)
    await healing.fill(recent, most=4)
    assert (recent.place, recent.complete_after, len(recent)) == ((EPOCH, 7), 3, 4)
    assert recent.after(Since(EPOCH, 4), ["AAPL", "MSFT"]) == [update_of(one) for one in RECORDED[4:]]
    assert [recent.covers("IBM", Since(EPOCH, seq)) for seq in (2, 3)] == [False, True]
    assert recent.newest("MSFT") == update_of(RECORDED[5])


async def test_a_memory_begins_with_the_present_life_of_the_stream_alone() -> None:
    await append(*RECORDED, *[document(seq, "IBM", epoch=LATER_EPOCH) for seq in (5, 6)])
    recent = Recent(100)
    await healing.fill(recent, most=6)
    assert (recent.place, recent.complete_after, len(recent)) == ((LATER_EPOCH, 6), 4, 2)
    assert recent.newest("AAPL") is None


async def test_an_empty_record_leaves_the_memory_as_it_is() -> None:
    recent = Recent(100)
    await healing.fill(recent, most=6)
    assert (recent.place, len(recent)) == (("", 0), 0)


@pytest.mark.parametrize("failure", [OperationalError("away"), TimeoutError()])
async def test_a_process_starts_without_the_last_updates_where_the_record_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    def fail(limit: int) -> list[PredictionDocument]:
        raise failure

    monkeypatch.setattr(record, "last", fail)
    recent = Recent(100)
    await healing.fill(recent, most=6)
    assert len(recent) == 0
    assert "starting without the last updates" in caplog.text
