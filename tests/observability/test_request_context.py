"""A request keeps the id its caller gave it where that is harmless, and every context has its own."""

from __future__ import annotations

import asyncio
import contextvars
import re
import string
import threading
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability import request_context
from observability.request_context import accept_or_make, bind, current

ALLOWED = string.ascii_letters + string.digits + "._-"


@pytest.mark.parametrize(
    "offered", ["a" * 8, "a" * 128, "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5", "A.b_c-1234"]
)
def test_a_harmless_id_is_kept(offered: str) -> None:
    assert accept_or_make(offered) == offered


@given(st.text(ALLOWED, min_size=8, max_size=128))
def test_8_to_128_letters_digits_dots_dashes_and_underscores_are_harmless(offered: str) -> None:
    assert accept_or_make(offered) == offered


@pytest.mark.parametrize(
    "offered",
    [
        None,
        "",
        "a" * 7,
        "a" * 129,
        "abcdefgh\n",
        "\nabcdefgh",
        "abcd efgh",
        "abcdéfgh",
        "abcd/efgh",
        "a" * 8 + "\x00",
    ],
)
def test_anything_else_is_replaced_by_a_new_uuid(offered: str | None) -> None:
    made = accept_or_make(offered)
    assert str(uuid.UUID(made)) == made
    assert accept_or_make(offered) != made


@given(st.text(max_size=140))
def test_whatever_is_offered_the_id_is_fit_for_headers_and_logs(offered: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._\-]{8,128}", accept_or_make(offered))


def test_outside_of_a_request_the_id_is_empty() -> None:
    assert contextvars.Context().run(current) == ""


def test_a_bound_id_is_known_in_its_context_alone() -> None:
    first, second = contextvars.Context(), contextvars.Context()
    first.run(bind, "request-1")
    second.run(bind, "request-2")
    assert (first.run(current), second.run(current)) == ("request-1", "request-2")
    assert contextvars.Context().run(current) == ""


def test_a_copied_context_carries_the_id_into_a_thread() -> None:
    context = contextvars.Context()
    context.run(bind, "request-1")
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(context.copy().run(current)))
    thread.start()
    thread.join(timeout=60)
    assert seen == ["request-1"]


async def test_tasks_that_run_at_once_do_not_see_each_others_id() -> None:
    both_bound = asyncio.Barrier(2)

    async def serve(request_id: str) -> str:
        bind(request_id)
        await both_bound.wait()
        return current()

    async with asyncio.timeout(10):
        first, second = await asyncio.gather(serve("request-1"), serve("request-2"))
    assert (first, second) == ("request-1", "request-2")
    assert current() == ""


def test_the_header_is_the_one_of_the_contract() -> None:
    assert request_context.HEADER == "X-Request-ID"


ARRIVED = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_request_is_known_with_its_address_and_the_time_it_came_in_its_context_alone() -> None:
    served, other = contextvars.Context(), contextvars.Context()
    served.run(bind, "request-1", address="203.0.113.7", arrived_at=ARRIVED)
    other.run(bind, "request-2", address="2001:db8::1")
    assert (served.run(request_context.address), other.run(request_context.address)) == (
        "203.0.113.7",
        "2001:db8::1",
    )
    assert served.run(request_context.arrived_at) == ARRIVED
    assert other.run(request_context.arrived_at) > ARRIVED
    assert contextvars.Context().run(request_context.address) == ""


def test_the_next_request_of_a_context_inherits_nothing() -> None:
    context = contextvars.Context()
    context.run(bind, "request-1", address="203.0.113.7", arrived_at=ARRIVED)
    context.run(bind, "request-2")
    assert context.run(request_context.address) == ""
    assert context.run(request_context.arrived_at) > ARRIVED


def test_outside_of_a_request_it_has_come_just_now() -> None:
    before = datetime.now(UTC)
    came = contextvars.Context().run(request_context.arrived_at)
    assert before <= came <= datetime.now(UTC)
    assert came.tzinfo is UTC
