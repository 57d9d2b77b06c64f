"""The record on a real database: idempotent, newest first, and a fixed number of queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import DataError
from pytest_django import DjangoAssertNumQueries

from predictions import ingest, record
from predictions.documents import PredictionDocument

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


def document(seq: int, symbol: str = "AAPL", **changes: object) -> PredictionDocument:
    """A prediction made `seq` seconds after the start."""
    timestamp = START + timedelta(seconds=seq)
    made = PredictionDocument(
        symbol=symbol,
        predicted_price=100.0 + seq,
        current_price=0.1 + 0.2,
        confidence=0.5,
        horizon="1d",
        model_version="m",
        timestamp=timestamp,
        as_of=timestamp,
        seq=seq,
        epoch="e",
        features={"x": 0.1, "none": None, "text": "ä"},
    )
    return msgspec.structs.replace(made, **changes)


def test_what_was_appended_is_read_back_to_the_bit() -> None:
    written = document(1)
    assert record.append([written]) == [True]
    assert record.newest(["AAPL"]) == {"AAPL": written}
    page = record.history("AAPL", start=None, end=None, before=None, limit=10)
    assert page == [written]


def test_a_batch_costs_one_statement_whatever_its_size(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for size in (1, 500):
        batch = [document(seq + size, symbol=f"S{seq % 50}") for seq in range(size)]
        with django_assert_num_queries(1):
            assert all(record.append(batch))
    with django_assert_num_queries(0):
        assert record.append([]) == []


def test_a_message_that_comes_again_owns_its_row_and_a_rival_with_its_key_does_not() -> None:
    first = document(1)
    rival = msgspec.structs.replace(first, seq=9, predicted_price=7.0)
    other_life = msgspec.structs.replace(first, epoch="other")
    assert record.append([first, rival]) == [True, False]
    assert record.append([first, rival, other_life, document(2)]) == [True, False, False, True]
    assert record.newest(["AAPL"])["AAPL"].seq == 2


def test_the_newest_of_a_hundred_symbols_is_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    symbols = [f"S{number}" for number in range(100)]
    record.append([document(seq, symbol=symbol) for symbol in symbols[:99] for seq in (1, 3, 2)])
    with django_assert_num_queries(1):
        found = record.newest(symbols)
    assert sorted(found) == sorted(symbols[:99])
    assert {newest.seq for newest in found.values()} == {3}
    with django_assert_num_queries(0):
        assert record.newest([]) == {}


def test_what_was_the_newest_at_a_moment(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    record.append([document(seq, symbol=symbol) for symbol in ("AAPL", "MSFT") for seq in (10, 20, 30)])
    record.append([document(50, symbol="GOOG")])
    symbols = ["AAPL", "GOOG", "MSFT", "NONE"]
    for seconds, seq in ((10, 10), (19.999999, 10), (20, 20), (29, 20), (31, 30)):
        with django_assert_num_queries(1):
            found = record.newest(symbols, upto=START + timedelta(seconds=seconds))
        assert {name: newest.seq for name, newest in found.items()} == {"AAPL": seq, "MSFT": seq}
    assert record.newest(symbols, upto=START + timedelta(seconds=9)) == {}
    assert set(record.newest(symbols, upto=START + timedelta(days=9))) == {"AAPL", "MSFT", "GOOG"}


def test_of_two_models_at_the_same_moment_the_later_message_is_the_newest() -> None:
    early = document(1)
    late = msgspec.structs.replace(early, model_version="a", seq=2)
    record.append([late, early])
    assert record.newest(["AAPL"])["AAPL"].model_version == "a"
    page = record.history("AAPL", start=None, end=None, before=(early.timestamp, 2), limit=5)
    assert [row.model_version for row in page] == ["m"]


def test_a_document_that_the_database_refuses_costs_only_itself() -> None:
    too_long = "x" * 200
    batch = [document(seq) for seq in range(1, 6)]
    batch[2] = document(3, model_version=too_long)
    recorded = _record_outside_of_a_transaction(batch)
    assert recorded.own == [True, True, False, True, True]
    assert list(recorded.refused) == [2]
    assert "DataError" in recorded.refused[2]


def _record_outside_of_a_transaction(batch: list[PredictionDocument]) -> ingest.Recorded:
    """Each try in a savepoint, since the test itself runs in a transaction and the bridge does not."""
    from django.db import transaction

    original = record.append

    def append(documents: list[PredictionDocument]) -> list[bool]:
        with transaction.atomic():
            return original(documents)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "append", append)
        return ingest.record_batch(batch)


def test_the_database_does_refuse_what_the_test_above_relies_on() -> None:
    with pytest.raises(DataError):
        record.append([document(1, model_version="x" * 200)])


def test_exists() -> None:
    assert not record.exists("AAPL")
    record.append([document(1)])
    assert record.exists("AAPL")
