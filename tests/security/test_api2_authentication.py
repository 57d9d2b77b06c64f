"""OWASP API2: credentials that were made, bent or stolen in part open nothing, on any way in.

What the forms of keys and tokens are is tested without a server in tests/accounts/test_keys.py and
test_tokens.py; here the same attacks meet the running gateway, over REST and on the socket.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from accounts import keys, tokens
from tests.accounts.test_tokens import encode, forge
from tests.integration import raw
from tests.integration.rest import assert_problem
from tests.integration.test_socket import assert_refused
from tests.people import Key, add_account, add_key, add_user, log_in
from tests.stack import ROOT, Stack

Claims = dict[str, Any]


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    """The access token of a person who is logged in."""
    return str(log_in(stack, add_user(stack, account=add_account(stack, "enterprise")))["access_token"])


@pytest.fixture(scope="module")
def victim(stack: Stack) -> Key:
    """A key that works."""
    key = add_key(stack, "enterprise")
    assert _profile(stack, {"X-API-Key": key.secret}).status_code == 200
    return key


def _profile(stack: Stack, headers: dict[str, str]) -> httpx.Response:
    return httpx.get(f"{stack.base_url}/auth/profile", headers=headers, timeout=60)


def _claims(token: str) -> Claims:
    part = token.split(".")[1]
    found: Claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _unsigned(token: str, algorithm: str) -> str:
    return f"{encode({'alg': algorithm, 'typ': 'at+jwt'}).decode()}.{token.split('.')[1]}."


PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"

TOKENS: dict[str, Callable[[str], str]] = {
    "alg none": lambda token: _unsigned(token, "none"),
    "alg None": lambda token: _unsigned(token, "nOnE"),
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "signature of another": lambda token: token[:-8] + "AAAAAAAA",
    "claims of another": lambda token: _with_claims(token, sub="1"),
    "RS256 named": lambda token: forge({"alg": "RS256"}, _claims(token)),
    "signed with a public key": lambda token: forge({}, _claims(token), secret=PUBLIC_KEY),
    "HS512": lambda token: forge({"alg": "HS512"}, _claims(token), digest="sha512"),
    "kid is a path": lambda token: forge({"kid": "../../../dev/null"}, _claims(token), secret=b""),
    "kid is SQL": lambda token: forge({"kid": "' UNION SELECT 'x"}, _claims(token), secret=b"x"),
    "brings its key": lambda token: forge(
        {"jwk": {"kty": "oct", "k": "eA"}, "kid": None}, _claims(token), secret=b"x"
    ),
    "key at an address": lambda token: forge({"jku": "https://evil.example/k"}, _claims(token), secret=b"x"),
    "another type": lambda token: forge({"typ": "JWT"}, _claims(token)),
    "expired": lambda token: forge({}, _claims(token) | {"exp": int(time.time()) - 60}),
    "not issued yet": lambda token: forge({}, _claims(token) | {"iat": int(time.time()) + 600}),
    "of another issuer": lambda token: forge({}, _claims(token) | {"iss": "evil"}),
    "for another audience": lambda token: forge({}, _claims(token) | {"aud": "evil"}),
    "of a login that never was": lambda token: forge({}, _claims(token) | {"sid": str(uuid.uuid4())}),
    "for another user of this login": lambda token: forge({}, _claims(token) | {"sub": "999999"}),
    "without an end": lambda token: forge(
        {}, {name: value for name, value in _claims(token).items() if name != "exp"}
    ),
    "nested": lambda token: forge({"cty": "JWT"}, token.encode()),
    "twice": lambda token: f"{token}.{token}",
    "a refresh token": lambda token: "pgwr_" + token[:40],
}


def _with_claims(token: str, **changes: Any) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{encode(_claims(token) | changes).decode()}.{signature}"


def test_a_token_made_by_hand_with_our_key_is_good_so_that_the_refusals_mean_something(
    stack: Stack, token: str
) -> None:
    assert _profile(stack, {"Authorization": f"Bearer {forge({}, _claims(token))}"}).status_code == 200
    assert tokens.looks_like_jwt(token)


@pytest.mark.parametrize("name", TOKENS)
def test_401_for_a_token_that_the_gateway_has_not_issued_like_this(
    stack: Stack, token: str, name: str
) -> None:
    bent = TOKENS[name](token)
    answer = _profile(stack, {"Authorization": f"Bearer {bent}"})
    assert_problem(answer, 401, "INVALID_CREDENTIAL")
    assert bent not in answer.text


@pytest.mark.parametrize("name", ["alg none", "claims of another", "HS512", "expired", "kid is a path"])
def test_4401_for_the_same_on_the_socket(stack: Stack, token: str, name: str) -> None:
    with connect(f"{stack.socket_url}?token={TOKENS[name](token)}", close_timeout=1) as opened:
        assert_refused(opened, "INVALID_CREDENTIAL", 4401)


KEYS: dict[str, Callable[[Key], bytes]] = {
    "without its last character": lambda key: key.secret[:-1].encode(),
    "half of it": lambda key: key.secret[: len(key.secret) // 2].encode(),
    "its public id": lambda key: key.public_id.encode(),
    "with one more": lambda key: key.secret.encode() + b"A",
    "with a NUL behind": lambda key: key.secret.encode() + b"%00",
    "twice": lambda key: key.secret.encode() * 2,
    "two in a list": lambda key: f"{key.secret}, {key.secret}".encode(),
    "upper case": lambda key: key.secret.upper().encode(),
    "of the other environment": lambda key: key.secret.replace("_live_", "_test_").encode(),
    "percent encoded": lambda key: b"%70" + key.secret[1:].encode(),
    "a look-alike of Cyrillic": lambda key: key.secret.replace("p", "\u0440", 1).encode(),
    "full width digits": lambda key: key.secret.replace("g", "\uff47", 1).encode(),
    "another secret under its id": lambda key: keys.make_key(key.id, "live").encode(),
    "its secret under another id": lambda key: _under_another_id(key).encode(),
    "its digest": lambda key: keys.digest_key(key.secret).encode(),
    "a quote behind": lambda key: key.secret.encode() + b"' OR '1'='1",
    "a joker": lambda key: key.secret[:-6].encode() + b"%",
}


def _under_another_id(key: Key) -> str:
    """With a checksum that is right."""
    secret = iter(key.secret.split("_")[3][:32])
    return keys.make_key(uuid.uuid4(), "live", choose=lambda _: next(secret))


@pytest.mark.parametrize("header", [b"X-API-Key: ", b"Authorization: Bearer "])
@pytest.mark.parametrize("name", KEYS)
def test_401_for_what_is_nearly_a_key(stack: Stack, victim: Key, name: str, header: bytes) -> None:
    answer = raw.get(stack, b"/auth/profile", header + KEYS[name](victim))
    assert answer.status == 401
    assert json.loads(answer.body)["error"] == "INVALID_CREDENTIAL"
    assert victim.secret.encode() not in answer.body


def test_a_nul_in_a_header_is_no_request(stack: Stack, victim: Key) -> None:
    assert raw.get(stack, b"/auth/profile", b"X-API-Key: " + victim.secret.encode() + b"\0").status == 400


def test_a_bad_key_beside_a_good_one_is_not_passed_over(stack: Stack, victim: Key) -> None:
    good, bad = victim.secret.encode(), keys.make_key(uuid.uuid4(), "live").encode()
    first = raw.get(stack, b"/auth/profile", b"X-API-Key: " + bad, b"X-API-Key: " + good)
    other = raw.get(stack, b"/auth/profile", b"X-API-Key: " + bad, b"Authorization: Bearer " + good)
    assert (first.status, other.status) == (401, 401)


@pytest.mark.parametrize("name", ["token", "api_key", "key", "access_token", "X-API-Key", "authorization"])
def test_4401_for_a_key_in_the_address_of_a_socket(stack: Stack, victim: Key, name: str) -> None:
    with connect(f"{stack.socket_url}?{name}={victim.secret}", close_timeout=1) as opened:
        with contextlib.suppress(ConnectionClosed):  # a bad token is refused before anything is asked
            opened.send(json.dumps({"action": "subscribe", "symbols": ["AAPL"]}))
        refused = json.loads(opened.recv(timeout=60))
        with pytest.raises(ConnectionClosed) as closed:
            opened.recv(timeout=60)
    assert refused["type"] == "error"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
    assert victim.secret not in str(refused) + closed.value.rcvd.reason


@pytest.mark.parametrize(
    ("module", "compares"),
    [
        ("credentials.py", {"hmac.compare_digest"}),
        ("keys.py", {"hmac.compare_digest"}),
        ("visitors.py", {"hmac.compare_digest"}),
        ("sessions.py", {"constant_time_compare"}),
        ("tickets.py", set()),  # a ticket is looked up by its digest, and nothing else of it is compared
        ("tokens.py", set()),  # PyJWT compares signatures
    ],
)
def test_what_is_secret_is_compared_in_constant_time_or_looked_up_by_its_digest(
    module: str, compares: set[str]
) -> None:
    """No clock: on a shared machine its noise hides what an attacker with patience would see."""
    tree = ast.parse((Path(ROOT) / "accounts" / module).read_text())
    compared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops)
    ]
    secret = ("digest", "secret", "checksum", "credential", "password", "fingerprint", "signature", "ticket")
    assert not [one for one in compared if any(word in one.lower() for word in secret)]
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls & {"hmac.compare_digest", "constant_time_compare"} == compares
