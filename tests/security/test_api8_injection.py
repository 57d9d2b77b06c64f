"""OWASP API8: every parameter that docs/openapi.json names, with what a careless statement would run.

The table is the document itself, so a parameter of a new route is attacked without a word here.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.people import PASSWORD, Key, add_key
from tests.stack import ROOT, Stack, event, eventually

PAYLOADS = [
    "'",
    "' OR '1'='1' -- ",
    "1; DROP TABLE predictions_prediction; --",
    "'||pg_sleep(30)||'",
    "{{1337*1337}}${1337*1337}<%= 1337*1337 %>",
    "\u0000\u02bc OR 1=1",
]
TOLD = re.compile(r"psycopg|sqlite3|syntax error|unterminated|Traceback|OperationalError|1787569")
Target = tuple[str, str, str, str]


@functools.cache
def document() -> dict[str, Any]:
    """The contract."""
    found: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text())
    return found


def fields_of(operation: dict[str, Any]) -> Iterator[str]:
    """The names that its body may have."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
    yield from document()["components"]["schemas"].get(reference, {}).get("properties", {})


def targets() -> list[Target]:
    """Method, path, where and name of each parameter and of each field of a body."""
    found = []
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            found += [(method, path, one["in"], one["name"]) for one in operation.get("parameters", [])]
            found += [(method, path, "body", name) for name in fields_of(operation)]
    return found


@pytest.fixture(scope="module")
def caller(stack: Stack) -> Key:
    """A key that reaches every view."""
    rows = stack.count_rows("INJ")  # some, where workers share the tests of this module
    stack.publish(event("INJ"))
    eventually(lambda: stack.count_rows("INJ") > rows and stack.read("INJ"))
    scopes = ["keys:write", "stream", "predictions:read", "explanations:read", "explanations:write"]
    return add_key(stack, "enterprise", scopes=json.dumps([*scopes, "metrics:read", "admin"]))


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    """One connection for all of them."""
    with httpx.Client(base_url=stack.base_url, timeout=25) as made:
        yield made


def send(client: httpx.Client, caller: Key, target: Target, payload: str) -> httpx.Response:
    """One call with `payload` as the value of its one odd parameter."""
    method, path, where, name = target
    headers, body, query = dict(caller.header), None, ""
    if where == "header":
        headers[name] = payload.encode("ascii", "ignore").decode().replace("\0", "").strip()
    elif where == "query":
        query = f"?{name}={quote(payload, safe='')}"
    elif where == "body":
        body = {"username": "nobody", "password": PASSWORD} if path == "/auth/login" else {}
        body |= {name: payload}
    for one in re.findall(r"\{(\w+)\}", path):
        known = {"symbol": "INJ", "public_id": caller.public_id}.get(one, "0" * 32)
        path = path.replace(
            f"{{{one}}}", quote(payload, safe="") if (where, name) == ("path", one) else known
        )
    return client.request(method, path + query, headers=headers, json=body)


def test_the_document_has_parameters_of_every_kind() -> None:
    assert {where for _, _, where, _ in targets()} == {"path", "query", "header", "body"}
    assert len(targets()) > 40


@pytest.mark.parametrize("target", targets(), ids=" ".join)
def test_what_a_parameter_says_is_never_run(
    stack: Stack, client: httpx.Client, caller: Key, target: Target
) -> None:
    before = stack.count_rows("INJ")
    # A login hashes a password, and all tests of this stack share its attempts.
    for payload in PAYLOADS[:1] if target[1] == "/auth/login" else PAYLOADS:
        answer = send(client, caller, target, payload)
        assert answer.status_code < 500, answer.text
        told = answer.text.replace(payload, "").replace(json.dumps(payload)[1:-1], "")
        if target[1] not in ("/api/openapi.json", "/api/asyncapi.json"):
            assert not TOLD.search(told), told
    assert stack.count_rows("INJ") == before > 0
    assert not stack.rows("SELECT query FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
