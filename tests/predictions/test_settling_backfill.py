"""Market times that run backwards, and what comes late among them: the same outcomes, and none waits long."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from predictions import settling
from predictions.documents import PredictionDocument
from predictions.models import Outcome
from tests.predictions.settled import append, predicted, settle_all

pytestmark = pytest.mark.django_db

MADE = datetime(2026, 1, 1, tzinfo=UTC)
MARKET = datetime(2012, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BACKFILLED = 6_000


def document(seq: int, made: timedelta, market: timedelta, symbol: str = "AAPL") -> PredictionDocument:
    return predicted(
        seq,
        made=MADE + made,
        market=MARKET + market,
        price=100.0 + seq % 997,
        predicted_price=101.0,
        horizon="1s",
        symbol=symbol,
    )


def settle(most: int, most_settled: int = 1_000) -> None:
    settle_all(now=MADE, most=most, most_settled=most_settled)


def test_market_times_that_run_backwards_keep_nobody_from_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look-up past all that was heard before would take far longer than the deadline."""
    monkeypatch.setattr(settling, "DEADLINE_S", 5.0)
    size = 1_000 if connection.vendor == "postgresql" else 250
    append([document(n, n * timedelta(milliseconds=1), -n * MINUTE) for n in range(BACKFILLED)])
    two_hours, second = timedelta(hours=2), timedelta(seconds=1)
    late = [
        document(BACKFILLED, -two_hours, -timedelta(days=365)),
        document(BACKFILLED + 1, -two_hours + second, timedelta(days=365)),
    ]
    append([*late, *(document(BACKFILLED + 2 + n, n * second, n * MINUTE, "MSFT") for n in range(3))])
    settle(size)
    assert Outcome.objects.filter(symbol="MSFT", settled_at=None).count() == 1
    settled = Outcome.objects.filter(symbol="AAPL").exclude(settled_at=None)
    assert settled.get().timestamp == late[0].timestamp
    assert settled.get().actual_price == document(BACKFILLED - 1, MINUTE, MINUTE).current_price
    append([document(BACKFILLED + 9, timedelta(days=1), MINUTE)])
    settle(size)
    assert Outcome.objects.filter(symbol="AAPL", settled_at=None).count() == 2
    assert (
        settled.filter(actual_price=document(BACKFILLED + 9, MINUTE, MINUTE).current_price).count()
        == BACKFILLED
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [1, 7, 300])
def test_in_whatever_order_they_come_the_outcome_is_the_first_price_there_was(seed: int, most: int) -> None:
    dice = random.Random(seed)
    moments = [timedelta(seconds=n) for n in range(300)]
    dice.shuffle(moments)
    documents = [
        document(n, moment, dice.randrange(40 + 400 * (seed % 2)) * timedelta(milliseconds=700))
        for n, moment in enumerate(moments)
    ]
    append(documents)
    settle(most, most_settled=50)
    known: dict[datetime, float | None] = {}
    for end in range(most, len(documents) + most, most):
        heard = documents[:end]
        for one in heard:
            if known.get(one.timestamp) is None:
                known[one.timestamp] = _first_price(one, heard)
    assert dict(Outcome.objects.values_list("timestamp", "actual_price")) == known


def _first_price(one: PredictionDocument, heard: list[PredictionDocument]) -> float | None:
    """The definition of an outcome, word for word."""
    due_at = (one.as_of or one.timestamp) + timedelta(seconds=1)
    prices = [
        (other.as_of or other.timestamp, other.timestamp, other.current_price)
        for other in heard
        if (other.as_of or other.timestamp) >= due_at and other.timestamp > one.timestamp
    ]
    return min(prices)[2] if prices else None
