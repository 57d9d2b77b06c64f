"""The explanation of a prediction whose model is known: exact parts, in plain English, with sources. Pure.

`pipeline.explainer` decides that the prediction is the model's own; what is not goes to
`pipeline.given_explanation`. Gets a `KnownPast`, hence nothing later than the prediction's close.
"""

from __future__ import annotations

from collections.abc import Callable

from events.explanations import Contribution, Depth, Explanation, PinnedPrediction, Statement
from pipeline.citations import cite_all
from pipeline.features import NAMES
from pipeline.known_past import KnownPast
from pipeline.model import INTERCEPT, MODEL_VERSION, Prediction
from pipeline.past_record import find_record
from pipeline.similar_days import find_similar_days, tell_similar_days
from pipeline.what_if import find_what_ifs, tell_what_ifs
from pipeline.wording import (
    LABELS,
    counted,
    in_words,
    listed,
    opened,
    percent,
    points,
    prices,
    push,
    reading,
    say,
    size,
)

OTHER = "other"
MOST_FAST = 3

Report = Callable[[float, str], None]


def explain_known(depth: Depth, pinned: PinnedPrediction, past: KnownPast, report: Report) -> Explanation:
    """Explain `pinned`, which `past.prediction` is the recomputation of; `report` from 0.3 to 1."""
    prediction = past.prediction
    report(0.3, "attributing the predicted move to the inputs")
    contributions = fast_contributions(prediction) if depth == "fast" else all_contributions(prediction)
    core = [_headline(prediction), _drivers(prediction), _certainty(pinned, past)]
    statements, similar, turns, record = list(core), [], [], None
    if depth != "fast":
        report(0.5, "looking for similar days before it")
        statements.append(_method(prediction))
        similar = find_similar_days(past)
        statements.append(tell_similar_days(similar, past))
    if depth == "deep":
        report(0.7, "finding what would turn the prediction around")
        turns = find_what_ifs(prediction)
        statements.append(tell_what_ifs(turns, prediction))
        report(0.9, "measuring the model's record up to that day")
        record, told = find_record(past)
        statements.append(told)
    explanation = Explanation(
        depth=depth,
        summary=" ".join(statement.text for statement in core),
        contributions=contributions,
        sources=cite_all(pinned, past),
        statements=statements,
        similar_days=similar,
        what_if=turns,
        record=record,
    )
    report(1.0, "the explanation is complete")
    return explanation


def all_contributions(prediction: Prediction) -> list[Contribution]:
    """Every part of the predicted log return, the intercept first, then the inputs by size."""
    parts = prediction.contributions
    names = sorted(NAMES, key=lambda name: -abs(parts[name]))
    intercept = Contribution(
        name=INTERCEPT,
        value=parts[INTERCEPT],
        text=f"{opened(LABELS[INTERCEPT])} {push(parts[INTERCEPT])}: it is the mean of the training days, "
        "pulled towards zero, and where the model starts before it looks at any input.",
    )
    return [intercept, *(_contribution(prediction, name) for name in names)]


def fast_contributions(prediction: Prediction) -> list[Contribution]:
    """The `MOST_FAST` largest inputs and the sum of all the rest, the intercept with them."""
    intercept, *inputs = all_contributions(prediction)
    top, small = inputs[:MOST_FAST], inputs[MOST_FAST:]
    rest = intercept.value + sum(one.value for one in small)
    text = (
        f"Everything else together {push(rest)}: {LABELS[INTERCEPT]} ({points(intercept.value)}) and the "
        f"{in_words(len(small))} inputs that matter less ({points(rest - intercept.value)})."
    )
    return [*top, Contribution(name=OTHER, value=rest, text=text)]


def _contribution(prediction: Prediction, name: str) -> Contribution:
    value, part = prediction.inputs[name], prediction.contributions[name]
    mean = float(prediction.fit.means[NAMES.index(name)])
    return Contribution(
        name=name,
        value=part,
        input=value,
        text=f"{opened(LABELS[name])} was {reading(name, value)}, against an average of "
        f"{reading(name, mean)} in the training days; that {push(part)}.",
    )


def _headline(prediction: Prediction) -> Statement:
    move = prediction.predicted_log_return
    now, then = prices(prediction.current_price, prediction.predicted_price, "$")
    verb = "rises by" if move > 0 else "falls by"
    what = f"{verb} {size(move)}, from {now} to {then}" if move else f"stays at {now}"
    return say(
        "prediction",
        "model",
        "data",
        text="This is a replay of historical data, not a live market. At the close of "
        f"{prediction.as_of} the model {MODEL_VERSION} predicts that {prediction.symbol} {what}, by the "
        "close of the next trading day.",
    )


def _drivers(prediction: Prediction) -> Statement:
    parts = prediction.contributions
    names = sorted(NAMES, key=lambda name: -abs(parts[name]))
    named = sorted([INTERCEPT, *names[:MOST_FAST]], key=lambda name: -abs(parts[name]))
    up = [f"{LABELS[name]} ({points(parts[name])})" for name in named if parts[name] > 0]
    down = [f"{LABELS[name]} ({points(parts[name])})" for name in named if parts[name] < 0]
    sides = [f"pushing it {side}: {listed(of)}" for side, of in (("up", up), ("down", down)) if of]
    rest = sum(parts[name] for name in names[MOST_FAST:])
    sides.append(f"the other {in_words(len(names) - MOST_FAST)} inputs together: {points(rest)}")
    return say("model", "data", text=f"In percentage points, {'; '.join(sides)}.")


def _certainty(pinned: PinnedPrediction, past: KnownPast) -> Statement:
    prediction = past.prediction
    sd, move = prediction.residual_sd, abs(prediction.predicted_log_return)
    if not move:
        return say("prediction", text="As it predicts no move, there is no direction to be sure of.")
    near = "little better than a coin toss (50%)"
    if pinned.confidence >= 0.55:
        near = "where a coin toss would have 50%"
    text = (
        f"The model itself gives this direction a chance of {percent(pinned.confidence)}, {near}: "
        f"its last {counted(past.residuals, 'prediction')} missed the next day's return by "
        f"{sd * 100:.2f} percentage points in a typical case"
    )
    if sd > 2 * move:
        text += f", {_times(sd / move)} the move that it predicts now"
    differs = abs(pinned.confidence - prediction.confidence) > 1e-6
    note = f" (Recomputed, the chance is {percent(prediction.confidence)}.)" if differs else ""
    return say("prediction", "model", "evaluation", text=f"{text}.{note}")


def _times(ratio: float) -> str:
    return "more than a thousand times" if ratio > 1000 else f"about {ratio:.0f} times"


def _method(prediction: Prediction) -> Statement:
    fit = prediction.fit
    return say(
        "model",
        "data",
        text="The contributions are exact, not estimated: each is the distance of an input from its average "
        f"in the training days ({fit.first_date} to {fit.last_date}), times the weight that the model "
        "learned for it; what remains is the return of an average day. They add up to the predicted move as "
        "a log return, the natural logarithm of the predicted price over the current price. The texts "
        "have them in percentage points, because for a move this small the log return and the change in "
        "percent are nearly the same.",
    )
