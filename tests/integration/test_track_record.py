"""The track record of a running gateway: predictions go in at NATS, what came of them is read over REST."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.rest import assert_problem
from tests.stack import Stack, event, eventually

DAY = timedelta(days=1)
MARKET = datetime(2013, 1, 1, tzinfo=UTC)


def bars(symbol: str, *prices: float, **changes: Any) -> list[dict[str, Any]]:
    """A prediction a day at these prices, each of a rise by 1, made now one after the other."""
    now = datetime.now(UTC)
    return [
        event(
            symbol,
            timestamp=(now + timedelta(microseconds=n)).isoformat(),
            as_of=(MARKET + n * DAY).isoformat(),
            current_price=price,
            predicted_price=price + 1,
            **changes,
        )
        for n, price in enumerate(prices)
    ]


def accuracy(stack: Stack, symbol: str, *, count: int, query: str = "window=all") -> dict[str, Any]:
    """The answer as soon as so many outcomes are known."""

    def read() -> dict[str, Any] | None:
        response = stack.get(f"/api/prediction/{symbol}/accuracy?{query}")
        if response.status_code == 404:
            return None
        answer: dict[str, Any] = response.json()
        return answer if answer["total"]["count"] >= count else None

    return eventually(read)


def test_200_with_what_came_of_each_prediction(stack: Stack, symbol: str) -> None:
    stack.publish(*bars(symbol, 100, 102, 101, 101))
    answer = accuracy(stack, symbol, count=3)
    total = answer.pop("total")
    assert answer.pop("models") == [{**total, "model_version": "test-1"}]
    assert answer == {"symbol": symbol, "from": None, "to": "2013-01-04T00:00:00Z"}
    assert total == {
        "count": 3,
        "first": "2013-01-01T00:00:00Z",
        "last": "2013-01-03T00:00:00Z",
        "mae": pytest.approx((1 + 2 + 1) / 3),
        "naive_mae": pytest.approx((2 + 1 + 0) / 3),
        "mae_vs_naive": pytest.approx(4 / 3),
        "mape": pytest.approx((1 / 102 + 2 / 101 + 1 / 101) / 3),
        "naive_mape": pytest.approx((2 / 102 + 1 / 101) / 3),
        "mape_vs_naive": pytest.approx((1 / 102 + 3 / 101) / (2 / 102 + 1 / 101)),
        "hit_rate": pytest.approx(1 / 3),
        "coverage": 0.75,
        "unreadable": 0,
        "interval_count": 0,
        "interval_coverage": None,
        "interval_level": None,
    }


def test_a_window_ends_at_the_newest_market_time(stack: Stack, symbol: str) -> None:
    stack.publish(*bars(symbol, *range(100, 110)))
    accuracy(stack, symbol, count=9)
    answer = accuracy(stack, symbol, count=2, query="window=2d")
    assert (answer["from"], answer["to"]) == ("2013-01-08T00:00:00Z", "2013-01-10T00:00:00Z")
    assert answer["total"]["count"] == 2
    assert accuracy(stack, symbol, count=9, query="")["from"] == "2012-10-12T00:00:00Z"


def test_200_with_nulls_where_nothing_is_known_yet(stack: Stack, symbol: str) -> None:
    stack.publish(*bars(symbol, 100, horizon="until it pays"))

    def told() -> dict[str, Any] | None:
        response = stack.get(f"/api/prediction/{symbol}/accuracy")
        total: dict[str, Any] = response.json().get("total", {})
        return total if total.get("unreadable") else None

    total = eventually(told)
    assert {name for name, value in total.items() if value is not None} == {
        "count",
        "unreadable",
        "interval_count",
    }


@pytest.mark.parametrize(
    "window", ["", "x", "30", "0d", "12h", "3661d", "ALL", "all ", "-5d", "1mo", "P1M", "9" * 5000, "%00"]
)
def test_400_for_a_malformed_window_with_what_would_be_right(stack: Stack, window: str) -> None:
    response = stack.get(f"/api/prediction/AAPL/accuracy?window={window}")
    body = assert_problem(response, 400, "INVALID_QUERY")
    (error,) = body["errors"]
    assert "from 1d to 3660d, as in 30d, 12w or P90D, or all" in error["detail"]


def test_304_for_who_has_it_and_200_once_more_is_known(stack: Stack, symbol: str) -> None:
    published = bars(symbol, 100, 101, 102)
    stack.publish(*published[:2])
    accuracy(stack, symbol, count=1)
    path = f"/api/v1/prediction/{symbol}/accuracy?window=all"
    first = stack.get(path)
    assert first.headers["cache-control"] == "private, max-age=60"
    again = stack.get(path, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    stack.publish(published[2])
    accuracy(stack, symbol, count=2)
    changed = stack.get(path, **{"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_several_bridges_that_die_and_come_again_settle_each_prediction_once(own_stack: Stack) -> None:
    own_stack.start_web()
    bridges = [own_stack.start_bridge() for _ in range(2)]
    for number, symbol in enumerate(("AAPL", "MSFT", "GOOG")):
        own_stack.publish(*bars(symbol, *(100 + n % 7 for n in range(700))))
        bridges[number % 2].send_signal(signal.SIGKILL)
        bridges[number % 2].wait()
        bridges[number % 2] = own_stack.start_bridge()
    for symbol in ("AAPL", "MSFT", "GOOG"):
        answer = accuracy(own_stack, symbol, count=699)
        assert answer["total"]["count"] == 699
    (sums,) = own_stack.rows("SELECT sum(made), sum(settled) FROM predictions_accuracyday")
    (outcomes,) = own_stack.rows("SELECT count(*), count(settled_at) FROM predictions_outcome")
    assert tuple(map(int, sums)) == outcomes == (2100, 2097)


def test_what_was_recorded_before_there_were_outcomes_is_settled_too(own_stack: Stack) -> None:
    own_stack.start_web()
    first = own_stack.start_bridge()
    own_stack.publish(*bars("AAPL", *range(100, 110)))
    accuracy(own_stack, "AAPL", count=9)
    first.send_signal(signal.SIGTERM)
    first.wait()
    own_stack.execute(
        "TRUNCATE predictions_outcome, predictions_accuracyday, predictions_settledplace;"
        " UPDATE predictions_prediction SET epoch = '1', seq = seq + 1000"
    )
    own_stack.start_bridge()
    assert accuracy(own_stack, "AAPL", count=9)["total"]["count"] == 9


def test_a_bridge_whose_settling_fails_goes_on_carrying(own_stack: Stack) -> None:
    own_stack.start_web()
    own_stack.execute("ALTER TABLE predictions_outcome RENAME TO elsewhere")
    bridge = own_stack.start_bridge()
    own_stack.publish(*bars("AAPL", 100, 101))
    eventually(lambda: own_stack.count_rows("AAPL") == 2)
    eventually(own_stack.is_idle)
    own_stack.execute("ALTER TABLE elsewhere RENAME TO predictions_outcome")
    assert accuracy(own_stack, "AAPL", count=1)["total"]["count"] == 1
    assert bridge.poll() is None
    own_stack.manage("settle_again")
    own_stack.publish(*bars("MSFT", 100, 101))
    assert accuracy(own_stack, "MSFT", count=1)["total"]["count"] == 1
    assert accuracy(own_stack, "AAPL", count=1)["total"]["count"] == 1
