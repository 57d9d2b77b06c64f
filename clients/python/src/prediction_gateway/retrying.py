"""Whether to try again, and when. Pure: chance and the clock come in as arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 8.0
RETRIED_STATUSES = frozenset({429, 502, 503, 504})

Uniform = Callable[[float, float], float]


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks for, as a number or a date; None if it says neither."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return bounded_s(float(value))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter of years and offsets with many digits
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return bounded_s((moment - now).total_seconds())


def bounded_s(seconds: float | None) -> float | None:
    """Seconds that somebody else told as they can be waited: not negative, and None for what is no length."""
    if seconds is None or not math.isfinite(seconds):
        return None
    return max(0.0, seconds)


def backoff_s(attempt: int, *, uniform: Uniform) -> float:
    """Exponential backoff with full jitter: seconds to wait after attempt number `attempt`, from 1 on."""
    return uniform(0.0, min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** (attempt - 1)))


def wait_s(
    attempt: int,
    *,
    retries: int,
    max_wait_s: float,
    uniform: Uniform,
    retry_after: float | None = None,
) -> float | None:
    """Seconds to wait before the attempt after number `attempt`; None: give up.

    A `retry_after` is waited in full, and a little more, so that those who were refused together do not come
    back together. One of more than `max_wait_s` is not waited at all.
    """
    if attempt > retries:
        return None
    if retry_after is None:
        return min(max_wait_s, backoff_s(attempt, uniform=uniform))
    if retry_after > max_wait_s:
        return None
    return retry_after + uniform(0.0, min(1.0, retry_after / 10))
