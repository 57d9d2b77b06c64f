"""Which route a path belongs to, asked at the rim before Django is: Django's URL configuration answers."""

from __future__ import annotations

from django.conf import settings
from django.urls import Resolver404, resolve

from accounts import access
from accounts.access import Need
from observability.short_memory import remember_short
from predictions import symbols

UNMATCHED = "unmatched"
_LIMITED = ("/api/", "/auth/")


@remember_short(4096)
def find(path: str) -> str:
    """The name of the route of `path`; `UNMATCHED` where nothing is."""
    try:
        return resolve(path).view_name or UNMATCHED
    except Resolver404:
        return UNMATCHED


def need_at(path: str, route: str, method: str) -> Need:
    """What a call needs before Django sees it. A method that the route does not take will get its 405."""
    need = access.need_of(route, method)
    if need is not None:
        return need
    return access.UNMATCHED if path.startswith(_LIMITED) else access.PUBLIC


def cost_of(route: str, need: Need, query_string: bytes) -> int:
    """What a call takes from the limits of its caller."""
    if route == "predictions" and settings.GATEWAY.batch_costs_per_symbol:
        return need.cost * symbols.count_symbols(query_string)
    return need.cost


def is_counted(path: str) -> bool:
    """True for calls of the API, which are what usage is about."""
    return path.startswith(_LIMITED)
