"""How often a password may be tried: django-ratelimit behind one function, for DRF's views and Django's own.

It counts in fixed windows in the cache, by address and by user name. A guard that cannot count stays shut.
What happens to callers who have shown a credential is the limiter's business.
"""

from __future__ import annotations

import hashlib
import unicodedata

import redis
from django.http import HttpRequest
from django_ratelimit.core import get_usage  # type: ignore[import-untyped] # it ships none
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from accounts.networks import block_of
from observability.outages import Outage

_outage = Outage("the counter of login attempts")


class TooManyAttempts(APIException):
    """429: the address or the user name has used up its attempts."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "too_many_attempts"
    default_detail = "There were too many attempts; try again later."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class GuardUnavailable(APIException):
    """503: attempts cannot be counted just now."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "store_unavailable"
    default_detail = "Attempts cannot be counted right now; try again in a moment."
    retry_after_s = 2


def guard(
    request: HttpRequest | Request,
    *,
    group: str,
    per_address: str,
    per_user: tuple[str, str] | None = None,
) -> None:
    """Count an attempt at `group`, by the client's address and, with `per_user`, by a user name.

    `per_address` is a rate such as ``100/m``; `per_user` a user name and its rate. What the address may not
    try any more is not counted against the user name. Raises `TooManyAttempts`, `GuardUnavailable`.
    """
    _count(request, group, f"address {block_of(request.META.get('REMOTE_ADDR') or '')}", per_address)
    if per_user is not None:
        name, rate = per_user
        # A mistyped user name may be a password: it is not kept.
        digest = hashlib.sha256(_folded(name).encode(errors="replace")).hexdigest()
        _count(request, group, f"user {digest}", rate)


def _folded(name: str) -> str:
    """One spelling for all that the login forms take for the same user: they fold width, case and spaces."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _count(request: HttpRequest | Request, group: str, who: str, rate: str) -> None:
    if not _outage.worth_trying():
        raise GuardUnavailable
    try:
        usage = get_usage(request, group=group, key=lambda *_: who, rate=rate, increment=True)
    except (redis.RedisError, OSError) as error:
        _outage.failed(error)
        raise GuardUnavailable from error
    _outage.succeeded()
    if usage is None:  # switched off by RATELIMIT_ENABLE
        return
    if usage["count"] == 0:  # the counter went away between two commands
        raise GuardUnavailable
    if usage["should_limit"]:
        raise TooManyAttempts(max(1, usage["time_left"]))
