"""OWASP API2: passwords and secrets of keys that are tried one after the other, over the wire.

Those who guess sit at addresses of their own below 127.0.0.0/8, and claim another one with each try; the only
proxy that is believed is at `PROXY`. The bounds of logins are made small: each password costs a slow hash.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator

import httpx
import pytest
from websockets.sync.client import connect

from accounts import keys
from tests.conftest import make_stack
from tests.integration.test_socket import assert_refused
from tests.people import PASSWORD, Key, add_account, add_key, add_user
from tests.security.conftest import LOGIN, Staff
from tests.stack import Stack, receive

PER_NAME = 1
PER_ADDRESS = 10 * PER_NAME
KEYS_A_MINUTE = 300
_ENOUGH_S = 10
PROXY = "127.0.0.9"

_numbers, _addresses = itertools.count(1), itertools.count(1)

Try = Callable[[str, str], httpx.Response]
"""A user name and a password to the answer."""


@pytest.fixture(scope="module")
def guarded() -> Iterator[Stack]:
    """A gateway that takes few passwords a minute."""
    with contextlib.ExitStack() as held:
        made = make_stack(held, os.environ["DATABASE_URL"])
        made.environ |= {"LOGIN_ATTEMPTS_PER_MINUTE": str(PER_NAME), "TRUSTED_PROXIES": PROXY}
        made.start_web()
        yield made


def new_address() -> str:
    """One that nobody has called from."""
    return f"127.0.1.{next(_addresses)}"


@contextlib.contextmanager
def caller_at(stack: Stack, address: str) -> Iterator[httpx.Client]:
    """A client that calls from `address`."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=stack.base_url, transport=transport, timeout=60) as client:
        yield client


def claim_another_address(client: httpx.Client) -> None:
    """Say that the next request comes from somewhere else."""
    claimed = f"198.51.100.{next(_numbers) % 250}"
    client.headers.update({"X-Forwarded-For": claimed, "X-Real-IP": claimed, "Forwarded": f"for={claimed}"})


def at_the_api(client: httpx.Client) -> Try:
    """The login of programs."""

    def attempt(username: str, password: str) -> httpx.Response:
        claim_another_address(client)
        return client.post("/auth/login", json={"username": username, "password": password})

    return attempt


def at_the_admin(client: httpx.Client) -> Try:
    """The form, with cookie and token as a browser sends them."""

    def attempt(username: str, password: str) -> httpx.Response:
        claim_another_address(client)
        browser = Staff(client, username, {})
        assert browser.call("GET", LOGIN).status_code == 200
        return browser.call("POST", LOGIN, username=username, password=password)

    return attempt


# What each login answers to a wrong password, and to the right one.
LOGINS = {"api": (at_the_api, 401, 200), "admin": (at_the_admin, 200, 302)}


def add_person(stack: Stack) -> str:
    """Somebody who may log in at both."""
    account = add_account(stack, "pro")
    return add_user(stack, account=account, role="admin", is_staff=True, is_superuser=True)


def guess_until_refused(attempt: Callable[[], httpx.Response], *, wrong: int) -> tuple[int, httpx.Response]:
    """How many tries were looked at, with the answer `wrong`, before one was refused; and that refusal.

    Of the minute that the guard counts in, enough is left for what follows: near its end the next one is
    waited for, so that at most two of them are seen.
    """
    looked_at = 0
    while looked_at <= 2 * PER_ADDRESS:
        answer = attempt()
        if answer.status_code != 429:
            assert answer.status_code == wrong
            looked_at += 1
        elif (left_s := int(answer.headers["retry-after"])) > _ENOUGH_S:
            return looked_at, answer
        else:
            time.sleep(left_s)  # to ask again and again would be counted, too
    raise AssertionError(f"{looked_at} tries were looked at")


def told(refused: httpx.Response) -> tuple[int, str]:
    """What whoever is refused reads, but for numbers: seconds, times and ids."""
    assert 0 < int(refused.headers["retry-after"]) <= 60
    if refused.headers["content-type"].startswith("text/html"):
        return refused.status_code, re.sub(r"\d+", "", refused.text)
    body = refused.json()
    return refused.status_code, " ".join(body[name] for name in ("error", "type", "title", "detail"))


@pytest.mark.parametrize("login", LOGINS)
def test_429_for_a_name_whose_password_is_guessed(guarded: Stack, login: str) -> None:
    way, wrong, right = LOGINS[login]
    victim, other = add_person(guarded), add_person(guarded)
    with caller_at(guarded, new_address()) as here, caller_at(guarded, new_address()) as elsewhere:
        attempt = way(here)
        looked_at, refused = guess_until_refused(lambda: attempt(victim, f"no {next(_numbers)}"), wrong=wrong)
        assert PER_NAME <= looked_at <= 2 * PER_NAME
        # Whoever has guessed it at last is not told, wherever they are.
        assert told(attempt(victim, PASSWORD)) == told(refused)
        assert told(way(elsewhere)(victim.upper(), PASSWORD)) == told(refused)
        assert attempt(other, PASSWORD).status_code == right


@pytest.mark.parametrize("login", LOGINS)
def test_429_for_an_address_that_guesses_at_many_names(guarded: Stack, login: str) -> None:
    way, wrong, right = LOGINS[login]
    person = add_person(guarded)
    with caller_at(guarded, new_address()) as here, caller_at(guarded, new_address()) as elsewhere:
        attempt = way(here)
        looked_at, refused = guess_until_refused(
            lambda: attempt(f"nobody-{next(_numbers)}", PASSWORD), wrong=wrong
        )
        assert PER_ADDRESS <= looked_at <= 2 * PER_ADDRESS
        assert told(attempt(person, PASSWORD)) == told(refused)
        assert way(elsewhere)(person, PASSWORD).status_code == right


def test_429_behind_a_proxy_for_a_client_that_writes_addresses_before_its_own(guarded: Stack) -> None:
    """With refresh tokens: they are guarded by address alone, and cost no hash."""

    def attempt(client: httpx.Client, own: str) -> httpx.Response:
        claimed = f"198.51.100.{next(_numbers) % 250}, {own}"
        return client.post(
            "/auth/refresh", json={"refresh_token": "junk"}, headers={"X-Forwarded-For": claimed}
        )

    with caller_at(guarded, PROXY) as proxy:
        looked_at, _ = guess_until_refused(lambda: attempt(proxy, "203.0.113.7"), wrong=401)
        assert PER_ADDRESS <= looked_at <= 2 * PER_ADDRESS
        assert attempt(proxy, "203.0.113.8").status_code == 401


def guesses(known: Key) -> Iterator[str]:
    """Secrets for the id of a key that is known, and for ids of none, by turns."""
    while True:
        yield keys.make_key(known.id, "live")
        yield keys.make_key(uuid.uuid4(), "live")


@pytest.fixture
def victim(guarded: Stack) -> Key:
    """A key that the process has in memory."""
    key = add_key(guarded, "enterprise")
    found = httpx.get(f"{guarded.base_url}/auth/profile", headers=key.header, timeout=60)
    assert found.status_code == 200
    return key


@pytest.mark.parametrize("path", ["/auth/profile", "/api/prediction/AAPL"], ids=["django", "hot read"])
def test_429_for_guesses_at_the_secret_of_a_known_key_as_at_an_unknown_one(
    guarded: Stack, victim: Key, path: str
) -> None:
    with caller_at(guarded, new_address()) as client:

        def ask(secret: str) -> httpx.Response:
            claim_another_address(client)
            return client.get(path, headers={"X-API-Key": secret})

        tried = itertools.islice(guesses(victim), KEYS_A_MINUTE)
        assert {ask(secret).status_code for secret in tried} == {401}
        at_known, at_unknown = [ask(secret) for secret in itertools.islice(guesses(victim), 2)]
        assert told(at_known) == told(at_unknown)
        assert at_known.status_code == 429
        assert ask(victim.secret).status_code in (200, 404)  # its holder is no guesser


def test_4429_for_the_same_on_the_socket(guarded: Stack, victim: Key) -> None:
    here = new_address()

    def guess(secret: str, code: str, close: int) -> None:
        with connect(
            guarded.socket_url,
            additional_headers={"X-API-Key": secret},
            source_address=(here, 0),
            close_timeout=1,
        ) as opened:
            assert_refused(opened, code, close)

    for secret in itertools.islice(guesses(victim), KEYS_A_MINUTE):
        guess(secret, "INVALID_CREDENTIAL", 4401)
    for secret in itertools.islice(guesses(victim), 2):
        guess(secret, "TOO_MANY_ATTEMPTS", 4429)
    with connect(
        guarded.socket_url, additional_headers=victim.header, source_address=(here, 0), close_timeout=1
    ) as opened:
        assert receive(opened)["type"] == "welcome"
