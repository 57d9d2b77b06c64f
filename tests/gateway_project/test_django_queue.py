"""Threads that may ask the database, and the queue for them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading

import pytest

from gateway_project import django_queue
from gateway_project.admission import Refused
from observability import blocking

ADDRESS = "203.0.113.7"
_around: contextvars.ContextVar[str] = contextvars.ContextVar("around", default="nothing")


async def test_a_function_is_called_in_one_of_the_threads_with_what_is_around_its_caller() -> None:
    _around.set("the caller")
    found = await django_queue.run(
        ADDRESS, lambda name: (threading.current_thread().name, _around.get(), name), "x"
    )
    assert found[0].startswith("django")
    assert found[1:] == ("the caller", "x")


async def test_the_connection_of_a_function_is_given_back_whatever_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_back = []
    for module in (django_queue, blocking):
        monkeypatch.setattr(module, "close_old_connections", lambda: given_back.append(True))
    assert await django_queue.run(ADDRESS, len, "ab") == 2
    with pytest.raises(TypeError):
        await django_queue.run(ADDRESS, len, 1)
    assert given_back == [True] * 4  # before and after


async def test_who_comes_when_the_queue_is_full_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_queue, "_queue", asyncio.Semaphore(1))
    async with django_queue.place(ADDRESS):
        with pytest.raises(Refused) as refused:
            await django_queue.run(ADDRESS, len, "ab")
        assert (refused.value.code, refused.value.headers) == ("OVERLOADED", [("Retry-After", "1")])
    assert await django_queue.run(ADDRESS, len, "ab") == 2


async def test_an_address_has_a_quarter_of_the_places() -> None:
    async with contextlib.AsyncExitStack() as held:
        for _ in range(django_queue._PLACES // 4):
            await held.enter_async_context(django_queue.place(ADDRESS))
        with pytest.raises(Refused) as refused:
            await django_queue.run(ADDRESS, len, "ab")
        assert (refused.value.code, refused.value.headers) == ("OVERLOADED", [("Retry-After", "1")])
        assert await django_queue.run("203.0.113.8", len, "ab") == 2
    assert await django_queue.run(ADDRESS, len, "ab") == 2
