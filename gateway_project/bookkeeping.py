"""What is written down about every call, whichever way answers it."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from accounts import last_use, usage
from accounts.callers import Caller
from accounts.models.records import NO_ACCOUNT, NO_KEY
from observability import access_log, request_tally
from observability.access_lines import PROBES

_IS_LOGGED: bool = settings.GATEWAY.writes_access_log
_NOT_LOGGED = frozenset() if settings.GATEWAY.log_level == "DEBUG" else PROBES


def note_use(caller: Caller, *, at: datetime, address: str, agent: bytes) -> None:
    """The caller's key, if it is one, was used."""
    if caller.key_id is not None:
        last_use.note(caller.key_id, at=at, address=address, agent=agent.decode("latin-1"))


def count_answer(  # noqa: PLR0913
    caller: Caller,
    *,
    method: str,
    route: str,
    path: str,
    status: int,
    seconds: float,
    bytes_in: int,
    bytes_out: int,
    request_id: str,
    address: str,
    agent: bytes,
) -> None:
    """A request has been answered after `seconds`: for Prometheus, and for the access log."""
    kind = "key" if caller.key_id is not None else "person" if caller.user_id is not None else "none"
    request_tally.count(
        method, route, status, kind=kind, seconds=seconds, bytes_in=bytes_in, bytes_out=bytes_out
    )
    if _IS_LOGGED and route not in _NOT_LOGGED:
        access_log.note(
            request_id=request_id,
            method=method,
            route=route,
            path=path,
            status=status,
            seconds=seconds,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            caller=caller.name,
            account_id=caller.account_id,
            tier=caller.tier,
            address=address,
            agent=agent,
        )


def count_call(
    caller: Caller,
    *,
    route: str,
    status: int,
    at: datetime,
    seconds: float,
    bytes_out: int,
    is_error: bool = False,
) -> None:
    """A call of the API has been answered: for the usage of its caller."""
    usage.count(
        account_id=NO_ACCOUNT if caller.account_id is None else caller.account_id,
        key_id=caller.key_id or NO_KEY,
        route=route,
        status=status,
        latency_ms=seconds * 1000,
        bytes_out=bytes_out,
        at=at,
        is_error=is_error,
    )
