"""What is known at a close ends there: no later bar reaches an explanation, whatever it holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.explanations import encode
from pipeline.bars import Series, load_series
from pipeline.explaining import explain_known
from pipeline.known_past import build_market
from pipeline.model import LEAST_RESIDUALS, MOST_RESIDUALS
from tests.pipeline.orders import ignore, pin

BARS = load_series()["FB"]
MARKET = build_market(BARS)


@settings(deadline=None, max_examples=60)
@given(
    position=st.integers(0, len(MARKET.walk) - 2),
    factors=st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
    only_next=st.booleans(),
)
def test_a_change_of_any_later_bar_changes_no_word_of_a_deep_explanation(
    position: int, factors: list[float], only_next: bool
) -> None:
    row = int(MARKET.walk.rows[position])
    future = slice(row + 1, row + 2 if only_next else None)
    close, adj_close, volume = BARS.close.copy(), BARS.adj_close.copy(), BARS.volume.copy()
    for values, factor in zip((close, adj_close, volume), factors, strict=True):
        values[future] *= factor
    changed = build_market(replace(BARS, close=close, adj_close=adj_close, volume=volume))
    before, after = (
        explain_known("deep", pin(known.prediction), known, ignore)
        for known in (MARKET.known_at(position), changed.known_at(position))
    )
    assert after.similar_days == before.similar_days
    assert after.record == before.record
    assert encode(after) == encode(before)


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG"])
@pytest.mark.parametrize("position", [0, 1, 30, 52])
def test_the_past_ends_with_the_move_into_the_predictions_own_day(
    series: dict[str, Series], symbol: str, position: int
) -> None:
    bars = series[symbol]
    known = build_market(bars).known_at(position)
    row = int(np.searchsorted(bars.dates, np.datetime64(known.prediction.as_of)))
    assert known.dates[-1] == bars.dates[row - 1]
    assert known.moves[-1] == pytest.approx(np.log(bars.adj_close[row] / bars.adj_close[row - 1]))
    assert len(known.dates) == len(known.inputs) == len(known.moves) == row - 62
    assert np.isfinite(known.inputs).all()
    assert np.isfinite(known.moves).all()
    assert len(known.outcomes.dates) == position
    assert known.outcomes.actual[-1:].tolist() == ([bars.adj_close[row]] if position else [])
    assert known.adj_close == bars.adj_close[row]


def test_the_residuals_counted_are_those_behind_the_confidence(series: dict[str, Series]) -> None:
    market = build_market(series["IBM"])
    counts = [market.known_at(position).residuals for position in (0, 1, 230, 231, 232, 3000)]
    assert counts == [LEAST_RESIDUALS, 22, 251, MOST_RESIDUALS, MOST_RESIDUALS, MOST_RESIDUALS]


@pytest.mark.parametrize("position", [300, 3000])
def test_the_typical_miss_is_that_of_so_many_newest_residuals(
    series: dict[str, Series], position: int
) -> None:
    market = build_market(series["IBM"])
    walk, known = market.walk, market.known_at(position)
    newest = slice(position - known.residuals, position)
    missed = market.moves[walk.rows[newest]] - walk.predicted_log_returns[newest]
    assert known.prediction.residual_sd == pytest.approx(np.sqrt((missed**2).mean()))


def test_every_predicted_day_is_found_by_its_date() -> None:
    assert [MARKET.positions[day] for day in MARKET.walk.dates.tolist()] == list(range(len(MARKET.walk)))
