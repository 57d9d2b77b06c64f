"""How long an explanation takes: the median of what recent ones of its depth took."""

from __future__ import annotations

import statistics
import threading
import time

from explanations.models import Computation

_WITHOUT_ANY_S = {"fast": 2.0, "medium": 5.0, "deep": 15.0}
_LOOKED_AT = 50
_KEPT_S = 5.0

_lock = threading.Lock()
_known: dict[str, tuple[float, float]] = {}


def typical_s(depth: str) -> float:
    """Seconds from order to end, waiting included. One query, at most every few seconds a process.

    Raises Django's database errors.
    """
    now_s = time.monotonic()
    with _lock:
        seconds, until_s = _known.get(depth, (0.0, now_s))
    if now_s < until_s:
        return seconds
    seconds = _measure(depth)
    with _lock:
        _known[depth] = seconds, now_s + _KEPT_S
    return seconds


def forget() -> None:
    """Measure anew at the next call."""
    with _lock:
        _known.clear()


def _measure(depth: str) -> float:
    done = Computation.objects.filter(Computation.IS_DONE, depth=depth)
    times = done.order_by("-finished_at").values_list("created_at", "finished_at")[:_LOOKED_AT]
    took = [(end - begin).total_seconds() for begin, end in times if end is not None]
    return statistics.median(took) if took else _WITHOUT_ANY_S[depth]
