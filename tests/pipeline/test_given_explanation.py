"""Of an unknown model nothing is claimed but what came with the prediction, however much that is."""

from __future__ import annotations

import math
from typing import Any

import pytest

from events.explanations import DEPTHS, Depth, Explanation
from pipeline.given_explanation import (
    MOST_CONTRIBUTIONS,
    MOST_FEATURES,
    UNATTRIBUTED,
    explain_given,
    fold,
    given_parts,
    predicted_move,
)
from pipeline.model import WalkForward
from tests.pipeline.orders import check, ignore, move_of, pin

REASON = "No model of that name is known here."


@pytest.fixture(scope="module")
def walk(walks: dict[str, WalkForward]) -> WalkForward:
    return walks["FB"]


def explain(walk: WalkForward, depth: Depth = "deep", **changes: Any) -> Explanation:
    pinned = pin(
        walk.prediction(0), **{"model_version": "team-1", "current_price": 100.0, "confidence": 0.7} | changes
    )
    explained = explain_given(depth, pinned, REASON, ignore)
    check(explained, pinned, depth)
    return explained


def names_of(explained: Explanation) -> list[str]:
    return [one.name for one in explained.contributions]


@pytest.mark.parametrize("depth", DEPTHS)
def test_contributions_that_sum_to_the_move_are_used(walk: WalkForward, depth: Depth) -> None:
    features = {
        "mood": 3,
        "contribution_mood": 0.05,
        "contribution_wind": -0.02,
        "contribution_b": 0.01,
        "contribution_c": 0.006,
        "contribution_intercept": 0.054,
    }
    explained = explain(walk, depth, predicted_price=100 * math.exp(0.1), features=features)
    values = {one.name: one.value for one in explained.contributions}
    if depth == "fast":
        assert values == {"mood": 0.05, "wind": -0.02, "b": 0.01, "other": pytest.approx(0.06)}
    else:
        assert list(values) == ["intercept", "mood", "wind", "b", "c"]
    assert {one.name: one.input for one in explained.contributions}["mood"] == 3
    assert "Pushing it up: mood (+0.05), b (+0.01) and everything else (+0.06)." in explained.summary
    assert "Pushing it down: wind (-0.02)." in explained.summary
    assert "rises by 10.52%, from 100.00 to 110.52 (horizon: 1d)" in explained.summary
    assert "as the model states it, is 70.0%" in explained.summary
    assert REASON in explained.summary


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (None, "No contributions came with the prediction"),
        ({"a": 1.0}, "No contributions came with the prediction"),
        ({"contribution_a": 0.01}, "do not add up to the predicted move"),
        ({"contribution_a": 1e300, "contribution_b": 1e308}, "do not add up"),
        ({"contribution_a": 1.7e308, "contribution_b": 1.7e308}, "do not add up"),
        ({"contribution_": 0.1, "contribution_a": "0.1", "contribution_b": True}, "No contributions came"),
        ({"contribution_a": None}, "No contributions came"),
    ],
)
def test_without_fitting_contributions_the_whole_move_is_unattributed(
    walk: WalkForward, features: dict[str, Any] | None, expected: str
) -> None:
    explained = explain(walk, predicted_price=100 * math.exp(0.1), features=features)
    assert names_of(explained) == [UNATTRIBUTED]
    assert explained.contributions[0].value == pytest.approx(0.1)
    assert expected in explained.summary


def test_inputs_are_listed_as_given_from_medium_on(walk: WalkForward) -> None:
    features = {"a": 0.123456789, "b": "text", "c": True, "d": False, "e": None, "f": 12}
    texts = [
        " ".join(statement.text for statement in explain(walk, depth, features=features).statements)
        for depth in DEPTHS
    ]
    given = 'Given with the prediction: a = 0.123457; b = "text"; c = yes; d = no; e = not given; f = 12.'
    assert [given in text for text in texts] == [False, True, True]
    assert "No inputs came with the prediction." in explain(walk, features=None).statements[-2].text
    assert "are left out" in texts[2]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("letter", ["x", "\x01", '"', "\\", "é", "📈", "\u202e"])
def test_a_thousand_features_with_long_names_stay_within_the_limits(
    walk: WalkForward, letter: str, depth: Depth
) -> None:
    features = {f"contribution_{n}".ljust(128, letter): 0.1 / 1000 for n in range(1000)}
    explained = explain(walk, depth, predicted_price=100 * math.exp(0.1), features=features)
    assert names_of(explained)[-1] == "other"
    assert len(explained.contributions) == (4 if depth == "fast" else MOST_CONTRIBUTIONS)
    texts = {f"{n}".ljust(128, letter): letter * 1024 for n in range(1000)}
    explained = explain(walk, depth, features=texts)
    more = f"{1000 - MOST_FEATURES:,} more came with it"
    assert any(more in statement.text for statement in explained.statements) == (depth != "fast")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("now", "then", "words"),
    [
        (1e-300, 1e300, "rises by 1382 in log return"),
        (1e300, 1e-300, "falls by 1382 in log return"),
        (5e-324, 1.7e308, "rises by"),
        (100.0, 100.0, "stays at 100.00"),
        (100.0, 100.0 + 2e-14, "rises by less than 0.001%, from 100.00 to 100.00"),
    ],
)
def test_prices_at_the_ends_of_the_range_are_explained(
    walk: WalkForward, now: float, then: float, words: str, depth: Depth
) -> None:
    explained = explain(walk, depth, current_price=now, predicted_price=then)
    assert words in explained.summary


def test_contributions_of_nothing_explain_no_move(walk: WalkForward) -> None:
    explained = explain(walk, predicted_price=100.0, features={"contribution_a": 0.0, "contribution_b": 0})
    assert names_of(explained) == ["a", "b"]
    assert "Nothing pushes it up or down." in explained.summary


def test_the_replay_is_called_one_even_where_it_cannot_be_recomputed(walk: WalkForward) -> None:
    replayed = explain(walk, model_version="replay-ridge-1")
    assert replayed.summary.startswith("The model replays historical data, it does not follow a live market.")
    assert "replay" not in explain(walk).summary


def test_the_move_is_exact_where_the_ratio_of_the_prices_is_no_number(walk: WalkForward) -> None:
    for now, then in ((5e-324, 1e308), (1e308, 5e-324), (1e24, 1e-292), (100.0, 101.0)):
        pinned = pin(walk.prediction(0), current_price=now, predicted_price=then)
        assert predicted_move(pinned) == pytest.approx(move_of(pinned), rel=1e-12)


def test_a_given_contribution_called_other_is_part_of_the_rest() -> None:
    given = [("other", 5.0), ("a", 3.0), ("b", -2.0)]
    assert fold(given, 1) == [("a", 3.0), ("other", 3.0)]
    assert fold([("a", 3.0)], 3) == [("a", 3.0)]


def test_parts_come_largest_first(walk: WalkForward) -> None:
    pinned = pin(walk.prediction(0), features={"contribution_a": 1, "contribution_b": -2.5, "c": 9})
    assert given_parts(pinned) == [("b", -2.5), ("a", 1.0)]
