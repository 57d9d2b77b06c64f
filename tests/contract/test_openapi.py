"""docs/openapi.json is what the code says and has every route with all that may come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from openapi_spec_validator import validate

from accounts.access import ROUTES, need_of
from gateway_project import health
from gateway_project.config import Config
from gateway_project.openapi import document, plain
from gateway_project.openapi.document import operations_of, route_of
from gateway_project.problem_types import PROBLEM_TYPES
from gateway_project.routes import find
from gateway_project.settings import BASE_DIR
from observability.health_report import ALIVE_PATHS, READY_PATHS
from predictions.schema import SYMBOL
from tests.gateway_project.test_routes import configured

FILE = (BASE_DIR / document.NAME).read_text()
DOCUMENT: dict[str, Any] = json.loads(FILE)
OPERATIONS = {(path, method): operation for path, method, operation in operations_of(DOCUMENT)}
EVERY = pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=str)

PAGES = {"dashboard", "start", "error-page", "docs", "redoc", "llms"}
"""Routes that answer with something to read, and not with data."""


def schemas(part: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in `part` that has a type, with its place."""
    if isinstance(part, dict):
        if "type" in part and not where.endswith(("/properties", "/headers", "/value", "/example")):
            yield where, part
        for name, value in part.items():
            if name not in ("example", "examples", "default", "enum", "securitySchemes"):
                yield from schemas(value, f"{where}/{name}")
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from schemas(value, f"{where}/{number}")


def test_the_file_is_what_the_code_says() -> None:
    printed = StringIO()
    call_command("openapi", stdout=printed)
    assert printed.getvalue() == FILE, "run `manage.py openapi --write`"


def test_it_is_a_valid_document_of_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    validate(DOCUMENT)


def test_it_has_the_routes_of_the_url_configuration_with_their_methods() -> None:
    told: dict[str, set[str]] = {}
    for path, method in OPERATIONS:
        told.setdefault(route_of(path), set()).add(method)
    assert told == {route: methods for route, methods in configured().items() if route not in PAGES}
    assert set(ROUTES) >= PAGES


def test_it_has_every_probe_or_says_under_which_other_name() -> None:
    aliases = (*ALIVE_PATHS, *READY_PATHS)
    for path in health.PATHS:
        said = " ".join(one["description"] for one in plain.OPERATIONS.values())
        assert path in DOCUMENT["paths"] or (path in aliases and f"`{path}`" in said), path


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json", "/docs", "/redoc", "/predictions"])
def test_api_v1_is_not_told_twice(path: str) -> None:
    assert f"/api/v1{path}" not in DOCUMENT["paths"]
    assert find(f"/api/v1{path}") == find(f"/api{path}")


@EVERY
def test_an_operation_is_told_in_words_under_a_stable_name(path: str, method: str) -> None:
    operation = OPERATIONS[path, method]
    assert operation["summary"][0].isupper()
    assert not operation["summary"].endswith(".")
    assert operation["description"].endswith(".")
    assert operation["operationId"].isidentifier()
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}


def test_no_two_operations_share_a_name_and_every_tag_is_used() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    assert used == {tag["name"] for tag in DOCUMENT["tags"]}


@EVERY
def test_security_is_that_of_the_table_of_access(path: str, method: str) -> None:
    need = need_of(route_of(path), method)
    assert need is not None
    operation = OPERATIONS[path, method]
    schemes = {name for one in operation["security"] for name in one}
    assert schemes == (set() if need.public else {"ApiKey", "Bearer"})
    is_open = need.public or need.anonymous or need.strangers or need.watchers
    assert ({} in operation["security"]) == is_open
    assert operation.get("x-scope") == need.scope
    assert ("401" in operation["responses"]) >= (not need.public)
    assert ("403" in operation["responses"]) >= (need.scope is not None)


@EVERY
def test_every_answer_tells_of_limits_and_every_operation_of_429(path: str, method: str) -> None:
    responses = OPERATIONS[path, method]["responses"]
    assert "Retry-After" in responses["429"]["headers"]
    for response in responses.values():
        assert {"X-Request-ID", "X-RateLimit-Limit", "RateLimit", "RateLimit-Policy"} <= set(
            response["headers"]
        )


@EVERY
def test_what_can_be_revalidated_has_a_validator(path: str, method: str) -> None:
    operation = OPERATIONS[path, method]
    asks = any(one["name"] == "If-None-Match" for one in operation.get("parameters", ()))
    assert asks == ("304" in operation["responses"])
    if asks:
        assert "ETag" in operation["responses"]["200"]["headers"]
        assert "ETag" in operation["responses"]["304"]["headers"]


@EVERY
def test_every_error_is_a_problem_with_an_example_of_its_status(path: str, method: str) -> None:
    for status, response in OPERATIONS[path, method]["responses"].items():
        if status < "400" or "application/json" in response.get("content", {}):
            continue  # an unhealthy report is no problem document
        content = response["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert content["examples"]
        for code in content["examples"]:
            assert str(PROBLEM_TYPES[code].status) == status


@pytest.mark.parametrize("code", DOCUMENT["components"]["examples"])
def test_the_type_of_an_example_is_the_page_of_its_code(code: str) -> None:
    value = DOCUMENT["components"]["examples"][code]["value"]
    assert value["error"] == code
    if code == "RATE_LIMIT_EXCEEDED":  # its type is one that IANA keeps
        assert value["type"].startswith("https://iana.org/")
    else:
        assert value["type"] == f"/errors/{code}"
        assert find(value["type"]) == "error-page"


def test_every_code_that_a_view_can_meet_is_in_some_operation() -> None:
    told = set(DOCUMENT["components"]["examples"])
    assert set(PROBLEM_TYPES) - told == {"METHOD_NOT_ALLOWED", "NOT_FOUND"}  # of no operation


def test_every_value_has_its_bounds() -> None:
    found = dict(schemas(DOCUMENT))
    assert len(found) > 200
    for where, schema in found.items():
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if "enum" in schema or "const" in schema:
            continue
        for kind in set(kinds) - {"null", "boolean", "http", "apiKey"}:
            assert BOUNDED[kind](schema), where


BOUNDED = {
    "string": lambda one: "maxLength" in one and ("pattern" in one or "format" in one),
    "integer": lambda one: {"minimum", "maximum", "format"} <= set(one),
    "number": lambda one: "maximum" in one and ("minimum" in one or "exclusiveMinimum" in one),
    "array": lambda one: "maxItems" in one,
    "object": lambda one: one["additionalProperties"] is False or "maxProperties" in one,
}


def test_a_symbol_is_what_the_setting_says_unless_it_is_changed() -> None:
    assert SYMBOL["pattern"] == Config().symbol_pattern


def test_a_route_that_says_nothing_of_itself_stops_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plain.OPERATIONS, "/nothing", plain.OPERATIONS["/version"])
    with pytest.raises(ValueError, match=r"GET /nothing .* is not in the table of access"):
        document.build()


def test_an_unknown_code_stops_the_command() -> None:
    from gateway_project.openapi import errors

    with pytest.raises(ValueError, match="NO_SUCH_CODE"):
        errors.responses(["NOT_FOUND", "NO_SUCH_CODE"])


def test_the_structs_of_probes_are_components() -> None:
    names = {struct.__name__ for struct in plain.STRUCTS}
    assert names <= set(DOCUMENT["components"]["schemas"])
    assert all(issubclass(struct, msgspec.Struct) for struct in plain.STRUCTS)
