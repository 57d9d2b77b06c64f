"""The OpenAPI document: what the apps say of their routes, joined with what holds for all of them."""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from django.urls import get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from accounts import access
from accounts.access import Need
from accounts.schema_parts import CODES
from gateway_project import routes
from gateway_project.openapi import errors, headers, links, plain
from gateway_project.openapi.bounds import bounded
from gateway_project.problem_types import PROBLEM_TYPES
from realtime import markdown

Schema = dict[str, Any]

NAME = "docs/openapi.json"
GUIDE = "docs/API_USAGE.md"
_SCHEMAS = ("accounts.schema", "predictions.schema", "explanations.schema")
_VIEWS_OF_DRF = ("api/", "auth/")
_METHODS = ("get", "post", "put", "patch", "delete")
_SAMPLES = {
    "{symbol}": "AAPL",
    "{job_id}": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    "{public_id}": "0fRf8LNxqQmUgjEVQ0qZ2k",
}
_KEY, _BEARER = "ApiKey", "Bearer"


def build() -> Schema:
    """The document; raises `ValueError` where a route does not say enough."""
    for name in _SCHEMAS:
        importlib.import_module(name)
    patterns = [one for one in get_resolver().url_patterns if str(one.pattern) in _VIEWS_OF_DRF]
    document: Schema = SchemaGenerator(patterns=patterns).get_schema(public=True)
    if GENERATOR_STATS:
        raise ValueError("drf-spectacular could not find out all it needs; see what it has printed")
    document["paths"] = {path: _in_order(methods) for path, methods in document["paths"].items()}
    for path, operation in plain.OPERATIONS.items():
        document["paths"][path] = {"get": copy.deepcopy(operation)}
    for path, method, operation in operations_of(document):
        _complete(path, method, operation)
    document["components"] = _components(document)
    return document


def render(document: Schema) -> str:
    """The document as text that a version control compares well."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def with_codes(text: str) -> str:
    """The guide `text` with its table of codes renewed; ValueError where there is no place for it."""
    rows = [(str(kind.status), f"`{code}`", kind.title, kind.advice) for code, kind in PROBLEM_TYPES.items()]
    return markdown.renewed(text, "codes", markdown.table(("Status", "Code", "Title", "What to do"), rows))


def operations_of(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Path, method in upper case, and operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def sample_of(path: str) -> str:
    """`path` with something in each of its places."""
    for place, value in _SAMPLES.items():
        path = path.replace(place, value)
    return path


def route_of(path: str) -> str:
    """The name of the route that `path` belongs to."""
    return routes.find(sample_of(path))


def _in_order(methods: Schema) -> Schema:
    """As people read them; drf-spectacular's come out of a set."""
    return {method: methods[method] for method in _METHODS if method in methods}


def _complete(path: str, method: str, operation: Schema) -> None:
    need = access.need_of(route_of(path), method)
    if need is None:
        raise ValueError(f"{method} {path} ({route_of(path)}) is not in the table of access")
    codes = [*operation.pop(CODES, ()), *_codes_of_all(path, operation, need)]
    answers = {**operation["responses"]}
    for status, response in errors.responses(codes).items():
        answers.setdefault(status, response)
    answers.setdefault("429", plain.without_limit())
    for status, response in answers.items():
        _add_headers(status, response, need, is_conditional="304" in answers)
    for status, found in links.LINKS.get(operation["operationId"], {}).items():
        answers[status]["links"] = found
    operation["responses"] = dict(sorted(answers.items()))
    operation["security"] = _security_of(need)
    if need.scope:
        operation["description"] += f"\n\nNeeds the scope `{need.scope}`."
        operation["x-scope"] = need.scope
    for part in (*operation.get("parameters", ()), *_contents(operation)):
        part["schema"] = bounded(part["schema"])
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "header":
            parameter.setdefault("required", False)
        if parameter.get("required") and "examples" in parameter["schema"]:
            # What a page that calls the operation writes into the field.
            parameter["example"] = parameter["schema"]["examples"][0]


def _codes_of_all(path: str, operation: Schema, need: Need) -> Iterator[str]:
    """The codes that do not come from the view itself."""
    if path.startswith("/health"):  # answered before anything is asked
        return
    yield from ("BAD_REQUEST", "INTERNAL_ERROR", "OVERLOADED")
    if path not in plain.OPERATIONS:
        yield "NOT_ACCEPTABLE"
    if "{" in path or need.personal:
        yield "FORBIDDEN"
    if any(one["in"] == "query" for one in operation.get("parameters", ())):
        yield "INVALID_QUERY"
    if "requestBody" in operation:
        yield from ("PARSE_ERROR", "REQUEST_TIMEOUT", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
        yield "INVALID_BODY"
    if need.public:
        return
    yield from ("NOT_AUTHENTICATED", "INVALID_CREDENTIAL", "TOO_MANY_ATTEMPTS", "STORE_UNAVAILABLE")
    if need.scope:
        yield "SCOPE_MISSING"
    yield "RATE_LIMIT_EXCEEDED"


def _security_of(need: Need) -> list[Schema]:
    """Either of the schemes; nothing as well where strangers may call."""
    schemes: list[Schema] = [] if need.public else [{_KEY: []}, {_BEARER: []}]
    is_open = need.public or need.anonymous or need.strangers or need.watchers
    return [*schemes, {}] if is_open else schemes


def _add_headers(status: str, response: Schema, need: Need, *, is_conditional: bool) -> None:
    own = response.get("headers", {})
    for one in own.values():
        if "schema" in one:
            one["schema"] = bounded(one["schema"])
    more = headers.refs(*headers.EVERYWHERE)
    if not need.public:
        more |= headers.refs(*headers.OF_A_ROTATED_KEY)
    if is_conditional and status in ("200", "304"):
        more |= headers.refs(*headers.CONDITIONAL)
    response["headers"] = {**own, **more}


def _contents(operation: Schema) -> Iterator[Schema]:
    """Whatever of an operation has a schema and is no parameter."""
    for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from holder.get("content", {}).values()


def _components(document: Schema) -> Schema:
    _, structs = msgspec.json.schema_components(
        [*plain.STRUCTS, errors.Problem], ref_template="#/components/schemas/{name}"
    )
    schemas = {**document["components"].get("schemas", {}), **structs}
    return {
        "schemas": {name: bounded(schema) for name, schema in sorted(schemas.items())},
        "headers": headers.COMPONENTS,
        "examples": _examples(document),
        "securitySchemes": document["components"]["securitySchemes"],
    }


def _examples(document: Schema) -> Schema:
    """One of each code that an operation names, at the path of the first that does."""
    found: Schema = {}
    for path, _, operation in operations_of(document):
        for content in _contents(operation):
            for code in content.get("examples", {}):
                if code in PROBLEM_TYPES and code not in found:
                    value = errors.example(code, sample_of(path))
                    found[code] = {"summary": PROBLEM_TYPES[code].title, "value": value}
    return dict(sorted(found.items()))
