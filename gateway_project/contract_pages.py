"""The contract as it is served: docs/openapi.json and docs/asyncapi.json, the pages that show them, llms.txt.

`manage.py openapi` and `manage.py asyncapi` make the files; a process reads them once. To generate one takes
a second, and drf-spectacular does not do it for several callers at a time.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition

from gateway_project.config_fields import Config
from gateway_project.openapi import errors
from gateway_project.problem_types import PROBLEM_TYPES
from gateway_project.problems import CONTENT_TYPE, read_only
from observability.version import VERSION

_KEPT_S = 60


class _File(NamedTuple):
    body: bytes
    tag: str


@functools.cache
def _read(name: str) -> _File:
    text = (settings.BASE_DIR / "docs" / name).read_text(encoding="utf-8")
    if name == "openapi.json":
        text = _with_own_pattern(text)
    body = msgspec.json.format(text, indent=-1).encode()
    return _File(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _with_own_pattern(text: str) -> str:
    """The document with what a symbol looks like here, where that is a setting of its own."""
    usual = {field.name: field.default for field in msgspec.structs.fields(Config)}["symbol_pattern"]
    return text.replace(_pattern(usual), _pattern(settings.GATEWAY.symbol_pattern))


def _pattern(expression: str) -> str:
    return f'"pattern": {json.dumps(expression, ensure_ascii=False)}'


class Call(NamedTuple):
    """An operation of the contract: method and path as they are written there, and what it does."""

    line: str
    summary: str


class ErrorInContract(NamedTuple):
    """A code of `PROBLEM_TYPES`: what it looks like, and the calls that may answer it (none: any path)."""

    example: dict[str, Any]
    calls: list[Call]


@functools.cache
def errors_in_contract() -> dict[str, ErrorInContract]:
    """All codes; their calls are in the order of the contract."""
    contract = json.loads(_read("openapi.json").body)
    examples = {code: example["value"] for code, example in contract["components"]["examples"].items()}
    found = {
        code: ErrorInContract(examples.get(code) or errors.example(code, "/api/somewhere"), [])
        for code in PROBLEM_TYPES
    }
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            call = Call(f"{method.upper()} {path}", operation["summary"])
            for answer in operation["responses"].values():
                for code in answer.get("content", {}).get(CONTENT_TYPE, {}).get("examples", {}):
                    found[code].calls.append(call)
    return found


def _tag_of_openapi(request: HttpRequest) -> str:
    return _read("openapi.json").tag


def _tag_of_asyncapi(request: HttpRequest) -> str:
    return _read("asyncapi.json").tag


def _json(name: str) -> HttpResponse:
    return HttpResponse(_read(name).body, content_type="application/json")


@read_only
@cache_control(public=True, max_age=_KEPT_S)
@condition(etag_func=_tag_of_openapi)
def openapi(request: HttpRequest) -> HttpResponse:
    """The contract of HTTP."""
    return _json("openapi.json")


@read_only
@cache_control(public=True, max_age=_KEPT_S)
@condition(etag_func=_tag_of_asyncapi)
def asyncapi(request: HttpRequest) -> HttpResponse:
    """The contract of the WebSocket."""
    return _json("asyncapi.json")


@read_only
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI: the contract to try out, with a key."""
    return render(request, "docs.html")


@read_only
def redoc(request: HttpRequest) -> HttpResponse:
    """ReDoc: the contract to read."""
    return render(request, "redoc.html")


def addresses(request: HttpRequest) -> dict[str, str]:
    """Where this gateway is, as the caller has found it, for samples of calls and of sockets."""
    base_url = request.build_absolute_uri("/").rstrip("/")
    return {"base_url": base_url, "socket_url": base_url.replace("http", "ws", 1)}


@read_only
def llms(request: HttpRequest) -> HttpResponse:
    """The same in a page of plain text, for programs that read (llmstxt.org)."""
    context = {
        "version": VERSION,
        **addresses(request),
        "symbol_pattern": settings.GATEWAY.symbol_pattern,
        "is_open": settings.GATEWAY.anonymous_access,
        "kinds": PROBLEM_TYPES.items(),
    }
    return render(request, "llms.txt", context, content_type="text/plain; charset=utf-8")
