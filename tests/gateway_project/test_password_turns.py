"""Passwords are checked one at a time; whoever waits holds no thread, and the queue has an end."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from gateway_project import password_turns, rim
from gateway_project.admission import Refused

_numbers = itertools.count()


class Django:
    """Stands where Django does: says what is inside, and answers when it is let."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.go_on = asyncio.Event()

    async def answer(self, path: str) -> None:
        """One request."""
        self.inside.append(path)
        await self.go_on.wait()
        self.inside.remove(path)


@pytest.fixture
async def django() -> Django:
    """In the place of the real one."""
    return Django()


def ask(django: Django, path: str, method: str = "POST", *, address: str | None = None) -> asyncio.Task[None]:
    """A request that has come as far as Django; each without an `address` comes from another one."""
    client = (address or f"198.51.100.{next(_numbers) % 256}", 0)

    async def wait_and_ask() -> None:
        async with password_turns.take({"path": path, "method": method, "client": client}):
            await django.answer(path)

    return asyncio.create_task(wait_and_ask())


async def settle() -> None:
    """Let everybody go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("path", ["/auth/login", "/admin/login/"])
async def test_of_many_logins_one_is_with_django_and_everything_else_goes_past_them(
    django: Django, path: str
) -> None:
    logins = [ask(django, path) for _ in range(10)]
    others = [
        ask(django, "/auth/refresh"),
        ask(django, "/api/prediction/AAPL/history", "GET"),
        ask(django, path, "GET"),
    ]
    await settle()

    assert django.inside.count(path) == 2  # one checks a password, one looks at the form
    assert len(django.inside) == 4

    django.go_on.set()
    await asyncio.gather(*logins, *others)
    assert django.inside == []


async def test_who_comes_when_the_queue_is_full_is_told_to_come_back(django: Django) -> None:
    logins = [ask(django, "/auth/login") for _ in range(password_turns.PLACES)]
    await settle()

    with pytest.raises(Refused) as refused:
        await ask(django, "/auth/login")
    assert (refused.value.code, refused.value.headers) == ("OVERLOADED", [("Retry-After", "5")])
    assert refused.value.extra["retry_after"] == 5

    django.go_on.set()
    await asyncio.gather(*logins)
    await ask(django, "/auth/login")


async def test_an_address_that_has_its_share_of_the_queue_is_told_to_come_back_and_others_wait_on(
    django: Django,
) -> None:
    first = "2001:db8::1"
    logins = [ask(django, "/auth/login", address=first) for _ in range(password_turns.PLACES_OF_ONE_ADDRESS)]
    await settle()

    for address in (first, "2001:db8::2"):  # of one /64
        with pytest.raises(Refused) as refused:
            await ask(django, "/auth/login", address=address)
        assert (refused.value.code, refused.value.headers) == ("OVERLOADED", [("Retry-After", "5")])
    other = ask(django, "/auth/login")
    await settle()
    assert not other.done()

    django.go_on.set()
    await asyncio.gather(*logins, other)
    await ask(django, "/auth/login", address=first)


async def test_who_has_waited_too_long_is_told_to_come_back(
    django: Django, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(django, "/auth/login")
    await settle()
    monkeypatch.setattr(password_turns, "WAIT_S", 0.0)

    with pytest.raises(Refused) as refused:
        await ask(django, "/auth/login")
    assert refused.value.code == "OVERLOADED"

    django.go_on.set()
    await first
    monkeypatch.undo()
    await ask(django, "/auth/login")


async def test_a_login_that_fails_or_is_given_up_gives_its_turn_back(
    django: Django,
) -> None:
    first, second = ask(django, "/auth/login"), ask(django, "/auth/login")
    await settle()
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)

    assert django.inside == ["/auth/login"]  # the first was inside when it was given up
    with pytest.raises(OSError, match="Django"):
        await _fail()
    django.go_on.set()
    await ask(django, "/auth/login")


async def _fail() -> None:
    async with password_turns.take({"path": "/auth/login", "method": "POST", "client": ("203.0.113.7", 0)}):
        raise OSError("Django")


async def test_the_rim_asks_for_the_turn_before_it_asks_django(django: Django) -> None:
    logins = [ask(django, "/auth/login") for _ in range(password_turns.PLACES)]
    await settle()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/auth/login",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "client": ("203.0.113.7", 1),
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"2")],
    }
    await rim.serve(scope, receive, send)
    start, body = sent
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"5")
    assert b'"error":"OVERLOADED"' in body["body"]
    assert len(django.inside) == 1

    django.go_on.set()
    await asyncio.gather(*logins)
