"""What the gateway says of the reference model is what the model's own evaluation says, over real data."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pipeline import replay, schedule
from pipeline.bars import load_series
from pipeline.evaluation import Evaluation, Outcomes, measure, outcomes_of
from pipeline.model import INTERVAL_LEVEL, MODEL_VERSION, WalkForward, walk_forward
from tests.stack import Stack, eventually

DAYS = 260
"""About a year of trading days."""


@pytest.fixture(scope="module")
def walks() -> dict[str, WalkForward]:
    return {symbol: walk_forward(series) for symbol, series in load_series().items()}


@pytest.fixture
def replayed(own_stack: Stack, walks: dict[str, WalkForward]) -> Stack:
    """A gateway into which the reference pipeline has replayed its last days, through a real bridge."""
    own_stack.start_web()
    own_stack.start_bridge()
    days = schedule.order_days(walks.values())[-DAYS:]
    stop = asyncio.Event()
    published = asyncio.run(replay.replay(own_stack.nats.url, days, days_per_second=10_000, stop=stop))
    assert published == DAYS
    return own_stack


def _answer(stack: Stack, symbol: str) -> dict[str, Any]:
    def read() -> dict[str, Any] | None:
        response = stack.get(f"/api/prediction/{symbol}/accuracy?window=all")
        total = response.json().get("total", {})
        return total if total.get("count") == DAYS - 1 else None

    return eventually(read, timeout_s=60)


def _evaluation(walk: WalkForward) -> Evaluation:
    """The model's own evaluation of those days."""
    known = outcomes_of(walk)
    last = slice(len(known.dates) - (DAYS - 1), None)
    prices = (known.today[last], known.predicted[last], known.actual[last])
    return measure(walk.series.symbol, Outcomes(known.dates[last], *prices, known.confidences[last]))


def _as_published(walk: WalkForward) -> WalkForward:
    """The walk in the prices that are published: what was paid on the day, not adjusted afterwards."""
    return replace(walk, series=replace(walk.series, adj_close=walk.series.close))


def _relative(known: Evaluation) -> dict[str, float]:
    return {
        "count": known.count,
        "mape": known.model.mape,
        "naive_mape": known.naive.mape,
        "mape_vs_naive": known.ratio,
        "hit_rate": known.hit_rate,
    }


def _absolute(known: Evaluation) -> dict[str, float]:
    return {"mae": known.model.mae, "naive_mae": known.naive.mae}


def _assert_told(told: dict[str, Any], expected: dict[str, float]) -> None:
    assert {name: told[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_after_a_replay_the_endpoint_says_what_the_evaluation_says(
    replayed: Stack, walks: dict[str, WalkForward]
) -> None:
    judged = {symbol: walk for symbol, walk in walks.items() if len(walk) >= DAYS}
    assert set(judged) == {"AAPL", "GOOG", "IBM", "MSFT"}
    for symbol, walk in judged.items():
        known = _evaluation(_as_published(walk))
        _assert_told(_answer(replayed, symbol), _relative(known) | _absolute(known))
    # Google paid no dividend: adjusting has multiplied all prices by one number: shares stay.
    told = _answer(replayed, "GOOG")
    _assert_told(told, _relative(_evaluation(walks["GOOG"])))
    assert told["coverage"] == pytest.approx((DAYS - 1) / DAYS)
    assert (told["interval_count"], told["interval_level"]) == (DAYS - 1, pytest.approx(INTERVAL_LEVEL))
    assert told["interval_coverage"] == pytest.approx(_held(walks["GOOG"]))
    models = replayed.get("/api/prediction/GOOG/accuracy?window=all").json()["models"]
    assert [one["model_version"] for one in models] == [MODEL_VERSION]


def _held(walk: WalkForward) -> float:
    """The share of next closes within the interval, worked out from the walk itself."""
    held = []
    for position in range(len(walk) - DAYS, len(walk) - 1):
        low, high = walk.prediction(position).interval
        held.append(low <= float(walk.series.close[walk.rows[position] + 1]) <= high)
    return sum(held) / len(held)
