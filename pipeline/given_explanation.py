"""The explanation of a prediction whose model this program does not know: what came with it, no more. Pure.

Whatever a valid order holds, the answer stays within the limits of `events.explanations` and under
200 KB: of many or long features the first are shown, cut short, and the text says so.
"""

from __future__ import annotations

import math
import sys
from itertools import islice
from typing import TypeGuard

from events.explanations import Contribution, Depth, Explanation, PinnedPrediction, Statement
from events.prediction_updated import FeatureValue
from pipeline.citations import cite_prediction
from pipeline.explaining import MOST_FAST, OTHER, Report
from pipeline.model import INTERCEPT, MODEL_VERSION
from pipeline.schedule import CONTRIBUTION_PREFIX
from pipeline.wording import counted, listed, percent, prices, say, shorten, size

UNATTRIBUTED = "unattributed"
MOST_CONTRIBUTIONS = 100
MOST_FEATURES = 100
_FEATURES_A_STATEMENT = 25

# The name of an input, and what it adds to the log return.
Part = tuple[str, float]


def predicted_move(pinned: PinnedPrediction) -> float:
    """The log return from the current to the predicted price; finite for any two positive prices."""
    ratio = pinned.predicted_price / pinned.current_price
    if sys.float_info.min <= ratio < math.inf:
        return math.log(ratio)
    return math.log(pinned.predicted_price) - math.log(pinned.current_price)


def is_sum(total: float, move: float) -> bool:
    """Whether `total` is `move` to the accuracy that `check_explanation` asks for."""
    return abs(total - move) <= 1e-9 + 1e-6 * abs(move)


def explain_given(depth: Depth, pinned: PinnedPrediction, reason: str, report: Report) -> Explanation:
    """Explain `pinned` by its own features; `reason` says why not by the model. `report` from 0.3 to 1."""
    report(0.3, "looking for contributions in the prediction's features")
    move = predicted_move(pinned)
    given = given_parts(pinned)
    parts = _shown(given, depth)
    attributed = bool(given) and is_sum(sum(value for _, value in parts), move)
    contributions = [_contribution(pinned, part) for part in parts]
    if not attributed:
        contributions = [_unattributed(move)]
    core = [
        _headline(pinned, move),
        _drivers(given) if attributed else _no_drivers(bool(given)),
        _certainty(pinned),
        say("prediction", text=reason),
    ]
    statements = list(core)
    if depth != "fast":
        report(0.6, "listing the inputs that came with the prediction")
        statements.extend(_inputs(pinned))
    if depth == "deep":
        text = (
            "Similar days, turning points and a record of earlier predictions are left out: they take "
            "the model and its past, and this explainer has neither for this prediction."
        )
        statements.append(say("prediction", text=text))
    explanation = Explanation(
        depth=depth,
        summary=" ".join(statement.text for statement in core),
        contributions=contributions,
        sources=[cite_prediction(pinned)],
        statements=statements,
    )
    report(1.0, "the explanation is complete")
    return explanation


def given_parts(pinned: PinnedPrediction) -> list[Part]:
    """The finite ``contribution_*`` numbers among the features, largest first; perhaps none."""
    found = [
        (key.removeprefix(CONTRIBUTION_PREFIX), float(value))
        for key, value in (pinned.features or {}).items()
        if key.startswith(CONTRIBUTION_PREFIX) and key != CONTRIBUTION_PREFIX and _is_number(value)
    ]
    return sorted(found, key=lambda part: -abs(part[1]))


def fold(given: list[Part], most: int) -> list[Part]:
    """The `most` largest inputs of `given`, and one more for the sum of all others, where there are any."""
    top = [part for part in given if part[0] not in (INTERCEPT, OTHER)][:most]
    names = {name for name, _ in top}
    rest = [value for name, value in given if name not in names]
    return [*top, (OTHER, sum(rest))] if rest else top


def _shown(given: list[Part], depth: Depth) -> list[Part]:
    if depth == "fast":
        return fold(given, MOST_FAST)
    return fold(given, MOST_CONTRIBUTIONS - 1) if len(given) > MOST_CONTRIBUTIONS else given


def _contribution(pinned: PinnedPrediction, part: Part) -> Contribution:
    name, value = part
    if name == OTHER:
        text = f"Everything else together: {value:+.4g} of the predicted log return."
        return Contribution(name=OTHER, value=value, text=text)
    given = (pinned.features or {}).get(name)
    return Contribution(
        name=name,
        value=value,
        input=float(given) if _is_number(given) else None,
        text=f"{shorten(name)}: {value:+.4g} of the predicted log return.",
    )


def _unattributed(move: float) -> Contribution:
    text = "The whole predicted move: what it is made of is not known here."
    return Contribution(name=UNATTRIBUTED, value=move, text=text)


def _headline(pinned: PinnedPrediction, move: float) -> Statement:
    now, then = prices(pinned.current_price, pinned.predicted_price)
    verb = "rises by" if move > 0 else "falls by"
    what = f"{verb} {size(move)}, from {now} to {then}" if move else f"stays at {now}"
    replay = (
        "The model replays historical data, it does not follow a live market. "
        if pinned.model_version == MODEL_VERSION
        else ""
    )
    return say(
        "prediction",
        text=f"{replay}With market data up to {pinned.as_of.isoformat(sep=' ', timespec='minutes')} the "
        f"model {pinned.model_version} predicts that {shorten(pinned.symbol)} {what} "
        f"(horizon: {pinned.horizon}).",
    )


def _drivers(given: list[Part]) -> Statement:
    shown = fold(given, MOST_FAST)
    up, down = ([_brief(part) for part in shown if part[1] * sign > 0] for sign in (1, -1))
    sides = [f"Pushing it {side}: {listed(of)}." for side, of in (("up", up), ("down", down)) if of]
    return say(
        "prediction",
        text=f"{' '.join(sides) or 'Nothing pushes it up or down.'} This sums up the "
        f"{counted(len(given), 'contribution')} that came with the prediction, and that add up to the "
        "predicted move as a log return (the natural logarithm of the predicted price over the current "
        "price).",
    )


def _brief(part: Part) -> str:
    name = "everything else" if part[0] == OTHER else shorten(part[0])
    return f"{name} ({part[1]:+.4g})"


def _no_drivers(given: bool) -> Statement:
    text = (
        "The contributions that came with the prediction do not add up to the predicted move, so that they "
        "are not used; the whole move is left unattributed."
        if given
        else "No contributions came with the prediction, so that the whole move is left unattributed."
    )
    return say("prediction", text=text)


def _certainty(pinned: PinnedPrediction) -> Statement:
    text = f"Its confidence, as the model states it, is {percent(pinned.confidence)}."
    return say("prediction", text=text)


def _inputs(pinned: PinnedPrediction) -> list[Statement]:
    """The features as given, a few in each statement; the first `MOST_FEATURES` of them."""
    features = pinned.features or {}
    if not features:
        return [say("prediction", text="No inputs came with the prediction.")]
    shown = [f"{shorten(name)} = {_value(value)}" for name, value in islice(features.items(), MOST_FEATURES)]
    statements = [
        say(
            "prediction",
            text=f"Given with the prediction: {'; '.join(shown[first : first + _FEATURES_A_STATEMENT])}.",
        )
        for first in range(0, len(shown), _FEATURES_A_STATEMENT)
    ]
    if len(features) > len(shown):
        text = f"{len(features) - len(shown):,} more came with it and are not listed here."
        statements.append(say("prediction", text=text))
    return statements


def _value(value: FeatureValue) -> str:
    if value is None:
        return "not given"
    if isinstance(value, str):
        return f'"{shorten(value, 40)}"'
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}"


def _is_number(value: FeatureValue) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
