"""What a request target asks for, if it is one of the hot reads: worked out once, then remembered.

Django's URL configuration and the apps' own checks decide; a target that they would refuse, or that is
written in an unusual way, has no plan, and its request goes to Django.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.urls import Resolver404, resolve
from rest_framework.exceptions import ValidationError

from accounts.access import Need
from events.explanations import DEPTHS
from gateway_project import routes
from predictions import history, symbols
from predictions.history import Wanted
from predictions.serializers import HistoryQuery

_LONGEST = 4096
# One symbol, or one job, has room here. What is longer takes more memory to remember, and is asked for less.
_SHORT = 64
_MOST_PARAMETERS = 16
_HISTORY_QUERY = HistoryQuery()


@dataclass(frozen=True, slots=True)
class Plan:
    """A hot read: `symbols` of predictions or the one that is explained, a page of the `history` of one, or
    the `job_id` asked after."""

    route: str
    path: str
    need: Need
    cost: int
    symbols: tuple[str, ...] = ()
    include_features: bool = False
    depth: str | None = None
    job_id: uuid.UUID | None = None
    history: Wanted | None = None


def find(target: bytes) -> Plan | None:
    """The plan of a target such as ``/api/prediction/AAPL``; None without one."""
    if len(target) > _LONGEST:
        return None
    if is_next_page(target):
        return _find(target)  # hardly anybody asks for the same place of a history twice
    return (_find_short if len(target) <= _SHORT else _find_long)(target)


def is_next_page(target: bytes) -> bool:
    """Whether it may be a page of a history after the first."""
    return b"/history?" in target and b"cursor=" in target


def _find(target: bytes) -> Plan | None:
    raw_path, _, query_string = target.partition(b"?")
    is_odd = not target.isascii() or b"%" in raw_path or b"#" in target
    if is_odd or query_string.count(b"&") > _MOST_PARAMETERS:
        return None
    path = raw_path.decode("ascii")
    try:
        match = resolve(path)
    except Resolver404:
        return None
    read = _READERS.get(match.view_name)
    if read is None:
        return None
    query = QueryDict(query_string)
    given = {name: values[0] for name, values in query.lists() if len(values) == 1}
    asked = read(match.kwargs, given) if len(given) == len(query) else None
    if asked is None:
        return None
    need = routes.need_at(path, match.view_name, "GET")
    return Plan(match.view_name, path, need, routes.cost_of(match.view_name, need, query_string), **asked)


_find_short = functools.lru_cache(maxsize=8192)(_find)
_find_long = functools.lru_cache(maxsize=1024)(_find)


def _prediction(place: dict[str, str], query: dict[str, str]) -> dict[str, Any] | None:
    features = _features(query)
    if features is None or query or not _is_symbol(place["symbol"]):
        return None
    return {"symbols": (place["symbol"],), "include_features": features}


def _predictions(place: dict[str, str], query: dict[str, str]) -> dict[str, Any] | None:
    features, wanted = _features(query), query.pop("symbols", "")
    if features is None or query:
        return None
    try:
        split = symbols.split_symbols(wanted, settings.GATEWAY.compiled_symbol_pattern)
    except (symbols.MalformedSymbol, symbols.BadSymbolCount):
        return None
    return {"symbols": tuple(split), "include_features": features}


def _history(place: dict[str, str], query: dict[str, str]) -> dict[str, Any] | None:
    if not _is_symbol(place["symbol"]) or not query.keys() <= _HISTORY_QUERY.fields.keys():
        return None
    try:
        checked = _HISTORY_QUERY.run_validation(query)
    except ValidationError:
        return None
    return {"history": history.wanted(place["symbol"], checked)}


def _explanation(place: dict[str, str], query: dict[str, str]) -> dict[str, Any] | None:
    depth = query.pop("depth", None)
    if query or depth not in (None, *DEPTHS) or not _is_symbol(place["symbol"]):
        return None
    return {"symbols": (place["symbol"],), "depth": depth}


def _job(place: dict[str, str], query: dict[str, str]) -> dict[str, Any] | None:
    try:
        job_id = uuid.UUID(place["job_id"])
    except ValueError:
        return None
    return {"job_id": job_id} if not query and str(job_id) == place["job_id"] else None


_READERS: dict[str, Callable[[dict[str, str], dict[str, str]], dict[str, Any] | None]] = {
    "prediction": _prediction,
    "predictions": _predictions,
    "prediction-history": _history,
    "explanation": _explanation,
    "explanation-job": _job,
}


def _features(query: dict[str, str]) -> bool | None:
    """Whether features are asked for; None where that cannot be told."""
    return {"true": True, "false": False}.get(query.pop("include_features", "false"))


def _is_symbol(text: str) -> bool:
    try:
        symbols.check_symbol(text, settings.GATEWAY.compiled_symbol_pattern)
    except symbols.MalformedSymbol:
        return False
    return True
