"""A slice that is too slow becomes smaller, and one message that is too slow does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from observability import metrics
from predictions import settling
from predictions.models import Outcome
from predictions.settling import Place, SliceTooSlow
from realtime import settler
from realtime.settler import Pace, settle_at_pace
from tests.predictions.settled import append, predicted

pytestmark = pytest.mark.django_db

MADE = datetime(2026, 1, 1, tzinfo=UTC)
MARKET = datetime(2013, 2, 25, tzinfo=UTC)
LAST = Place("e", 8)


def put(symbol: str, seqs: range) -> None:
    """Messages `seqs` of `symbol`, a market day after each other; each is settled by the next."""
    append(
        predicted(seq, made=MADE + timedelta(seconds=seq), market=MARKET + timedelta(days=seq), symbol=symbol)
        for seq in seqs
    )


@contextmanager
def slow(is_slow: Callable[[int, int], bool]) -> Iterator[None]:
    """Let the settling of slices from and to which `is_slow` sleep in the database."""

    def execute(run: Any, query: str, values: Any, many: bool, context: Any) -> Any:
        if "UPDATE predictions_outcome" in query.replace('"', "").replace("\n", " ") and len(values) > 3:
            first, last = values[1], values[3]
            if is_slow(first, last):
                run("SELECT pg_sleep(5)", None, many, context)
        return run(query, values, many, context)

    with connection.execute_wrapper(execute):
        yield


def settle(pace: Pace) -> None:
    for _ in range(30):
        done = settle_at_pace(LAST, pace)
        if done is not None and done.is_last:
            return
    raise AssertionError("no end")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "DEADLINE_S", 0.1)


def unsettled(symbol: str) -> list[int]:
    rows = Outcome.objects.filter(symbol=symbol, settled_at=None).order_by("timestamp")
    return [int((row.timestamp - MADE).total_seconds()) for row in rows]


def test_one_message_that_is_too_slow_is_passed_over_and_the_others_get_their_outcomes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    put("AAPL", range(1, 5))
    put("MSFT", range(5, 9))
    counted = metrics.outcomes_passed_over._value.get()
    with slow(lambda first, last: first < 3 <= last), caplog.at_level(logging.INFO):
        pace = Pace(8)
        settle(pace)
    assert unsettled("MSFT") == [8]
    assert set(unsettled("AAPL")) <= {2, 3, 4}
    assert metrics.outcomes_passed_over._value.get() == counted + 1
    assert "message 3 of epoch e is passed over" in caplog.text
    settling.start_over()
    settle(pace)
    assert unsettled("AAPL") == [4], "looking at all again finds it"


def test_a_slice_that_is_too_slow_is_halved_and_grows_again() -> None:
    put("AAPL", range(1, 9))
    with slow(lambda first, last: last - first > 2):
        pace = Pace(8)
        assert settle_at_pace(LAST, pace) is None
        assert pace.most == 4
        assert settle_at_pace(LAST, pace) is None
        assert pace.most == 2
        done = settle_at_pace(LAST, pace)
        assert done is not None
        assert done.place == Place("e", 2)
        assert pace.most == 3
    settle(pace)
    assert unsettled("AAPL") == [8]
    assert pace.most <= settler.MOST


def test_nothing_is_passed_over_where_another_bridge_has_moved_on() -> None:
    put("AAPL", range(1, 9))
    settle(Pace())
    assert settling.pass_over(Place("e", 2)) is None
    assert unsettled("AAPL") == [8]


def test_a_slice_that_is_too_slow_leaves_nothing_behind() -> None:
    put("AAPL", range(1, 9))
    with slow(lambda _first, _last: True), pytest.raises(SliceTooSlow) as raised:
        settling.settle_slice(upto=LAST, now=MADE, most=8, most_settled=8)
    assert raised.value.place == Place("", 0)
    assert not Outcome.objects.exists()
