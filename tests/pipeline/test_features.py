"""The vectorised features equal what a plain loop computes, and look at no later bar."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest

from pipeline import features
from pipeline.bars import Series

COMPLETE_FROM = 62


def naive_features(series: Series, day: int) -> list[float]:
    """The features of `day`, each written out from its definition."""
    prices = series.adj_close[: day + 1].tolist()
    daily = [math.log(b / a) for a, b in pairwise(prices)]
    dollars = (series.close * series.volume)[day - 62 : day + 1].tolist()
    logs = [math.log(1 + amount) for amount in dollars]
    return [
        math.log(prices[-1] / prices[-2]),
        math.log(prices[-1] / prices[-3]),
        math.log(prices[-1] / prices[-6]),
        math.log(prices[-1] / prices[-22]),
        statistics.pstdev(daily[-21:]),
        (logs[-1] - statistics.fmean(logs)) / statistics.pstdev(logs),
    ]


@pytest.mark.parametrize("symbol", ["AAPL", "FB"])
@pytest.mark.parametrize("day", [62, 63, 100, 195])
def test_features_equal_their_definition(series: dict[str, Series], symbol: str, day: int) -> None:
    computed = features.compute_features(series[symbol])[day]
    assert computed == pytest.approx(naive_features(series[symbol], day), rel=1e-9, abs=1e-12)


def test_rows_are_complete_from_the_day_the_longest_window_is_full(
    series: dict[str, Series],
) -> None:
    for bars in series.values():
        missing = np.isnan(features.compute_features(bars)).sum(axis=1)
        assert (missing[:COMPLETE_FROM] > 0).all()
        assert (missing[COMPLETE_FROM:] == 0).all()


def test_each_feature_is_nan_until_its_window_is_full(series: dict[str, Series]) -> None:
    missing = np.isnan(features.compute_features(series["FB"])).sum(axis=0)
    assert dict(zip(features.NAMES, missing.tolist(), strict=True)) == {
        "return_1d": 1,
        "return_2d": 2,
        "return_5d": 5,
        "momentum_21d": 21,
        "volatility_21d": 21,
        "volume_z_63d": 62,
    }


def test_a_split_changes_no_feature(series: dict[str, Series]) -> None:
    bars = series["MSFT"]
    halves = np.where(np.arange(len(bars)) < 500, 1.0, 2.0)
    split = Series(bars.symbol, bars.dates, bars.close / halves, bars.adj_close, bars.volume * halves)
    np.testing.assert_allclose(
        features.compute_features(split), features.compute_features(bars), rtol=1e-9, atol=1e-9
    )


def test_too_short_a_series_has_no_complete_row() -> None:
    for length in (0, 1, 21, 22, 62):
        prices = np.linspace(1, 2, length)
        dates = np.datetime64("2001-01-01") + np.arange(length)
        computed = features.compute_features(Series("A", dates, prices, prices, prices))
        assert computed.shape == (length, len(features.NAMES))
        assert not np.isfinite(computed).all(axis=1).any()


def test_a_volume_that_does_not_vary_is_at_its_mean() -> None:
    z = features.trailing_z_score(np.full(70, 3.3), 63)
    assert np.isnan(z[:62]).all()
    assert (z[62:] == 0).all()
