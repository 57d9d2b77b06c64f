"""Distributions, spreads and the slope of measurements."""

from __future__ import annotations

import math
import statistics

import pytest

from benchmarks.side_by_side.figures import Delays, Spread, slope, spread


def test_shares_of_delays_are_right_to_a_hundredth_of_a_millisecond() -> None:
    delays = Delays()
    for number in range(1, 1001):
        delays.note(number * 100_000)

    assert delays.share_ms(0.5) == pytest.approx(50.0, abs=0.011)
    assert delays.share_ms(0.99) == pytest.approx(99.0, abs=0.011)
    assert delays.share_ms(1.0) == delays.longest_ms == 100.0


def test_a_delay_beyond_the_bins_keeps_its_length() -> None:
    delays = Delays()
    delays.note(1_000_000)
    delays.note(25_000_000_000)

    assert delays.share_ms(0.5) == pytest.approx(1.0, abs=0.011)
    assert delays.share_ms(0.99) == delays.longest_ms == 25_000.0


def test_no_delays_have_no_figures() -> None:
    assert math.isnan(Delays().share_ms(0.5))
    assert math.isnan(Delays().longest_ms)


def test_a_spread_has_the_least_the_median_and_the_most() -> None:
    assert spread([3.0, 1.0, 8.0, 2.0]) == Spread(1.0, 2.5, 8.0)


def test_the_slope_is_that_of_the_line_of_least_squares() -> None:
    points = [(0.0, 10.0), (1.0, 13.0), (2.0, 15.0), (3.0, 20.0), (4.0, 19.0)]

    rise, error = slope(points)

    line = statistics.linear_regression(*zip(*points, strict=True))
    off = sum((y - line.intercept - line.slope * x) ** 2 for x, y in points)
    assert rise == pytest.approx(line.slope)
    assert error == pytest.approx(math.sqrt(off / 3 / 10))


def test_a_line_needs_two_points_and_its_error_three() -> None:
    assert math.isnan(slope([(1.0, 5.0)])[0])
    rise, error = slope([(0.0, 1.0), (2.0, 5.0)])
    assert rise == 2.0
    assert math.isnan(error)
