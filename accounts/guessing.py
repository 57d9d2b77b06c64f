"""Credentials that nobody knows, by address: looking them up is how a stranger could keep the database busy.

Counted in each process, without Redis: a guard that costs a round trip would be the next thing to keep busy.
Calls that are under way together are counted when they have failed, so a few more than the limit get through.
"""

from __future__ import annotations

import time

from accounts.limits import LimitRule, Subject
from accounts.local_limiter import LocalLimiter
from accounts.networks import block_of

_RULES = (LimitRule("unknown-credentials", "ip", 300, 60, None, "", None),)
_counted = LocalLimiter()


REASONS = ("unknown", "token")
"""Of a refusal: those that took a look-up."""


class TooManyGuesses(Exception):
    """The address has offered too many credentials that are not known here."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("Too many unknown credentials came from this address.")
        self.wait_s = wait_s


def check(address: str) -> None:
    """Raise `TooManyGuesses` if nothing from `address` is to be looked up just now."""
    standing = _counted.take(_RULES, _subject(address), now_s=time.monotonic(), cost=0).standings[0]
    if standing.remaining == 0:
        raise TooManyGuesses(standing.reset_s)


def failed(address: str) -> None:
    """Count a look-up that has found nothing."""
    _counted.take(_RULES, _subject(address), now_s=time.monotonic())


def _subject(address: str) -> Subject:
    return Subject(account_id=None, lineage=None, address=block_of(address), route="")
