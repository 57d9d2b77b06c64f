"""A page of history, and what was missed, are what the rows say, whatever is asked for, by one query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from pytest_django import DjangoAssertNumQueries

from predictions import record
from predictions.documents import PredictionDocument

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(half_seconds: int) -> datetime:
    """A moment; every other one is a whole second, which SQLite writes in another form."""
    return START + timedelta(seconds=half_seconds / 2)


def document(seq: int, moment: datetime, model: str = "m", symbol: str = "AAPL") -> PredictionDocument:
    """A prediction."""
    return PredictionDocument(
        symbol=symbol,
        predicted_price=100.0,
        current_price=99.5,
        confidence=0.5,
        horizon="1d",
        model_version=model,
        timestamp=moment,
        as_of=moment,
        seq=seq,
        epoch="e",
        features={"x": 1},
    )


@pytest.fixture
def stored() -> list[PredictionDocument]:
    """What is in the record of AAPL, newest first: three models at each of ten moments."""
    documents = [document(3 * n + m, at(n), f"m{m}") for n in range(10) for m in range(3)]
    record.append([*documents, document(99, at(4), symbol="MSFT")])
    return sorted(documents, key=lambda one: one.order, reverse=True)


ENDS = (None, at(0), at(3), at(4), at(4) + timedelta(microseconds=1), at(20))
CURSORS = (None, (at(0), 0), (at(4), 13), (at(5), 0), (at(5), 2**62), (at(20), 0))


@pytest.mark.parametrize("before", CURSORS)
@pytest.mark.parametrize("limit", [1, 7, 1001])
def test_a_page_has_what_the_range_and_the_cursor_ask_for(
    stored: list[PredictionDocument],
    before: tuple[datetime, int] | None,
    limit: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for start in ENDS:
        for end in ENDS:
            expected = [
                one
                for one in stored
                if (start is None or one.timestamp >= start)
                and (end is None or one.timestamp <= end)
                and (before is None or one.order < before)
            ]
            with django_assert_num_queries(1):
                found = record.history("AAPL", start=start, end=end, before=before, limit=limit)
            assert found == expected[:limit]


def test_pages_follow_one_another_without_a_hole_or_a_repetition(stored: list[PredictionDocument]) -> None:
    pages: list[PredictionDocument] = []
    before = None
    while page := record.history("AAPL", start=None, end=None, before=before, limit=4):
        pages += page
        before = page[-1].order
    assert pages == stored


def test_features_are_left_in_the_database_unless_they_are_asked_for(
    stored: list[PredictionDocument],
) -> None:
    found = record.history("AAPL", start=None, end=None, before=None, limit=50, with_features=False)
    assert found == [msgspec.structs.replace(one, features=None) for one in stored]


@pytest.mark.parametrize("limit", [1, 5, 100])
def test_what_was_missed_is_what_came_after_the_seq_of_each_symbol(
    stored: list[PredictionDocument], limit: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    others = [document(100 + n, at(n), symbol="M SFT\"'") for n in range(4)]
    record.append([*others, document(300, at(1), symbol="IBM")])
    everything = sorted([*stored, *others], key=lambda one: one.seq or 0)
    for seen in ({"AAPL": 25, "M SFT\"'": 101}, {"AAPL": 0}, {"M SFT\"'": 2**62, "AAPL": 28}, {"NONE": 3}):
        expected = [one for one in everything if (one.seq or 0) > seen.get(one.symbol, 2**63)]
        with django_assert_num_queries(1):
            found = record.missed("e", seen, limit=limit)
        assert found == [msgspec.structs.replace(one, features=None) for one in expected[:limit]]
    assert record.missed("another", {"AAPL": 0}, limit=limit) == []
