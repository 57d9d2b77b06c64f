"""Hot reads: the reads that make up nearly all traffic, answered before Django.

target -> plan (`hot_plans`), headers -> conditions (`hot_conditions`) -> caller -> value -> answer. The value
comes from the board of this process, or from Redis. Both ways of a read, this one and Django's, call the same
functions for who may, what it costs and how it is shown. On anything unusual there is no answer here, and the
untouched request goes to Django.

`at_once` needs no I/O: the server's own protocol calls it, before ASGI. `answer` is called by the rim once
the caller is let in: for callers whose tier has limits, for what is not on the board, on any other server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from django.conf import settings

from accounts import access, credentials, directory
from accounts.access import NotAllowed
from accounts.callers import Caller
from accounts.directory import UnknownTier
from explanations import asking
from explanations import stored as explanations_stored
from gateway_project import bookkeeping, hot_plans, house_headers
from gateway_project.config import Config
from gateway_project.hot_conditions import Conditions
from gateway_project.hot_plans import Plan
from gateway_project.house_headers import HouseHeaders, Pair
from observability import request_context
from observability.redis_link import RedisUnavailable
from predictions import answers, rendering, stored
from predictions.answers import Shown
from predictions.compression import Body
from realtime import hub
from realtime.board import Board

_config: Config = settings.GATEWAY
_METHODS = frozenset({b"GET", b"HEAD"})
_NOTHING = Body(b"")
# Uses of a key are written every few seconds, and the last is what counts.
_NOTE_EVERY_S = 1.0


class Ready(NamedTuple):
    """An answer: headers that all answers of the route carry, those of this one, and the body."""

    status: int
    house: HouseHeaders
    headers: list[Pair]
    body: bytes


def find_plan(target: bytes) -> Plan | None:
    """The plan of a target that `at_once` may answer."""
    plan = hot_plans.find(target) if _ON_BOARD else None
    return plan if plan is not None and plan.route in _ON_BOARD else None


def at_once(method: bytes, plan: Plan, conditions: Conditions, board: Board) -> Ready | None:
    """The whole answer to a caller without limits who asks for what is on the board; else None.

    The request is then counted, and has left its mark on the key, as at the rim.
    """
    began_s = time.perf_counter()
    if method not in _METHODS or not conditions.is_plain:
        return None
    now, address = datetime.now(UTC), conditions.address
    caller = credentials.known_caller(conditions.digest, now=now, address=address)
    if caller is None or caller.replaced_until is not None or not _may_without_limit(caller, plan):
        return None
    ready = _from_board(plan, conditions, board)
    if ready is None:
        return None
    request_id = request_context.accept_or_make(conditions.request_id)
    ready.headers.append((request_context.RAW_HEADER, request_id.encode("ascii")))
    if method == b"HEAD":
        ready = ready._replace(body=b"")
    if began_s - conditions.noted_at_s >= _NOTE_EVERY_S:
        conditions.noted_at_s = began_s
        bookkeeping.note_use(caller, at=now, address=address, agent=conditions.agent)
    bookkeeping.count(
        caller, route=plan.route, status=ready.status, at=now, began_s=began_s, bytes_out=len(ready.body)
    )
    return ready


async def answer(method: str, target: bytes, conditions: Conditions, caller: Caller) -> Ready | None:
    """The answer to a caller whom the rim has let in; None where Django has to give it."""
    plan = hot_plans.find(target) if method in ("GET", "HEAD") else None
    if plan is None or not conditions.is_plain:
        return None
    try:
        return await _ANSWERS[plan.route](plan, conditions, caller)
    except (RedisUnavailable, asking.CannotTell):
        return None


def _may_without_limit(caller: Caller, plan: Plan) -> bool:
    try:
        access.check(
            plan.need,
            authenticated=True,
            scopes=caller.scopes,
            anonymous_access=_config.anonymous_access,
        )
        return not directory.current().rules(caller.tier, plan.route)
    except (NotAllowed, UnknownTier):
        return False


def _from_board(plan: Plan, conditions: Conditions, board: Board) -> Ready | None:
    if plan.include_features:
        return None
    if plan.route == "prediction":
        shown = board.find(plan.symbols[0])
        return None if shown is None else _one(plan, conditions, shown)
    found: dict[str, Shown] = {}
    for symbol in plan.symbols:
        shown = board.find(symbol)
        if shown is None:
            return None
        found[symbol] = shown
    return _many(plan, conditions, found)


async def _predictions(plan: Plan, conditions: Conditions, caller: Caller) -> Ready | None:
    board = hub.current().board
    ready = _from_board(plan, conditions, board)
    if ready is not None:
        return ready
    mark = board.mark()
    values = await stored.get(plan.symbols)
    if len(values) < len(plan.symbols):
        return None
    for value in values.values():
        board.learn(value.document, mark)
    found = {s: value.shown(include_features=plan.include_features) for s, value in values.items()}
    if plan.route == "prediction":
        return _one(plan, conditions, found[plan.symbols[0]])
    return _many(plan, conditions, found)


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
    sent = body.compressed() if conditions.takes_gzip else None
    if sent is not None:
        headers.append((b"content-encoding", b"gzip"))
    else:
        sent = body.plain
    headers.append((b"content-length", b"%d" % len(sent)))
    return Ready(status, _house(plan, conditions)[status], headers, sent)


_houses: dict[str, dict[int, HouseHeaders]] = {}


def _house(plan: Plan, conditions: Conditions) -> dict[int, HouseHeaders]:
    """What all answers of a route carry, by their status."""
    held = _houses.get(plan.route)
    if held is None:
        said = house_headers.ask(plan.path, conditions.host).pairs
        is_json = (b"content-type", b"application/json")
        kept = answers.validators("", max_age_s=_config.cache_max_age_s)
        kept.pop("ETag")
        same = (*said, *((n.lower().encode(), v.encode()) for n, v in kept.items()))
        held = _houses[plan.route] = {
            200: house_headers.of((*same, is_json)),
            202: house_headers.of((*said, is_json)),
            304: house_headers.of(same),
        }
    return held
