"""The nearest past days are those a plain loop finds, and the sentence says what followed them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from events.explanations import SimilarDay
from pipeline.bars import Series
from pipeline.known_past import KnownPast, build_market
from pipeline.similar_days import MOST_DAYS, find_similar_days, tell_similar_days


@pytest.fixture(scope="module")
def past(series: dict[str, Series]) -> KnownPast:
    return build_market(series["GOOG"]).known_at(500)


def test_the_nearest_days_are_those_a_plain_loop_finds(past: KnownPast) -> None:
    fit, today = past.prediction.fit, list(past.prediction.inputs.values())
    expected = sorted(
        (
            math.sqrt(sum(((a - b) / s) ** 2 for a, b, s in zip(row, today, fit.scales, strict=True)) / 6),
            day,
            move,
        )
        for row, day, move in zip(past.inputs.tolist(), past.dates.tolist(), past.moves.tolist(), strict=True)
    )
    found = find_similar_days(past)
    assert len(found) == MOST_DAYS
    for one, (distance, day, move) in zip(found, expected, strict=False):
        assert (one.date, one.move) == (day.isoformat(), move)
        assert one.distance == pytest.approx(distance)


def test_every_day_found_and_its_outcome_lie_before_the_prediction(past: KnownPast) -> None:
    assert all(one.date < past.prediction.as_of.isoformat() for one in find_similar_days(past, 10_000))
    assert len(find_similar_days(past, 10_000)) == len(past.dates)


def test_of_equally_near_days_the_older_comes_first(past: KnownPast) -> None:
    same = replace(past, inputs=np.tile(past.inputs[0], (len(past.inputs), 1)))
    found = [one.date for one in find_similar_days(same)]
    assert found == [day.isoformat() for day in past.dates[:MOST_DAYS].tolist()]


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        (
            [0.01, 0.02],
            "after all of them; the average move was +1.51%, from +1.01% to +2.02%",
        ),
        (
            [0.01, -0.02],
            "after one of them; the average move was -0.50%, from -1.98% to +1.01%",
        ),
        ([0.0, -0.02], "The price rose after none of them"),
    ],
)
def test_the_sentence_says_how_often_the_price_rose(
    past: KnownPast, moves: list[float], expected: str
) -> None:
    days = [SimilarDay(date=f"2001-01-0{n}", distance=n / 4, move=move) for n, move in enumerate(moves, 1)]
    told = tell_similar_days(days, past)
    assert expected in told.text
    assert f"Of the {len(past.dates):,} earlier days" in told.text
    assert "2001-01-01 (" in told.text
    assert "0.25 to 0.50 standard deviations" in told.text
    assert told.sources == ["data", "model"]
