"""The answers to hot reads: their headers and bodies, by the functions that Django's way calls as well."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from django.conf import settings
from django.urls import reverse

from gateway_project import house_headers, refusals
from gateway_project.admission import Refused
from gateway_project.config import Config
from gateway_project.hot_conditions import Conditions
from gateway_project.hot_plans import Plan
from gateway_project.house_headers import HouseHeaders, Pair
from predictions import answers, history, rendering
from predictions.answers import Shown
from predictions.compression import Body

_config: Config = settings.GATEWAY
_NOTHING = Body(b"")
_NO_HOUSE = house_headers.of(())

# A prediction, or those of a batch by their symbols.
Found = Shown | dict[str, Shown]


class Ready(NamedTuple):
    """An answer: headers that all answers of the route carry, those of this one, and the body."""

    status: int
    house: HouseHeaders
    headers: list[Pair]
    body: bytes


def prepare(routes: Iterable[str]) -> None:
    """Ask Django now what all answers of `routes` carry."""
    for route in routes:
        _house(route)


def show(plan: Plan, conditions: Conditions, found: Found) -> Ready:
    """What was found: 200, or 304 for whoever has it."""
    return _one(plan, conditions, found) if isinstance(found, Shown) else _many(plan, conditions, found)


def refuse(refused: Refused, plan: Plan, conditions: Conditions) -> Ready:
    """The problem that ends the request."""
    status, headers, body = refusals.answer(refused, path=plan.path, asked=conditions.headers)
    return Ready(status, _NO_HOUSE, [*headers, *conditions.hsts], body)


def _one(plan: Plan, conditions: Conditions, shown: Shown) -> Ready:
    now_us, stale_after_s = time.time_ns() // 1000, _config.stale_after_s
    tag = shown.etag(now_us=now_us, stale_after_s=stale_after_s)
    return conclude(
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

    return conclude(plan, conditions, tag, render)


def read_history(plan: Plan, conditions: Conditions) -> Ready | None:
    """A page of the history, in a thread that may ask the database; None where there is no page to be had.

    Raises Django's `DatabaseError` family.
    """
    if plan.history is None:
        return None
    at = time.time_ns() // 1000
    page = history.read(plan.history, now_us=at, stale_after_s=_config.stale_after_s)
    if page is None:
        return None
    return conclude(plan, conditions, page.tag, lambda: Body(rendering.encode(page.make())))


def conclude(plan: Plan, conditions: Conditions, tag: str, make: Callable[[], Body]) -> Ready:
    """304 for whoever has this version, else 200 with the body."""
    headers = [(b"etag", tag.encode("latin-1"))]
    if conditions.known is not None and answers.matches(conditions.known, tag):
        return give(plan, conditions, 304, headers, _NOTHING)
    return give(plan, conditions, 200, headers, make())


def give(plan: Plan, conditions: Conditions, status: int, headers: list[Pair], body: Body) -> Ready:
    """An answer with `headers` of its own, compressed for whoever takes that."""
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
    "prediction-history": {"symbol": "A"},
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
