"""OWASP API3: nobody sets what is not theirs to set, however the body is written."""

from __future__ import annotations

import json

import httpx
import pytest

from accounts import keys
from tests.integration.rest import assert_problem
from tests.people import Key, add_key
from tests.stack import Stack, event, eventually

FOREIGN = {
    "account": 1,
    "account_id": 1,
    "tier": "enterprise",
    "priority": 9,
    "job_id": "00000000-0000-0000-0000-000000000001",
    "state": "done",
    "result": {},
    "prediction": {"predicted_price": 1},
    "ordered_by": "admin",
    "__proto__": {"admin": True},
    "constructor": {"prototype": {"admin": True}},
}


@pytest.fixture(scope="module")
def manager(stack: Stack) -> Key:
    """A key that manages keys and orders explanations."""
    stack.publish(event("PROP"))
    eventually(lambda: stack.read("PROP"))
    scopes = ["keys:write", "stream", "predictions:read", "explanations:read", "explanations:write"]
    return add_key(stack, "pro", scopes=json.dumps(scopes))


def send(stack: Stack, who: Key, method: str, path: str, body: bytes) -> httpx.Response:
    """Send `body` as it is."""
    headers = {**who.header, "Content-Type": "application/json"}
    return httpx.request(method, stack.base_url + path, content=body, headers=headers, timeout=60)


@pytest.mark.parametrize("field", FOREIGN)
def test_422_for_a_field_of_an_order_that_is_not_the_callers_to_set(
    stack: Stack, manager: Key, field: str
) -> None:
    body = json.dumps({"depth": "fast", field: FOREIGN[field]}).encode()
    answer = send(stack, manager, "POST", "/api/explanation/PROP", body)
    assert_problem(answer, 422, "INVALID_BODY")
    assert not stack.rows(
        "SELECT 1 FROM explanations_explanationjob WHERE account_id = %s", manager.account_id
    )


def test_of_a_name_that_comes_twice_neither_raises_the_callers_rights(stack: Stack, manager: Key) -> None:
    body = b'{"scopes":["predictions:read"],"name":"twice","scopes":["predictions:read","admin"]}'
    answer = send(stack, manager, "POST", "/auth/register", body)
    assert answer.status_code in (400, 403, 422)
    other = b'{"scopes":["admin"],"name":"twice","scopes":["predictions:read"]}'
    made = send(stack, manager, "POST", "/auth/register", other)
    assert made.status_code in (201, 400, 422)
    rows = stack.rows("SELECT scopes FROM api_keys WHERE name = 'twice'")
    assert not [scopes for (scopes,) in rows if "admin" in str(scopes)]


@pytest.mark.parametrize(
    "body",
    [
        b'{"name\\u0000":"x"}',
        b'{"name":"x","TIER":"enterprise"}',
        b'{"name":"x","t\\u0069er":"enterprise"}',
        b'{"name":"x","tier\\u200b":"enterprise"}',
        b'{"name":"x","data":{"tier":"enterprise"}}',
        b'{"name":{"tier":"enterprise"}}',
        b'[{"name":"x"}]',
    ],
)
def test_422_for_spellings_of_fields_that_are_none(stack: Stack, manager: Key, body: bytes) -> None:
    own = f"/auth/keys/{manager.public_id}"
    for method, path in (("POST", "/auth/register"), ("PATCH", own)):
        assert_problem(send(stack, manager, method, path, body), 422, "INVALID_BODY")
    tiers = stack.rows("SELECT t.name FROM api_keys k JOIN accounts_tier t ON t.id = k.tier_id"
                       " WHERE k.account_id = %s", manager.account_id)  # fmt: skip
    assert set(tiers) <= {("pro",)}


def standing_of(stack: Stack, who: Key) -> tuple[object, ...]:
    """Tier and scopes of the key, and the tier of its account."""
    (found,) = stack.rows(
        "SELECT of_key.name, k.scopes, of_account.name FROM api_keys k"
        " JOIN accounts_tier of_key ON of_key.id = k.tier_id"
        " JOIN accounts_account a ON a.id = k.account_id"
        " JOIN accounts_tier of_account ON of_account.id = a.tier_id WHERE k.id = %s",
        who.id,
    )
    return found


def test_a_query_sets_no_property(stack: Stack, manager: Key) -> None:
    before = standing_of(stack, manager)
    path = f"/auth/keys/{keys.public_id(manager.id)}?tier=enterprise&scopes=admin"
    assert send(stack, manager, "PATCH", path, b"{}").status_code in (200, 400)
    assert standing_of(stack, manager) == before
    assert before[0] == "pro"
