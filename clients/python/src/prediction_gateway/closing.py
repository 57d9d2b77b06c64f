"""What each end of a connection means for coming back, as the protocol's table says. Pure."""

from __future__ import annotations

from prediction_gateway.retrying import Uniform

USELESS = frozenset({4400, 4401, 4403, 4413, 1007, 1009})
"""Mend the client, or get another credential."""
CLOSING_ERRORS = frozenset(
    {
        "MESSAGE_TOO_BIG",
        "TOO_FAST",
        "UNAUTHENTICATED",
        "AUTH_TIMEOUT",
        "INVALID_CREDENTIAL",
        "TOO_MANY_ATTEMPTS",
        "CREDENTIAL_ENDED",
        "CREDENTIAL_CHANGED",
        "ORIGIN_REFUSED",
        "TOO_MANY_CONNECTIONS",
        "SERVER_FULL",
        "DISCONNECTED",
        "IDLE",
        "SLOW_READER",
    }
)
"""Errors after which the gateway closes, besides those at the handshake."""
IDLE = 4408
TOO_FAST = 4429
TOO_FAST_PAUSE_S = 60.0
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 30.0


class Backoff:
    """1 s, 2 s, 4 s … up to 30 s, each with jitter, until a good update begins anew."""

    def __init__(self, uniform: Uniform) -> None:
        self._uniform = uniform
        self._next_s = FIRST_BACKOFF_S
        self._was_idle = False

    def reset(self) -> None:
        """An update has come."""
        self._next_s = FIRST_BACKOFF_S
        self._was_idle = False

    def pause_s(self, code: int | None) -> float:
        """Seconds until to come back after an end with `code` (None: no connection came about)."""
        if code == TOO_FAST:
            return TOO_FAST_PAUSE_S * self._uniform(1.0, 1.1)
        if code == IDLE and not self._was_idle:
            # At once, but not again and again: who was idle twice without an update has nothing to hurry for.
            self._was_idle = True
            return 0.0
        pause_s = self._next_s * self._uniform(0.5, 1.0)
        self._next_s = min(2 * self._next_s, LONGEST_BACKOFF_S)
        return pause_s
