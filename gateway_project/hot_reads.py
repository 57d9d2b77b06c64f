"""Hot reads: the reads that make up nearly all traffic, answered before Django.

target -> plan (`hot_plans`), headers -> conditions (`hot_conditions`) -> caller -> value -> answer
(`hot_answers`). The value comes from the board of this process, or from Redis; a page of the history from the
record, in a thread, since the rest of Django would cost as much again. Both ways of a read, this one
and Django's, call the same functions for who may, what it costs and how it is shown. On anything unusual
there is no answer here, and the untouched request goes to Django.

`at_once` needs no I/O, but that a caller with limits is counted in Redis: the server's own protocol calls it,
before ASGI. `answer` is called by the rim once the caller is let in: for what is not on the board, and on any
other server.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import InterfaceError, OperationalError

from accounts import access, credentials, directory
from accounts.access import NotAllowed
from accounts.callers import Caller
from accounts.directory import UnknownTier
from accounts.limits import LimitRule
from explanations import asking
from explanations import stored as explanations_stored
from gateway_project import admission, bookkeeping, django_queue, hot_answers, hot_plans, house_headers
from gateway_project.admission import Admission, Refused
from gateway_project.config import Config
from gateway_project.database import database_outage
from gateway_project.hot_answers import Found, Ready
from gateway_project.hot_conditions import Conditions
from gateway_project.hot_plans import Plan
from observability import request_context, request_tally
from observability.redis_link import RedisUnavailable
from predictions import stored
from predictions.answers import Shown
from realtime import hub
from realtime.board import Board

logger = logging.getLogger(__name__)

_config: Config = settings.GATEWAY
_METHODS = frozenset({b"GET", b"HEAD"})
# Uses of a key are written every few seconds, and the last is what counts.
_NOTE_EVERY_S = 1.0


def prepare() -> None:
    """Work out what the first reads would otherwise wait for."""
    hot_answers.prepare(ROUTES)


def find_plan(target: bytes) -> Plan | None:
    """The plan of a target that `at_once` may answer."""
    if not _ON_BOARD or hot_plans.is_next_page(target):
        return None
    plan = hot_plans.find(target)
    return plan if plan is not None and plan.route in _ON_BOARD else None


@dataclass(slots=True)
class Limited:
    """A read of what is on the board, once the limits of its caller are asked."""

    method: bytes
    plan: Plan
    conditions: Conditions
    caller: Caller
    rules: tuple[LimitRule, ...]
    found: Found
    now: datetime
    began_s: float

    async def answer(self) -> Ready:
        """The whole answer, whatever it is."""
        plan, conditions, now = self.plan, self.conditions, self.now
        request_id = request_context.accept_or_make(conditions.request_id)
        request_context.bind(request_id, address=conditions.address, arrived_at=now)
        try:
            admitted = await admission.charge(
                self.caller, self.rules, route=plan.route, address=conditions.address, cost=plan.cost, now=now
            )
            ready = hot_answers.show(plan, conditions, self.found)
        except Refused as refused:
            admitted, ready = Admission(self.caller), hot_answers.refuse(refused, plan, conditions)
        except Exception:  # nobody above would answer
            logger.exception("a hot read failed")
            admitted, ready = (
                Admission(self.caller),
                hot_answers.refuse(Refused("INTERNAL_ERROR"), plan, conditions),
            )
        return _finish(self.method, plan, conditions, admitted, ready, request_id, now, self.began_s)


def at_once(method: bytes, plan: Plan, conditions: Conditions, board: Board) -> Ready | Limited | None:
    """The whole answer to a caller without limits who asks for what is on the board.

    The request is then counted, and has left its mark on the key, as at the rim. `Limited` for a caller with
    limits; None for whatever is unusual.
    """
    began_s = time.perf_counter()
    if method not in _METHODS or not conditions.is_plain or conditions.is_traced:
        return None
    now, address = datetime.now(UTC), conditions.address
    caller = credentials.known_caller(conditions.digest, now=now, address=address)
    if caller is None:
        return None
    rules = _rules_of(caller, plan, conditions)
    if rules is None:
        return None
    found = _find(plan, board)
    if found is None:
        return None
    if rules:
        return Limited(method, plan, conditions, caller, rules, found, now, began_s)
    request_id = request_context.accept_or_make(conditions.request_id)
    ready = hot_answers.show(plan, conditions, found)
    return _finish(method, plan, conditions, Admission(caller), ready, request_id, now, began_s)


async def answer(method: str, target: bytes, conditions: Conditions, caller: Caller) -> Ready | None:
    """The answer to a caller whom the rim has let in; None where Django has to give it."""
    plan = hot_plans.find(target) if method in ("GET", "HEAD") else None
    if plan is None or not conditions.is_plain:
        return None
    try:
        return await _ANSWERS[plan.route](plan, conditions, caller)
    except Refused:
        raise
    except (RedisUnavailable, asking.CannotTell, DatabaseFailure):
        return None
    except Exception:  # whatever it is: Django's way is there, and words it if it meets the same
        logger.exception("a hot read failed")
        return None


def _rules_of(caller: Caller, plan: Plan, conditions: Conditions) -> tuple[LimitRule, ...] | None:
    """The limits of a caller who may do this; None where that is refused, or not known here."""
    try:
        held = conditions.permitted
        if held is None or held[0] is not caller or held[1] is not plan.need:
            access.check(plan.need, caller, anonymous_access=_config.anonymous_access)
            conditions.permitted = (caller, plan.need)
        return directory.current().rules(caller.tier, plan.route)
    except (NotAllowed, UnknownTier):
        return None


def _find(plan: Plan, board: Board) -> Found | None:
    """All that is asked for, where the board has all of it."""
    if plan.include_features:
        return None
    if plan.route == "prediction":
        return board.find(plan.symbols[0])
    found: dict[str, Shown] = {}
    for symbol in plan.symbols:
        shown = board.find(symbol)
        if shown is None:
            return None
        found[symbol] = shown
    return found


def _finish(
    method: bytes,
    plan: Plan,
    conditions: Conditions,
    admitted: Admission,
    ready: Ready,
    request_id: str,
    now: datetime,
    began_s: float,
) -> Ready:
    """The answer with what it owes its caller; it is counted, and the use of the key noted."""
    caller = admitted.caller
    ready.headers.append((request_context.RAW_HEADER, request_id.encode("ascii")))
    if admitted.decision is not None or caller.replaced_until is not None:
        ready.headers.extend(house_headers.encoded(admitted.settle(ready.status, now)))
    if method == b"HEAD":
        ready = ready._replace(body=b"")
    if began_s - conditions.noted_at_s >= _NOTE_EVERY_S:
        conditions.noted_at_s = began_s
        bookkeeping.note_use(caller, at=now, address=conditions.address, agent=conditions.agent)
    route, status, size, seconds = plan.route, ready.status, len(ready.body), time.perf_counter() - began_s
    bookkeeping.count_answer(
        caller,
        method="GET" if method == b"GET" else "HEAD",
        route=route,
        path=plan.path,
        status=status,
        seconds=seconds,
        bytes_in=0,
        bytes_out=size,
        request_id=request_id,
        address=conditions.address,
        agent=conditions.agent,
    )
    bookkeeping.count_call(caller, route=route, status=status, at=now, seconds=seconds, bytes_out=size)
    request_tally.read(route, "board")
    return ready


async def _predictions(plan: Plan, conditions: Conditions, caller: Caller) -> Ready | None:
    board = hub.current().board
    on_board = _find(plan, board)
    if on_board is not None:
        request_tally.read(plan.route, "board")
        return hot_answers.show(plan, conditions, on_board)
    mark = board.mark()
    values = await stored.get(plan.symbols)
    if len(values) < len(plan.symbols):
        return None
    request_tally.read(plan.route, "redis")
    for value in values.values():
        board.learn(value.document, mark)
    found = {s: value.shown(include_features=plan.include_features) for s, value in values.items()}
    return hot_answers.show(plan, conditions, found[plan.symbols[0]] if plan.route == "prediction" else found)


async def _history(plan: Plan, conditions: Conditions, caller: Caller) -> Ready | None:
    try:
        return await django_queue.run(conditions.address, hot_answers.read_history, plan, conditions)
    except (OperationalError, InterfaceError) as error:
        database_outage.failed(error)
        raise admission.unavailable(
            "The database cannot be reached right now; try again in a moment."
        ) from None


async def _explanation(plan: Plan, conditions: Conditions, caller: Caller) -> Ready | None:
    found = await explanations_stored.get(plan.symbols[0], plan.depth)
    return None if found is None else hot_answers.conclude(plan, conditions, found.tag, lambda: found.body)


async def _job(plan: Plan, conditions: Conditions, caller: Caller) -> Ready | None:
    if plan.job_id is None:
        return None
    found = await asking.current().find(plan.job_id, account_id=caller.account_id)
    if found is None:
        return None
    if isinstance(found, asking.Done):
        return hot_answers.conclude(plan, conditions, found.tag, lambda: found.body)
    headers = house_headers.encoded(found.headers.items())
    return hot_answers.give(plan, conditions, 202, headers, found.body)


_ANSWERS = {
    "prediction": _predictions,
    "predictions": _predictions,
    "prediction-history": _history,
    "explanation": _explanation,
    "explanation-job": _job,
}
_IS_ON = _config.hot_reads and _config.gateway_role != "ws"
ROUTES = frozenset(_ANSWERS) if _IS_ON else frozenset()
_ON_BOARD = ROUTES & {"prediction", "predictions"}
