"""The model's own predictions are explained exactly, all others by what came with them; none fails."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.explanations import (
    DEPTHS,
    Depth,
    ExplainOrder,
    Explanation,
    PinnedPrediction,
    check_explanation,
    decode,
    encode,
)
from pipeline import explainer as module
from pipeline.bars import BarsUnavailable
from pipeline.explainer import ReferenceExplainer, agrees
from pipeline.explaining import all_contributions
from pipeline.features import NAMES
from pipeline.given_explanation import UNATTRIBUTED
from pipeline.model import INTERCEPT, Prediction, WalkForward
from tests.pipeline.orders import NOW, check, ignore, order_for, pin

ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=128
)
LABEL = ANY_TEXT.filter(
    lambda text: len(text) <= 64 and not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
)
VALUE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    ANY_TEXT,
    st.none(),
)
NAME = st.one_of(ANY_TEXT, ANY_TEXT.map(lambda text: f"contribution_{text}"[:128]))
PRICE = st.floats(min_value=1e-30, max_value=1e30)


@pytest.fixture(scope="module")
def explainer() -> ReferenceExplainer:
    made = ReferenceExplainer()
    made.prepare()
    return made


@pytest.fixture(scope="module")
def apple(walks: dict[str, WalkForward]) -> Prediction:
    return walks["AAPL"].prediction(3000)


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_contributions_sum_to_the_move_of_every_prediction_there_is(
    explainer: ReferenceExplainer, walks: dict[str, WalkForward], symbol: str
) -> None:
    for position in range(len(walks[symbol])):
        prediction = walks[symbol].prediction(position)
        pinned = pin(prediction)
        move = math.log(pinned.predicted_price / pinned.current_price)
        fast = explainer.explain(order_for(pinned, "fast"), ignore)
        check_explanation(fast, depth="fast", move=move)
        medium = all_contributions(prediction)
        assert (len(fast.contributions), len(medium)) == (4, 7)
        for contributions in (fast.contributions, medium):
            assert abs(sum(one.value for one in contributions) - move) < 1e-14


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_order_that_went_over_the_wire_is_explained_exactly(
    explainer: ReferenceExplainer, walks: dict[str, WalkForward], depth: Depth
) -> None:
    for walk in walks.values():
        for position in range(0, len(walk), 401):
            order = decode(encode(order_for(pin(walk.prediction(position)), depth)), ExplainOrder)
            explained = explainer.explain(order, ignore)
            check(explained, order.prediction, depth)
            assert [source.id for source in explained.sources] == [
                "prediction",
                "data",
                "model",
                "evaluation",
            ]


def test_each_depth_holds_what_was_promised_for_it(explainer: ReferenceExplainer, apple: Prediction) -> None:
    fast, medium, deep = (explainer.explain(order_for(pin(apple), depth), ignore) for depth in DEPTHS)
    assert fast.contributions[-1].name == "other"
    assert {one.name for one in medium.contributions} == {INTERCEPT, *NAMES}
    assert (fast.similar_days, fast.what_if, fast.record) == ([], [], None)
    assert medium.similar_days
    assert (medium.what_if, medium.record) == ([], None)
    assert deep.what_if
    assert deep.record is not None
    assert fast.summary == medium.summary == deep.summary
    assert "replay of historical data" in fast.summary


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_same_order_always_gets_the_same_answer(apple: Prediction, depth: Depth) -> None:
    order = order_for(pin(apple), depth)
    answers = [encode(ReferenceExplainer().explain(order, ignore)) for _ in range(2)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("version", ["replay-ridge-1", "other-team-3"])
def test_progress_rises_to_one_and_names_each_step(
    explainer: ReferenceExplainer, apple: Prediction, depth: Depth, version: str
) -> None:
    told: list[tuple[float, str]] = []
    order = order_for(pin(apple, model_version=version), depth)
    explainer.explain(order, lambda progress, stage: told.append((progress, stage)))
    shares = [share for share, _ in told]
    assert shares == sorted(set(shares))
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert all(0 < len(stage) <= 500 for _, stage in told)
    assert len({stage for _, stage in told}) == len(told)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_version": "other-team-3"}, "no attribution for other-team-3"),
        ({"symbol": "ZZZ"}, "has no symbol ZZZ"),
        ({"as_of": datetime(2013, 3, 2, tzinfo=UTC)}, "made no prediction for AAPL on 2013-03-02"),
        ({"predicted_price": 700.0}, "which is not this prediction"),
        ({"current_price": 675.0}, "which is not this prediction"),
    ],
)
def test_what_cannot_be_recomputed_is_told_and_explained_by_what_came_with_it(
    explainer: ReferenceExplainer, apple: Prediction, changes: dict[str, object], reason: str, depth: Depth
) -> None:
    pinned = pin(apple, **changes)
    explained = explainer.explain(order_for(pinned, depth), ignore)
    check(explained, pinned, depth)
    assert reason in explained.summary
    assert [source.id for source in explained.sources] == ["prediction"]
    moved = "price" in "".join(changes)
    assert ([one.name for one in explained.contributions] == [UNATTRIBUTED]) == moved


def test_missing_bars_are_told_and_raise_in_prepare_alone(
    apple: Prediction, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> None:
        raise BarsUnavailable("gone")

    monkeypatch.setattr(module, "load_series", missing)
    bare = ReferenceExplainer()
    with pytest.raises(BarsUnavailable):
        bare.prepare()
    with caplog.at_level(logging.WARNING, logger="pipeline.explainer"):
        explained = bare.explain(order_for(pin(apple), "deep"), ignore)
    check(explained, pin(apple), "deep")
    assert "data of the model are not installed" in explained.summary
    assert "gone" in caplog.text


def test_a_prediction_agrees_up_to_rounding_and_no_further(apple: Prediction) -> None:
    now, then = apple.current_price, apple.predicted_price
    assert agrees(pin(apple), apple)
    assert agrees(pin(apple, current_price=now * (1 + 4e-10), predicted_price=then * (1 - 4e-10)), apple)
    assert not agrees(pin(apple, current_price=now * (1 + 2e-9)), apple)
    assert not agrees(pin(apple, predicted_price=then * (1 + 2e-9)), apple)
    # Each price is within the tolerance, the move between them is not.
    assert not agrees(pin(apple, current_price=now * (1 + 9e-10), predicted_price=then * (1 - 9e-10)), apple)


def test_prices_that_were_rounded_on_the_way_are_still_explained_exactly(
    explainer: ReferenceExplainer, apple: Prediction
) -> None:
    pinned = pin(apple, predicted_price=apple.predicted_price * (1 + 5e-10))
    explained = explainer.explain(order_for(pinned, "medium"), ignore)
    check(explained, pinned, "medium")
    assert len(explained.sources) == 4


def test_a_confidence_that_is_not_the_models_is_told(
    explainer: ReferenceExplainer, apple: Prediction
) -> None:
    explained = explainer.explain(order_for(pin(apple, confidence=0.9), "fast"), ignore)
    assert "a chance of 90.0%, where a coin toss would have 50%" in explained.summary
    assert "(Recomputed, the chance is 52.0%.)" in explained.summary


@settings(deadline=None, max_examples=150)
@given(
    symbol=ANY_TEXT,
    prices=st.tuples(PRICE, PRICE),
    confidence=st.floats(0, 1),
    labels=st.tuples(LABEL, LABEL),
    as_of=st.datetimes(timezones=st.just(UTC)),
    features=st.none() | st.dictionaries(NAME, VALUE, max_size=30),
    depth=st.sampled_from(DEPTHS),
)
def test_whatever_a_valid_order_holds_is_explained_within_the_limits(
    symbol: str,
    prices: tuple[float, float],
    confidence: float,
    labels: tuple[str, str],
    as_of: datetime,
    features: dict[str, float | int | bool | str | None] | None,
    depth: Depth,
) -> None:
    pinned = PinnedPrediction(
        symbol=symbol,
        timestamp=NOW,
        current_price=prices[0],
        predicted_price=prices[1],
        confidence=confidence,
        horizon=labels[0],
        model_version=labels[1],
        as_of=as_of,
        seq=1,
        epoch="e",
        features=features,
    )
    order = decode(encode(order_for(pinned, depth)), ExplainOrder)
    check(ReferenceExplainer().explain(order, ignore), pinned, depth)


def test_a_moment_within_the_day_is_the_days_prediction(
    explainer: ReferenceExplainer, apple: Prediction
) -> None:
    later = datetime.combine(apple.as_of, datetime.min.time(), UTC) + timedelta(hours=21)
    explained = explainer.explain(order_for(pin(apple, as_of=later), "fast"), ignore)
    assert len(explained.sources) == 4


def test_nothing_advises_to_buy_or_to_sell(explainer: ReferenceExplainer, apple: Prediction) -> None:
    text = encode(explainer.explain(order_for(pin(apple), "deep"), ignore)).decode().lower()
    assert not any(word in text for word in ("buy", "sell", "invest", "should", "recommend"))


def test_the_recorded_features_do_not_matter_for_the_models_own_prediction(
    explainer: ReferenceExplainer, apple: Prediction
) -> None:
    def explain(pinned: PinnedPrediction) -> Explanation:
        return explainer.explain(order_for(pinned, "deep"), ignore)

    assert explain(pin(apple, features=None)) == explain(pin(apple))
