"""Hot reads: the reads that make up nearly all traffic, answered before Django.

target -> plan (`hot_plans`) -> caller -> value -> answer. The value comes from the board of this process, or
from Redis. Both ways of a read, this one and Django's, call the same functions for who may, what it costs
and how it is shown. On anything unusual there is no answer here, and the untouched request goes to Django.

`at_once` needs no I/O: the server's own protocol calls it, before ASGI. `answer` is called by the rim once
the caller is let in: for callers whose tier has limits, for what is not on the board, on any other server.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from accounts import access, credentials, directory
from accounts.access import NotAllowed
from accounts.credentials import Caller, CredentialRefused
from accounts.directory import UnknownTier
from explanations import asking
from explanations import stored as explanations_stored
from gateway_project import addresses, bookkeeping, cors, hot_plans, house_headers
from gateway_project.hot_plans import Plan
from gateway_project.house_headers import HouseHeaders, Pair
from observability import request_context
from observability.redis_link import RedisUnavailable
from predictions import answers, compression, rendering, stored
from predictions.answers import Shown
from predictions.compression import Body
from realtime import hub

Headers = Mapping[bytes, bytes]
RawHeaders = list[tuple[bytes, bytes]]

# With one of these there is a body, or something to agree upon first.
_NOT_PLAIN = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
_METHODS = frozenset({b"GET", b"HEAD"})

_REQUEST_ID = request_context.HEADER.lower().encode()
_NOTHING = Body(b"")


class Ready(NamedTuple):
    """An answer: headers that all answers of the route carry, those of this one, and the body."""

    status: int
    house: HouseHeaders
    headers: list[Pair]
    body: bytes


def at_once(method: bytes, target: bytes, headers: RawHeaders, peer: str | None) -> Ready | None:
    """The whole answer to a caller without limits who asks for what is on the board; else None.

    The request is then counted, and has left its mark on the key, as at the rim.
    """
    began_s = time.perf_counter()
    plan = hot_plans.find(target) if method in _METHODS else None
    if plan is None or not plan.symbols or plan.include_features or plan.route not in _ON_BOARD:
        return None
    asked = _plain(headers)
    if asked is None:
        return None
    now = datetime.now(UTC)
    address = addresses.find_behind(peer, headers)
    caller = _let_in(plan, asked, now, address)
    if caller is None:
        return None
    ready = _from_board(plan, asked)
    if ready is None:
        return None
    offered = asked.get(_REQUEST_ID, b"").decode("latin-1")
    ready.headers.append((_REQUEST_ID, request_context.accept_or_make(offered).encode("ascii")))
    if method == b"HEAD":
        ready = ready._replace(body=b"")
    agent = asked.get(b"user-agent", b"")
    bookkeeping.note_use(caller, at=now, address=address, agent=agent)
    bookkeeping.count(
        caller, route=plan.route, status=ready.status, at=now, began_s=began_s, bytes_out=len(ready.body)
    )
    return ready


async def answer(method: str, target: bytes, headers: RawHeaders, caller: Caller) -> Ready | None:
    """The answer to a caller whom the rim has let in; None where Django has to give it."""
    plan = hot_plans.find(target) if method in ("GET", "HEAD") else None
    asked = _plain(headers) if plan is not None else None
    if plan is None or asked is None:
        return None
    try:
        return await _ANSWERS[plan.route](plan, asked, caller)
    except (RedisUnavailable, asking.CannotTell):
        return None


def _plain(headers: RawHeaders) -> dict[bytes, bytes] | None:
    """The headers by name, if there is nothing unusual about them."""
    asked = dict(headers)
    if len(asked) != len(headers) or not _NOT_PLAIN.isdisjoint(asked):
        return None
    accept = asked.get(b"accept")
    if accept is not None and not _accepts_json(accept):
        return None
    host = asked.get(b"host")
    return asked if host is not None and _is_our_host(host) else None


def _let_in(plan: Plan, asked: Headers, now: datetime, address: str) -> Caller | None:
    """The caller, if it is a key in memory that may read this and has no limits to be counted."""
    api_key, authorization = asked.get(b"x-api-key"), asked.get(b"authorization")
    try:
        credential = credentials.choose_credential(
            None if api_key is None else api_key.decode("latin-1"),
            None if authorization is None else authorization.decode("latin-1"),
        )
        caller = (
            None if credential is None else credentials.known_caller(credential, now=now, address=address)
        )
        if caller is None or caller.replaced_until is not None:
            return None
        access.check(
            plan.need,
            authenticated=True,
            scopes=caller.scopes,
            anonymous_access=settings.GATEWAY.anonymous_access,
        )
        return None if directory.current().rules(caller.tier, plan.route) else caller
    except (CredentialRefused, NotAllowed, UnknownTier):
        return None


def _from_board(plan: Plan, asked: Headers) -> Ready | None:
    board = hub.current().board
    if len(plan.symbols) == 1 and plan.route == "prediction":
        shown = board.find(plan.symbols[0])
        return None if shown is None else _one(plan, asked, shown)
    found: dict[str, Shown] = {}
    for symbol in plan.symbols:
        shown = board.find(symbol)
        if shown is None:
            return None
        found[symbol] = shown
    return _many(plan, asked, found)


async def _predictions(plan: Plan, asked: Headers, caller: Caller) -> Ready | None:
    ready = None if plan.include_features else _from_board(plan, asked)
    if ready is not None:
        return ready
    board = hub.current().board
    mark = board.mark()
    values = await stored.get(plan.symbols)
    if len(values) < len(plan.symbols):
        return None
    for value in values.values():
        board.learn(value.document, mark)
    found = {s: value.shown(include_features=plan.include_features) for s, value in values.items()}
    if plan.route == "prediction":
        return _one(plan, asked, found[plan.symbols[0]])
    return _many(plan, asked, found)


async def _explanation(plan: Plan, asked: Headers, caller: Caller) -> Ready | None:
    found = await explanations_stored.get(plan.symbols[0], plan.depth)
    return None if found is None else _conclude(plan, asked, found.tag, lambda: found.body)


async def _job(plan: Plan, asked: Headers, caller: Caller) -> Ready | None:
    if plan.job_id is None:
        return None
    found = await asking.current().find(plan.job_id, account_id=caller.account_id)
    if found is None:
        return None
    if isinstance(found, asking.Done):
        return _conclude(plan, asked, found.tag, lambda: found.body)
    return _give(
        plan, asked, 202, [(n.lower().encode(), v.encode()) for n, v in found.headers.items()], found.body
    )


_ANSWERS = {
    "prediction": _predictions,
    "predictions": _predictions,
    "explanation": _explanation,
    "explanation-job": _job,
}
_IS_ON: bool = settings.GATEWAY.hot_reads and settings.GATEWAY.gateway_role != "ws"
ROUTES = frozenset(_ANSWERS) if _IS_ON else frozenset()
_ON_BOARD = ROUTES & {"prediction", "predictions"}


def _one(plan: Plan, asked: Headers, shown: Shown) -> Ready:
    now_us, stale_after_s = time.time_ns() // 1000, settings.GATEWAY.stale_after_s
    tag = shown.etag(now_us=now_us, stale_after_s=stale_after_s)
    return _conclude(plan, asked, tag, lambda: Body(shown.body(now_us=now_us, stale_after_s=stale_after_s)))


def _many(plan: Plan, asked: Headers, found: Mapping[str, Shown]) -> Ready:
    now_us = time.time_ns() // 1000
    tag, make = answers.batch(
        plan.symbols, found, now_us=now_us, stale_after_s=settings.GATEWAY.stale_after_s
    )

    def render() -> Body:
        held = _batches.get(plan)
        if held is None or held.tag != tag or not 0 <= now_us - held.made_us < _BATCH_KEPT_US:
            if len(_batches) >= _MOST_BATCHES:
                _batches.clear()
            held = _batches[plan] = _Batch(tag, now_us, Body(rendering.encode(make())))
        return held.body

    return _conclude(plan, asked, tag, render)


class _Batch(NamedTuple):
    tag: str
    made_us: int
    body: Body


# An answer for many is the same until one of its values changes, but for the ages in it, which are told up to
# this much too low. Compressing it takes ten times as long as everything else.
_BATCH_KEPT_US = 250_000
_MOST_BATCHES = 256
_batches: dict[Plan, _Batch] = {}


def _conclude(plan: Plan, asked: Headers, tag: str, make: Callable[[], Body]) -> Ready:
    """304 for whoever has this version, else 200 with the body."""
    headers = [(b"etag", tag.encode("latin-1"))]
    known = asked.get(b"if-none-match")
    if known is not None and answers.matches(known.decode("latin-1"), tag):
        return _give(plan, asked, 304, headers, _NOTHING)
    return _give(plan, asked, 200, headers, make())


def _give(plan: Plan, asked: Headers, status: int, headers: list[Pair], body: Body) -> Ready:
    origin = asked.get(b"origin")
    if origin is not None:
        headers += _cors(origin)
    sent = body.compressed() if _accepts_gzip(asked.get(b"accept-encoding")) else None
    if sent is not None:
        headers.append((b"content-encoding", b"gzip"))
    else:
        sent = body.plain
    headers.append((b"content-length", b"%d" % len(sent)))
    return Ready(status, _house(plan, asked)[status], headers, sent)


_houses: dict[str, dict[int, HouseHeaders]] = {}


def _house(plan: Plan, asked: Headers) -> dict[int, HouseHeaders]:
    """What all answers of a route carry, by their status."""
    held = _houses.get(plan.route)
    if held is None:
        said = house_headers.ask(plan.path, asked[b"host"]).pairs
        is_json = (b"content-type", b"application/json")
        kept = answers.validators("", max_age_s=settings.GATEWAY.cache_max_age_s)
        kept.pop("ETag")
        same = (*said, *((n.lower().encode(), v.encode()) for n, v in kept.items()))
        held = _houses[plan.route] = {
            200: house_headers.of((*same, is_json)),
            202: house_headers.of((*said, is_json)),
            304: house_headers.of(same),
        }
    return held


@functools.lru_cache(maxsize=1024)
def _accepts_json(accept: bytes) -> bool:
    request = HttpRequest()
    request.META["HTTP_ACCEPT"] = accept.decode("latin-1")
    try:
        DefaultContentNegotiation().select_renderer(Request(request), [rendering.JSONRenderer()])
    except NotAcceptable:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def _accepts_gzip(accept_encoding: bytes | None) -> bool:
    return compression.accepts_gzip((accept_encoding or b"").decode("latin-1"))


@functools.lru_cache(maxsize=1024)
def _is_our_host(host: bytes) -> bool:
    request = HttpRequest()
    request.META["HTTP_HOST"] = host.decode("latin-1")
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def _cors(origin: bytes) -> tuple[Pair, ...]:
    """What a page of `origin` needs to read the answer; the answers vary by origin anyway."""
    found = cors.headers_for({"path": "/api/", "headers": [(b"origin", origin)]})
    return tuple(pair for pair in found if pair[0] != b"vary")
