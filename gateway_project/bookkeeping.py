"""What is written down about every call, whichever way answers it."""

from __future__ import annotations

import time
from datetime import datetime

from accounts import last_use, usage
from accounts.callers import Caller
from accounts.models.records import NO_ACCOUNT, NO_KEY


def note_use(caller: Caller, *, at: datetime, address: str, agent: bytes) -> None:
    """The caller's key, if it is one, was used."""
    if caller.key_id is not None:
        last_use.note(caller.key_id, at=at, address=address, agent=agent.decode("latin-1"))


def count(
    caller: Caller,
    *,
    route: str,
    status: int,
    at: datetime,
    began_s: float,
    bytes_out: int,
    is_error: bool = False,
) -> None:
    """The call has been answered; `began_s` is of `time.perf_counter`."""
    usage.count(
        account_id=NO_ACCOUNT if caller.account_id is None else caller.account_id,
        key_id=caller.key_id or NO_KEY,
        route=route,
        status=status,
        latency_ms=(time.perf_counter() - began_s) * 1000,
        bytes_out=bytes_out,
        at=at,
        is_error=is_error,
    )
