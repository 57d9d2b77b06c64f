"""Past days that looked like the one to explain, and what followed them. Pure.

They illustrate; the model itself knows no single days. Gets what was known at the close and no more.
"""

from __future__ import annotations

import numpy as np

from events.explanations import SimilarDay, Statement
from pipeline.known_past import KnownPast
from pipeline.wording import change, counted, in_words, listed, opened, say

MOST_DAYS = 5


def find_similar_days(past: KnownPast, most: int = MOST_DAYS) -> list[SimilarDay]:
    """The `most` nearest days, nearest first, of two equally near the older first.

    Distance is the root mean square over the inputs of the difference in standard deviations, as the
    model's own fit has them. `move` is the log return from that day's close to the next.
    """
    fit = past.prediction.fit
    today = np.array([past.prediction.inputs[name] for name in fit.names])
    apart = (past.inputs - today) / fit.scales
    distances = np.sqrt((apart**2).mean(axis=1))
    nearest = np.argsort(distances, kind="stable")[:most]
    return [
        SimilarDay(
            date=past.dates[row].item().isoformat(),
            distance=float(distances[row]),
            move=float(past.moves[row]),
        )
        for row in nearest.tolist()
    ]


def tell_similar_days(days: list[SimilarDay], past: KnownPast) -> Statement:
    """One paragraph about `days`, of which there is at least one."""
    moves = sorted(day.move for day in days)
    rises = sum(move > 0 for move in moves)
    each = listed([f"{day.date} ({change(day.move)} the next day)" for day in days])
    return say(
        "data",
        "model",
        text=f"Of the {counted(len(past.dates), 'earlier day')} whose next move was known by then, the "
        f"{in_words(len(days))} whose inputs come closest are {each}. "
        f"{opened(_rises_of(rises, len(days)))}; the average move was {change(sum(moves) / len(moves))}, "
        f"from {change(moves[0])} to {change(moves[-1])}. On these days each input was typically "
        f"{days[0].distance:.2f} to {days[-1].distance:.2f} standard deviations (the "
        "usual spread) away from its value now. "
        "So few days prove nothing, and the model does not use them: they only show what has happened.",
    )


def _rises_of(rises: int, days: int) -> str:
    if rises == days:
        return "the price rose after all of them"
    return f"the price rose after {in_words(rises) if rises else 'none'} of them"
