"""How the model did on a symbol up to a prediction, against the naive forecast, told honestly. Pure."""

from __future__ import annotations

from events.explanations import Record, Statement
from pipeline.evaluation import NOISE_T, Evaluation, measure
from pipeline.known_past import KnownPast
from pipeline.model import Prediction
from pipeline.wording import counted, percent, say

# Below this many predictions neither side is called better.
_FEW = 100


def find_record(past: KnownPast) -> tuple[Record | None, Statement]:
    """The record over the earlier predictions whose outcome was known, with a paragraph about it.

    No record where there was no such prediction yet.
    """
    prediction, count = past.prediction, len(past.outcomes.dates)
    if not count:
        text = (
            f"{prediction.as_of} is the first day predicted for {prediction.symbol}, so that there "
            "is no record of earlier predictions yet."
        )
        return None, say("evaluation", text=text)
    measured = measure(prediction.symbol, past.outcomes)
    record = Record(
        predictions=count,
        mape=measured.model.mape,
        naive_mape=measured.naive.mape,
        hit_rate=measured.hit_rate,
        text=f"{_verdict(measured, prediction)} {_errors(measured)}",
    )
    return record, say("evaluation", text=f"{record.text} {_directions(measured)}")


def _verdict(measured: Evaluation, prediction: Prediction) -> str:
    on = f"On {prediction.symbol} up to {prediction.as_of}"
    if measured.count < _FEW:
        return f"{on} the model made too few predictions to judge it by."
    if not abs(measured.gain_t) >= NOISE_T:
        return f"{on} the model was no better than the naive forecast."
    if measured.gain_t < 0:
        return f"{on} the model was worse than the naive forecast."
    return f"{on} the model was slightly better than the naive forecast."


def _errors(measured: Evaluation) -> str:
    judged = measured.count >= _FEW and not abs(measured.gain_t) >= NOISE_T
    noise = "; the difference is within chance" if judged else ""
    model, naive = percent(measured.model.mape, 3), percent(measured.naive.mape, 3)
    return (
        f"Over {counted(measured.count, 'earlier prediction')} it missed the next close by {model} of the "
        f"price on average, the naive forecast (that the price stays as it "
        f"is) by {naive}{noise}."
    )


def _directions(measured: Evaluation) -> str:
    return (
        f"It named the right direction in {percent(measured.hit_rate)} of the cases (a day without a move "
        f"counts as wrong); always saying 'up' would have been right in {percent(measured.up_rate)}. "
        f"Its stated confidence was {percent(measured.mean_confidence)} on average."
    )
