"""What each input would have to be for the prediction to turn around, all else equal. Pure."""

from __future__ import annotations

import math

from events.explanations import Statement, WhatIf
from pipeline.features import VOLATILITY_21D
from pipeline.model import Fit, Prediction
from pipeline.wording import LABELS, in_words, listed, opened, reading, say

# Farther from the average of the training days than this, and than it is now, is called absurd.
MOST_DEVIATIONS = 5.0
# How far beyond "no move" the needed value goes, as a share of the way, so that the sign does change.
_BEYOND = 1e-6


def find_what_ifs(prediction: Prediction) -> list[WhatIf]:
    """One entry for each input that can turn the sign within reason, the least change first.

    The change is measured in standard deviations of the input. `needed` lies a millionth of the way beyond
    the value at which the model predicts no move. Empty where no move is predicted.
    """
    fit, total = prediction.fit, prediction.predicted_log_return
    turns = "rise into a fall" if total > 0 else "fall into a rise"
    found = []
    for number, name in enumerate(fit.names):
        value = prediction.inputs[name]
        needed = _needed(fit, number, value, total)
        if needed is None or not _is_possible(name, needed):
            continue
        if _is_absurd(fit, number, value=value, needed=needed):
            continue
        change = abs(needed - value) / float(fit.scales[number])
        side = "below" if needed < value else "above"
        text = (
            f"{opened(LABELS[name])} would have to be {side} {reading(name, needed)} instead of "
            f"{reading(name, value)}, all else equal, to turn the predicted {turns}. "
            f"The change is {change:.1f} times the usual spread of this input."
        )
        found.append((change, WhatIf(name=name, input=value, needed=needed, text=text)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def tell_what_ifs(found: list[WhatIf], prediction: Prediction) -> Statement:
    """What `found` means, and what was left out and why."""
    if prediction.predicted_log_return == 0:
        return say("model", text="The model predicts no move, so that there is no direction to turn around.")
    why = (
        "no possible value would do, or only one more than "
        f"{MOST_DEVIATIONS:g} standard deviations from the average of the training days."
    )
    if not found:
        text = f"No single input would turn the predicted direction around within reason: {why}"
        return say("model", "data", text=text)
    names = listed([LABELS[one.name] for one in found], "or")
    return say(
        "model",
        "data",
        text="The predicted direction would turn around if one of these alone were different enough: "
        f"{names}. {_tell_rest(len(prediction.fit.names) - len(found), why)}The inputs come from the same "
        "prices, so that in reality one seldom changes alone.",
    )


def _tell_rest(count: int, why: str) -> str:
    if not count:
        return ""
    return f"{opened(in_words(count))} {'input is' if count == 1 else 'inputs are'} left out, because {why} "


def _needed(fit: Fit, number: int, value: float, total: float) -> float | None:
    """The value of the input that moves the prediction just past zero; None where none does."""
    slope = float(fit.coefficients[number] / fit.scales[number])
    if slope == 0 or total == 0:
        return None
    needed = value - total / slope * (1 + _BEYOND)
    return needed if math.isfinite(needed) else None


def _is_possible(name: str, needed: float) -> bool:
    return name != VOLATILITY_21D or needed >= 0


def _is_absurd(fit: Fit, number: int, *, value: float, needed: float) -> bool:
    mean, scale = float(fit.means[number]), float(fit.scales[number])
    usual = max(MOST_DEVIATIONS, abs(value - mean) / scale)
    return abs(needed - mean) / scale > usual
