"""On which terms a socket follows a symbol: how often, what of it, and how much with it. Pure."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from realtime.batches import Update
from realtime.protocol.requests import Mode, Subscribe


class Terms(msgspec.Struct, frozen=True):
    """The terms of a subscription. `interval_s` counts in the modes `latest` and `batch`."""

    mode: Mode = "all"
    interval_s: float = 0.0
    min_confidence: float = 0.0
    min_move_pct: float = 0.0
    timing: bool = False

    @property
    def filters(self) -> bool:
        """True where some updates are left out for what they say."""
        return self.min_confidence > 0 or self.min_move_pct > 0

    def passes(self, update: Update) -> bool:
        """True for an update that is not to be left out."""
        return update.confidence >= self.min_confidence and update.move_pct >= self.min_move_pct


PLAIN = Terms()
"""What nearly everyone asks for: every update, as it comes."""


def terms_of(request: Subscribe) -> Terms:
    """What `request` asks for; equal terms are one object, however many sockets have them."""
    return _shared(
        request.mode,
        0.0 if request.mode == "all" else request.interval_ms / 1000,
        request.min_confidence,
        request.min_move_pct,
        request.timing,
    )


@lru_cache(maxsize=1_000)
def _shared(mode: Mode, interval_s: float, min_confidence: float, min_move_pct: float, timing: bool) -> Terms:
    terms = Terms(mode, interval_s, min_confidence, min_move_pct, timing)
    return PLAIN if terms == PLAIN else terms
