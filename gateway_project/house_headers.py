"""The headers that all answers of a route have in common, so that hot reads carry what Django's carry.

Django itself is asked for them: it answers OPTIONS through all of its middleware, without any store.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

Pair = tuple[bytes, bytes]

# What is said of one answer, not of all.
_OF_ONE = frozenset({"content-type", "content-length", "content-encoding", "vary", "etag", "cache-control"})


class HouseHeaders(NamedTuple):
    """As a list of pairs, and as the lines of HTTP/1.1."""

    pairs: tuple[Pair, ...]
    lines: bytes


def ask(path: str) -> HouseHeaders:
    """What all answers at `path` carry."""
    environ = {
        "REQUEST_METHOD": "OPTIONS",
        "PATH_INFO": path,
        "HTTP_HOST": _own_host(),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    response = _django().get_response(WSGIRequest(environ))
    if response.status_code != 200:
        raise RuntimeError(f"OPTIONS {path} was answered with {response.status_code}")
    kept = ((name, value) for name, value in response.items() if name.lower() not in _OF_ONE)
    return of(tuple(encoded(kept)))


def _own_host() -> str:
    """One that the gateway answers to."""
    first = next(iter(settings.ALLOWED_HOSTS), "*")
    return "localhost" if first == "*" else first.removeprefix(".")


@functools.cache
def _django() -> WSGIHandler:
    # With all its middleware, so only when it is needed: other applications use the protocol too.
    from gateway_project.wsgi import application

    return application


def of(pairs: tuple[Pair, ...]) -> HouseHeaders:
    """`pairs` in both forms."""
    return HouseHeaders(pairs, as_lines(pairs))


def encoded(headers: Iterable[tuple[str, str]]) -> list[Pair]:
    """Headers as ASGI has them."""
    return [(_encoded_name(name), value.encode("latin-1")) for name, value in headers]


@functools.lru_cache(maxsize=256)
def _encoded_name(name: str) -> bytes:
    return name.lower().encode("latin-1")


def as_lines(pairs: Iterable[Pair]) -> bytes:
    """Headers as HTTP/1.1 has them."""
    return b"".join([b"%b: %b\r\n" % pair for pair in pairs])
