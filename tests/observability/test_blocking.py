"""Blocking calls leave the event loop free, carry the request along, and give their connection back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from observability import blocking, request_context


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds calls up until it is set, at the latest when the test ends."""
    made = threading.Event()
    yield made
    made.set()


async def test_the_result_of_a_call_with_arguments_is_returned() -> None:
    assert await blocking.run(divmod, 7, 2) == (3, 1)
    assert await blocking.run(int, "11", base=2) == 3


async def test_what_the_call_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await blocking.run(divmod, 1, 0)


async def test_the_call_runs_in_a_thread_and_the_loop_goes_on(gate: threading.Event) -> None:
    def wait() -> int:
        assert gate.wait(timeout=60)
        return threading.get_ident()

    call = asyncio.create_task(blocking.run(wait))
    await asyncio.sleep(0)
    assert not call.done()
    gate.set()
    assert await call != threading.get_ident()


async def test_a_call_that_takes_too_long_is_given_up(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "TIMEOUT_S", 0.01)
    with pytest.raises(TimeoutError):
        await blocking.run(gate.wait, 20)


async def test_a_call_that_waits_for_a_thread_too_long_is_never_made(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders = [asyncio.create_task(blocking.run(gate.wait, 20)) for _ in range(4)]
    await asyncio.sleep(0)
    made: list[int] = []
    monkeypatch.setattr(blocking, "TIMEOUT_S", 0.01)
    with pytest.raises(TimeoutError):
        await blocking.run(made.append, 1)
    gate.set()
    assert await asyncio.gather(*holders) == [True] * 4
    monkeypatch.setattr(blocking, "TIMEOUT_S", 20.0)
    await blocking.run(made.append, 2)
    assert made == [2]


async def test_a_cancellation_that_comes_together_with_the_result_is_not_lost() -> None:
    """A task that was told to end and went on would hold up the end of its server."""

    def cancel(task: asyncio.Task[None], asked: list[bool]) -> None:
        asked.append(task.cancel())

    loop = asyncio.get_running_loop()
    for _ in range(200):
        finished, asked = threading.Event(), list[bool]()
        task = asyncio.create_task(blocking.run(finished.set))
        await asyncio.sleep(0)
        assert finished.wait(timeout=60)  # the loop stands still, so that both are there when it goes on
        loop.call_soon(cancel, task, asked)
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        assert asked == [task.cancelled()]


async def test_the_request_is_known_in_the_call_and_the_call_cannot_change_it() -> None:
    request_context.bind("request-1", address="203.0.113.7")

    def look_and_change() -> tuple[str, str]:
        seen = request_context.current(), request_context.address()
        request_context.bind("request-2")
        return seen

    assert await blocking.run(look_and_change) == ("request-1", "203.0.113.7")
    assert request_context.current() == "request-1"
    request_context.bind("")
    assert await blocking.run(request_context.current) == ""


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
async def test_the_database_connection_is_given_back(fails: bool) -> None:
    used: list[Any] = []

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        used.append(connection.connection)
        used.append(connection._connections[connection._alias])  # type: ignore[attr-defined]
        if fails:
            raise RuntimeError("after the query")

    if fails:
        with pytest.raises(RuntimeError, match="after the query"):
            await blocking.run(ask)
    else:
        await blocking.run(ask)
    opened, wrapper = used
    assert opened is not None
    assert wrapper.connection is None
