"""The table of what every route needs and the URL configuration are the same set, with the same methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from accounts import access
from accounts.access import PUBLIC, ROUTES
from gateway_project.routes import UNMATCHED, find, is_counted, need_at

APART = ("admin", "static")
"""What paths with rules of their own begin with."""


def walk(resolver: URLResolver) -> Iterator[URLPattern]:
    """Every pattern below `resolver`."""
    for entry in resolver.url_patterns:
        if str(entry.pattern).startswith(APART):
            continue
        if isinstance(entry, URLResolver):
            yield from walk(entry)
        else:
            yield entry


def methods_of(view: Callable[..., Any]) -> set[str]:
    """The methods that a view takes, but HEAD and OPTIONS, which follow from the others."""
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if actions := getattr(view, "actions", None):
        taken = set(actions)
    elif view_class is not None:
        taken = {method for method in view_class.http_method_names if hasattr(view_class, method)}
    else:
        refusal: HttpResponse = view(RequestFactory().generic("BREW", "/"))
        assert refusal.status_code == 405
        taken = set(refusal["Allow"].split(", "))
    return {method.upper() for method in taken} - {"HEAD", "OPTIONS"}


def configured() -> dict[str, set[str]]:
    """Routes by name with the methods of their views, as the URL configuration has them."""
    found: dict[str, set[str]] = {}
    for pattern in walk(get_resolver()):
        assert pattern.name, f"{pattern} has no name, so that nothing can be asked of its callers"
        found.setdefault(pattern.name, set()).update(methods_of(pattern.callback))
    return found


def test_the_table_and_the_urls_have_the_same_routes_with_the_same_methods() -> None:
    assert {route: set(methods) for route, methods in ROUTES.items()} == configured()


def test_a_name_stands_for_one_view() -> None:
    views: dict[str, set[str]] = {}
    for pattern in walk(get_resolver()):
        views.setdefault(str(pattern.name), set()).add(pattern.lookup_str)
    assert [name for name, found in views.items() if len(found) > 1] == []


def test_nothing_that_is_apart_is_in_the_table() -> None:
    assert find("/admin/login/").startswith("admin:")
    assert find("/admin/login/") not in ROUTES
    assert need_at("/admin/login/", find("/admin/login/"), "POST") == PUBLIC  # it asks for its own login


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/prediction/AAPL", "prediction"),
        ("/api/prediction/", "prediction"),
        ("/api/prediction/a/b\n\0", "prediction"),
        ("/api/prediction/AAPL/history", "prediction-history"),
        ("/api/prediction/AAPL/accuracy", "prediction-accuracy"),
        ("/api/predictions", "predictions"),
        ("/auth/login", "auth-login"),
        ("/api/symbols", "symbols"),
        ("/", "dashboard"),
        ("/start", "start"),
        ("/errors/UNKNOWN_SYMBOL", "error-page"),
        ("/health/ready", "health"),
        ("/version", "version"),
    ],
)
def test_a_path_is_known_by_the_name_of_its_route(path: str, route: str) -> None:
    assert find(path) == route


@pytest.mark.parametrize(
    "path",
    [
        "",
        "api/predictions",
        "//api/predictions",
        "/api",
        "/api/",
        "/api/nothing",
        "/api/predictions/",
        "/api/predictions\n",
        "/api/v2/predictions",
        "/api/v1/v1/predictions",
        "/API/predictions",
        "/api/../admin/",
        "/auth/login/",
        "/health/live/x",
        "/\0",
    ],
)
def test_other_paths_are_unmatched(path: str) -> None:
    assert find(path) == UNMATCHED


@pytest.mark.parametrize(
    "rest", ["prediction/AAPL", "prediction/AAPL/history", "prediction/AAPL/accuracy", "predictions"]
)
def test_api_v1_is_another_spelling_of_the_same_routes(rest: str) -> None:
    assert find(f"/api/v1/{rest}") == find(f"/api/{rest}") != UNMATCHED


@pytest.mark.parametrize("path", ["/api/nothing", "/auth/nothing"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "BREW"])
def test_looking_for_routes_of_the_api_is_limited(path: str, method: str) -> None:
    assert need_at(path, find(path), method) == access.UNMATCHED


@pytest.mark.parametrize("path", ["/nothing", "/apis", "/authority", "/robots.txt", "/api"])
def test_other_paths_that_lead_nowhere_are_nobodys_secret(path: str) -> None:
    assert need_at(path, find(path), "GET") == PUBLIC


def test_a_method_that_a_route_does_not_take_is_limited_but_not_asked_for_more() -> None:
    assert need_at("/api/predictions", "predictions", "DELETE") == access.UNMATCHED
    assert need_at("/version", "version", "DELETE") == PUBLIC


def test_a_route_needs_what_the_table_says_on_both_of_its_paths() -> None:
    for path in ("/api/predictions", "/api/v1/predictions"):
        for method in ("GET", "HEAD"):
            assert need_at(path, find(path), method) is ROUTES["predictions"]["GET"]
        assert need_at(path, find(path), "OPTIONS") == PUBLIC


def test_every_path_below_api_and_auth_is_counted_and_no_other() -> None:
    assert all(map(is_counted, ["/api/predictions", "/api/v1/x", "/auth/login", "/api/nothing"]))
    assert not any(map(is_counted, ["/", "/version", "/health/ready", "/admin/", "/api", "/apis/x"]))


def test_long_paths_are_found_but_not_kept_and_short_ones_are_kept_in_a_bounded_number() -> None:
    find.remembered.cache_clear()
    longest = "/api/prediction/" + "A" * (256 - len("/api/prediction/"))
    assert find(longest + "A") == "prediction"
    assert find.remembered.cache_info().currsize == 0
    assert find(longest) == find(longest) == "prediction"
    info = find.remembered.cache_info()
    assert (info.currsize, info.hits) == (1, 1)
    assert info.maxsize is not None
