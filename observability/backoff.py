"""How long to wait before the next try: doubling, bounded, with jitter so that peers do not march in step."""

from __future__ import annotations

import random


def delay_s(attempt: int, *, first_s: float = 0.1, most_s: float = 5.0) -> float:
    """Seconds before try `attempt` (1 is the first retry): between half and all of the doubled delay."""
    ceiling = min(most_s, first_s * 2.0 ** min(attempt - 1, 30))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
