"""Each sentence says what the numbers say: direction, size, parts, certainty, and where it comes from."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from events.explanations import DEPTHS, Depth, Explanation
from pipeline.bars import Series
from pipeline.explaining import all_contributions, explain_known, fast_contributions
from pipeline.features import NAMES
from pipeline.known_past import KnownPast, build_market
from pipeline.model import INTERCEPT
from tests.pipeline.orders import check, ignore, pin


@pytest.fixture(scope="module")
def past(series: dict[str, Series]) -> KnownPast:
    return build_market(series["AAPL"]).known_at(3000)


def explain(past: KnownPast, **changes: float) -> Explanation:
    return explain_known("deep", pin(past.prediction, **changes), past, ignore)


def test_the_summary_of_a_known_day_reads_in_full(past: KnownPast) -> None:
    assert explain(past).summary == (
        "This is a replay of historical data, not a live market. At the close of 2012-08-27 the model "
        "replay-ridge-1 predicts that AAPL rises by 0.087%, from $675.68 to $676.27, by the close of the "
        "next trading day. In percentage points, pushing it up: the return of an average day (+0.074), "
        "the size of the daily swings over 21 days (+0.015) and the return over 2 days (+0.008); pushing "
        "it down: the return over 21 days (-0.017); the other three inputs together: +0.006. The model "
        "itself gives this direction a chance of 52.0%, little better than a coin toss (50%): its last "
        "252 predictions missed the next day's return by 1.73 percentage points in a typical case, about "
        "20 times the move that it predicts now."
    )


def test_fast_holds_the_three_largest_inputs_and_the_sum_of_the_rest(past: KnownPast) -> None:
    parts = past.prediction.contributions
    largest = sorted(NAMES, key=lambda name: -abs(parts[name]))
    found = fast_contributions(past.prediction)
    assert [one.name for one in found] == [*largest[:3], "other"]
    assert found[-1].value == pytest.approx(parts[INTERCEPT] + sum(parts[name] for name in largest[3:]))
    assert "the three inputs that matter less" in found[-1].text


def test_contributions_carry_the_inputs_unrounded(past: KnownPast) -> None:
    intercept, *rest = all_contributions(past.prediction)
    assert (intercept.name, intercept.input) == (INTERCEPT, None)
    assert {one.name: one.input for one in rest} == past.prediction.inputs
    assert {one.name: one.value for one in rest} == {
        name: past.prediction.contributions[name] for name in NAMES
    }


def test_a_contributions_text_says_the_value_the_average_and_the_effect(past: KnownPast) -> None:
    texts = {one.name: one.text for one in all_contributions(past.prediction)}
    assert texts["momentum_21d"] == (
        "The return over 21 days was +15.96%, against an average of +3.94% in the training days; "
        "that takes away 0.017 percentage points."
    )


def test_the_sources_name_data_training_and_evaluation(past: KnownPast) -> None:
    explained = explain(past)
    details = {source.id: source.detail for source in explained.sources}
    fit = past.prediction.fit
    assert "AAPL, bars of 2000-03-01 to 2012-08-27" in details["data"]
    assert "close $675.68" in details["data"]
    assert all(name in details["data"] for name in NAMES)
    assert f"Trained on 756 days of AAPL, {fit.first_date} to {fit.last_date}" in details["model"]
    assert "Fitted again every 21 trading days" in details["model"]
    assert "3,000 predictions of AAPL with a known next close, made from 2000-09-22" in details["evaluation"]
    assert "replay-ridge-1" in details["prediction"]
    titles = {source.id: source.title for source in explained.sources}
    assert "bokeh_sampledata, stocks.csv.gz (public domain)" in titles["data"]


def test_every_source_is_cited_and_every_statement_cites(past: KnownPast) -> None:
    explained = explain(past)
    cited = {one for statement in explained.statements for one in statement.sources}
    assert cited == {source.id for source in explained.sources}


@pytest.mark.parametrize("move", [-0.02, -1e-7, 0.0, 1e-7, 0.02])
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_direction_is_worded_as_the_sign_has_it(past: KnownPast, move: float, depth: Depth) -> None:
    known = moved_to(past, move)
    explained = explain_known(depth, pin(known.prediction), known, ignore)
    check(explained, pin(known.prediction), depth)
    assert ("rises by" in explained.summary) == (move > 0)
    assert ("falls by" in explained.summary) == (move < 0)
    assert ("stays at $675.68" in explained.summary) == (move == 0)
    assert ("no direction to be sure of" in explained.summary) == (move == 0)


def test_a_move_lost_in_the_error_is_told_without_a_silly_number(past: KnownPast) -> None:
    known = moved_to(past, 1e-7)
    summary = explain_known("fast", pin(known.prediction), known, ignore).summary
    assert "rises by less than 0.001%, from $675.6800 to $675.6801" in summary
    assert "more than a thousand times the move" in summary


def test_an_error_smaller_than_twice_the_move_is_not_compared(past: KnownPast) -> None:
    known = replace(past, prediction=replace(moved_to(past, 0.02).prediction, residual_sd=0.03))
    assert "times the move" not in explain_known("fast", pin(known.prediction), known, ignore).summary


def test_a_stated_confidence_is_compared_with_a_coin_toss(past: KnownPast) -> None:
    sure = explain(past, confidence=0.61).summary
    assert "a chance of 61.0%, where a coin toss would have 50%:" in sure
    assert "(Recomputed, the chance is 52.0%.)" in sure
    assert "Recomputed" not in explain(past).summary


def test_the_first_prediction_of_a_symbol_is_explained_without_a_record(series: dict[str, Series]) -> None:
    for bars in series.values():
        first = build_market(bars).known_at(0)
        explained = explain(first)
        check(explained, pin(first.prediction), "deep")
        assert explained.record is None
        assert "first day predicted" in explained.statements[-1].text
        assert "no earlier prediction" in explained.sources[-1].detail


def test_a_price_that_never_moves_is_explained(series: dict[str, Series]) -> None:
    bars = series["FB"]
    flat = replace(bars, close=np.ones(len(bars)), adj_close=np.ones(len(bars)), volume=np.ones(len(bars)))
    known = build_market(flat).known_at(40)
    explained = explain(known)
    check(explained, pin(known.prediction), "deep")
    assert {one.value for one in explained.contributions} == {0.0}
    assert explained.what_if == []


def moved_to(past: KnownPast, move: float) -> KnownPast:
    """`past` with an intercept that makes the predicted log return `move`."""
    parts = past.prediction.contributions
    rest = sum(parts[name] for name in NAMES)
    return replace(
        past,
        prediction=replace(
            past.prediction,
            predicted_log_return=move,
            predicted_price=past.prediction.current_price * math.exp(move),
            contributions={**parts, INTERCEPT: move - rest},
            fit=replace(past.prediction.fit, intercept=move - rest),
        ),
    )
