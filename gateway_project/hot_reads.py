"""Hot reads: the reads that make up nearly all traffic, answered before Django.

target -> plan (`hot_plans`), headers -> conditions (`hot_conditions`) -> caller -> value -> answer. The value
comes from the board of this process, or from Redis. Both ways of a read, this one and Django's, call the same
functions for who may, what it costs and how it is shown. On anything unusual there is no answer here, and the
untouched request goes to Django.

`at_once` needs no I/O, but that a caller with limits is counted in Redis: the server's own protocol calls it,
before ASGI. `answer` is called by the rim once the caller is let in: for what is not on the board, and on any
other server.
"""

from __future__ import annotations

import functools
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from django.conf import settings
from django.urls import reverse

from accounts import access, credentials, directory
from accounts.access import NotAllowed
from accounts.callers import Caller
from accounts.directory import UnknownTier
from accounts.limits import LimitRule
from explanations import asking
from explanations import stored as explanations_stored
from gateway_project import admission, bookkeeping, hot_plans, house_headers, refusals
from gateway_project.admission import Admission, Refused
from gateway_project.config import Config
from gateway_project.hot_conditions import Conditions
from gateway_project.hot_plans import Plan
from gateway_project.house_headers import HouseHeaders, Pair
from observability import request_context, request_tally
from observability.redis_link import RedisUnavailable
from predictions import answers, rendering, stored
from predictions.answers import Shown
from predictions.compression import Body
from realtime import hub
from realtime.board import Board

logger = logging.getLogger(__name__)

_config: Config = settings.GATEWAY
_METHODS = frozenset({b"GET", b"HEAD"})
_NOTHING = Body(b"")
_NO_HOUSE = house_headers.of(())
# Uses of a key are written every few seconds, and the last is what counts.
_NOTE_EVERY_S = 1.0


# A prediction, or those of a batch by their symbols.
_Found = Shown | dict[str, Shown]


class Ready(NamedTuple):
    """An answer: headers that all answers of the route carry, those of this one, and the body."""

    status: int
    house: HouseHeaders
    headers: list[Pair]
    body: bytes


def prepare() -> None:
    """Work out what the first reads would otherwise wait for."""
    for route in ROUTES:
        _house(route)


def find_plan(target: bytes) -> Plan | None:
    """The plan of a target that `at_once` may answer."""
    plan = hot_plans.find(target) if _ON_BOARD else None
    return plan if plan is not None and plan.route in _ON_BOARD else None


@dataclass(slots=True)
class Limited:
    """A read of what is on the board, once the limits of its caller are asked."""

    method: bytes
    plan: Plan
    conditions: Conditions
    caller: Caller
    rules: tuple[LimitRule, ...]
    found: _Found
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
            ready = _show(plan, conditions, self.found)
        except Refused as refused:
            admitted, ready = Admission(self.caller), _refuse(refused, plan, conditions)
        except Exception:
            logger.exception("a hot read failed")
            admitted, ready = Admission(self.caller), _refuse(Refused("INTERNAL_ERROR"), plan, conditions)
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
    ready = _show(plan, conditions, found)
    return _finish(method, plan, conditions, Admission(caller), ready, request_id, now, began_s)


async def answer(method: str, target: bytes, conditions: Conditions, caller: Caller) -> Ready | None:
    """The answer to a caller whom the rim has let in; None where Django has to give it."""
    plan = hot_plans.find(target) if method in ("GET", "HEAD") else None
    if plan is None or not conditions.is_plain:
        return None
    try:
        return await _ANSWERS[plan.route](plan, conditions, caller)
    except (RedisUnavailable, asking.CannotTell):
        return None


def _rules_of(caller: Caller, plan: Plan, conditions: Conditions) -> tuple[LimitRule, ...] | None:
    """The limits of a caller who may do this; None where that is refused, or not known here."""
    try:
        held = conditions.permitted
        if held is None or held[0] is not caller or held[1] is not plan.need:
            access.check(
                plan.need,
                authenticated=True,
                scopes=caller.scopes,
                anonymous_access=_config.anonymous_access,
            )
            conditions.permitted = (caller, plan.need)
        return directory.current().rules(caller.tier, plan.route)
    except (NotAllowed, UnknownTier):
        return None


def _find(plan: Plan, board: Board) -> _Found | None:
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


def _show(plan: Plan, conditions: Conditions, found: _Found) -> Ready:
    return _one(plan, conditions, found) if isinstance(found, Shown) else _many(plan, conditions, found)


def _refuse(refused: Refused, plan: Plan, conditions: Conditions) -> Ready:
    status, headers, body = refusals.answer(refused, path=plan.path, asked=conditions.headers)
    return Ready(status, _NO_HOUSE, [*headers, *conditions.hsts], body)


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
        return _show(plan, conditions, on_board)
    mark = board.mark()
    values = await stored.get(plan.symbols)
    if len(values) < len(plan.symbols):
        return None
    request_tally.read(plan.route, "redis")
    for value in values.values():
        board.learn(value.document, mark)
    found = {s: value.shown(include_features=plan.include_features) for s, value in values.items()}
    return _show(plan, conditions, found[plan.symbols[0]] if plan.route == "prediction" else found)


async def _explanation(plan: Plan, conditions: Conditions, caller: Caller) -> Ready | None:
    found = await explanations_stored.get(plan.symbols[0], plan.depth)
    return None if found is None else _conclude(plan, conditions, found.tag, lambda: found.body)


async def _job(plan: Plan, conditions: Conditions, caller: Caller) -> Ready | None:
    if plan.job_id is None:
        return None
    found = await asking.current().find(plan.job_id, account_id=caller.account_id)
    if found is None:
        return None
    if isinstance(found, asking.Done):
        return _conclude(plan, conditions, found.tag, lambda: found.body)
    headers = [(name.lower().encode(), value.encode()) for name, value in found.headers.items()]
    return _give(plan, conditions, 202, headers, found.body)


_ANSWERS = {
    "prediction": _predictions,
    "predictions": _predictions,
    "explanation": _explanation,
    "explanation-job": _job,
}
_IS_ON = _config.hot_reads and _config.gateway_role != "ws"
ROUTES = frozenset(_ANSWERS) if _IS_ON else frozenset()
_ON_BOARD = ROUTES & {"prediction", "predictions"}


def _one(plan: Plan, conditions: Conditions, shown: Shown) -> Ready:
    now_us, stale_after_s = time.time_ns() // 1000, _config.stale_after_s
    tag = shown.etag(now_us=now_us, stale_after_s=stale_after_s)
    return _conclude(
        plan, conditions, tag, lambda: Body(shown.body(now_us=now_us, stale_after_s=stale_after_s))
    )


class _Batch(NamedTuple):
    tag: str
    made_us: int
    body: Body


# An answer for many is the same until one of its values changes, but for the ages in it, which are told up to
# this much too low. Compressing it takes ten times as long as everything else.
_BATCH_KEPT_US = 250_000
_MOST_BATCHES = 256
_batches: dict[Plan, _Batch] = {}


def _many(plan: Plan, conditions: Conditions, found: Mapping[str, Shown]) -> Ready:
    now_us = time.time_ns() // 1000
    tag, make = answers.batch(plan.symbols, found, now_us=now_us, stale_after_s=_config.stale_after_s)

    def render() -> Body:
        held = _batches.get(plan)
        if held is None or held.tag != tag or not 0 <= now_us - held.made_us < _BATCH_KEPT_US:
            if len(_batches) >= _MOST_BATCHES:
                _batches.clear()
            held = _batches[plan] = _Batch(tag, now_us, Body(rendering.encode(make())))
        return held.body

    return _conclude(plan, conditions, tag, render)


def _conclude(plan: Plan, conditions: Conditions, tag: str, make: Callable[[], Body]) -> Ready:
    """304 for whoever has this version, else 200 with the body."""
    headers = [(b"etag", tag.encode("latin-1"))]
    if conditions.known is not None and answers.matches(conditions.known, tag):
        return _give(plan, conditions, 304, headers, _NOTHING)
    return _give(plan, conditions, 200, headers, make())


def _give(plan: Plan, conditions: Conditions, status: int, headers: list[Pair], body: Body) -> Ready:
    headers += conditions.cors
    headers += conditions.hsts
    sent = body.compressed() if conditions.takes_gzip else None
    if sent is not None:
        headers.append((b"content-encoding", b"gzip"))
    else:
        sent = body.plain
    headers.append((b"content-length", b"%d" % len(sent)))
    return Ready(status, _house(plan.route)[status], headers, sent)


# A place of each route, to ask Django there.
_PLACES: dict[str, dict[str, str]] = {
    "prediction": {"symbol": "A"},
    "predictions": {},
    "explanation": {"symbol": "A"},
    "explanation-job": {"job_id": str(uuid.UUID(int=0))},
}


@functools.cache
def _house(route: str) -> dict[int, HouseHeaders]:
    """What all answers of a route carry, by their status."""
    said = house_headers.ask(reverse(route, kwargs=_PLACES[route])).pairs
    is_json = (b"content-type", b"application/json")
    kept = answers.validators("", max_age_s=_config.cache_max_age_s)
    kept.pop("ETag")
    same = (*said, *house_headers.encoded(kept.items()))
    return {
        200: house_headers.of((*same, is_json)),
        202: house_headers.of((*said, is_json)),
        304: house_headers.of(same),
    }
