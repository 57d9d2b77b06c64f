"""``Prefer: wait``: how the header is read, and that a 202 waits for the end of a job and no longer."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st

from accounts.authentication import SCOPE_KEY
from accounts.callers import Caller
from explanations import reads
from gateway_project import preferences
from gateway_project.admission import Admission, Refused
from gateway_project.bodies import ClientGone
from gateway_project.preferences import MOST_WAITING, read_wait
from tests.examples import examples

JOB = uuid.UUID("00000000-0000-4000-8000-000000000001")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=5", 5),
        ("wait=0", 0),
        ("wait=30", 30),
        ("wait=31", 30),
        ("wait=99999999999999999999", 30),
        ("wait=007", 7),
        ("WAIT=5", 5),
        ('wait="5"', 5),
        (" wait = 5 ", 5),
        ("respond-async, wait=5", 5),
        ("wait=5, respond-async", 5),
        ("wait=5;a=b", 5),
        ('wait=5; a="x, y"', 5),
        ("wait=5, wait=6", 5),
        ('foo="a, wait=6", wait=5', 5),
        ("respond-async,,wait=5,", 5),
    ],
)
def test_a_wait_is_read(header: str, seconds: int) -> None:
    assert read_wait(header) == seconds


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "wait",
            "wait=",
            "wait=x",
            "wait=-1",
            "wait=1.5",
            "wait=+1",
            'wait="5',
            "wait=5 6",
            "waiting=5",
        ),
        *("await=5", "respond-async", 'foo="wait=5"', "wait=x, wait=5", "wait=\u0665", "wait;wait=5"),
        *("wait=5" + ";" * 600, '"' * 500),
    ],
)
def test_what_cannot_be_read_is_ignored(header: str) -> None:
    assert read_wait(header) is None


class Gateway:
    """Django, as the rim sees it: answers an order with 202 and the question after the job as told."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.status = "queued"
        self.order_status = 202
        self.job_status = 200
        self.job_headers: list[tuple[bytes, bytes]] = []
        self.refuses_jobs = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls.append(scope)
        is_order = scope["method"] == "POST"
        if self.refuses_jobs and not is_order:
            raise Refused("OVERLOADED")
        status = self.order_status if is_order else self.job_status
        body = {"job_id": str(JOB), "status": self.status} if is_order else {"summary": "so"}
        headers = (
            [(b"location", b"/job"), (b"idempotency-replayed", b"true")] if is_order else self.job_headers
        )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": msgspec.json.encode(body), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Client:
    """Who orders."""

    def __init__(self, prefer: str, *scopes: str, route: str = "explanation", method: str = "POST") -> None:
        caller = Caller("pro", frozenset(scopes or {"explanations:read", "explanations:write"}), account_id=1)
        headers = [(b"prefer", prefer.encode()), (b"x-api-key", b"k"), (b"content-type", b"application/json")]
        self.scope = {
            "method": method,
            "path": "/api/explanation/AAPL",
            "query_string": b"x=1",
            "headers": headers,
            SCOPE_KEY: Admission(caller),
        }
        self.route = route
        self.gone = asyncio.Event()
        self.received: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.received.append(message)

    async def order(self, gateway: Gateway) -> tuple[int, dict[bytes, bytes]]:
        """Status and headers of the answer."""
        async with asyncio.timeout(10):
            await preferences.serve(self.route, self.scope, self.receive, self.send, gateway)
        start = self.received[0]
        assert self.received[-1]["body"] == b""
        return start["status"], dict(start["headers"])


class Jobs:
    """The database, as far as it is asked who has ended."""

    def __init__(self) -> None:
        self.ended: set[uuid.UUID] = set()
        self.asked: list[set[uuid.UUID]] = []
        self.fails = 0
        self.on_ask: Callable[[], Any] = lambda: None

    def __call__(self, job_ids: set[uuid.UUID]) -> set[uuid.UUID]:
        self.asked.append(set(job_ids))
        self.on_ask()
        if self.fails:
            self.fails -= 1
            raise OperationalError
        return self.ended & job_ids


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """Jobs that end when the test says so."""
    made = Jobs()
    monkeypatch.setattr(reads, "ended_among", made)
    yield made
    assert preferences._count_waiting() == 0


async def test_200_once_the_job_has_ended(jobs: Jobs) -> None:
    jobs.on_ask = lambda: jobs.ended.add(JOB) if len(jobs.asked) > 2 else None
    gateway, client = Gateway(), Client("wait=99")
    status, headers = await client.order(gateway)
    assert (status, headers[b"preference-applied"]) == (200, b"wait=30")
    assert (headers[b"location"], headers[b"idempotency-replayed"]) == (b"/job", b"true")
    assert len(jobs.asked) == 3
    asked = gateway.calls[1]
    assert (asked["method"], asked["path"], asked["query_string"]) == (
        "GET",
        f"/api/explanation/job/{JOB}",
        b"",
    )
    assert asked["headers"] == [(b"x-api-key", b"k")]
    assert asked[SCOPE_KEY] is client.scope[SCOPE_KEY]


async def test_200_at_once_for_what_was_done_before(jobs: Jobs) -> None:
    gateway = Gateway()
    gateway.status = "done"
    status, headers = await Client("wait=0").order(gateway)
    assert (status, headers[b"preference-applied"], jobs.asked) == (200, b"wait=0", [])


@pytest.mark.parametrize("prefer", ["wait=0", "wait=1"])
async def test_202_when_the_time_is_over(jobs: Jobs, prefer: str) -> None:
    status, headers = await Client(prefer).order(Gateway())
    assert (status, headers[b"preference-applied"]) == (202, prefer.encode())


@pytest.mark.parametrize(
    "client",
    [
        lambda: Client("respond-async"),
        lambda: Client("wait=x"),
        lambda: Client("wait=5", "explanations:write"),
        lambda: Client("wait=5", route="auth-register"),
        lambda: Client("wait=5", method="OPTIONS"),
    ],
)
async def test_nobody_waits_who_cannot_or_does_not_want_to(jobs: Jobs, client: Callable[[], Client]) -> None:
    gateway = Gateway()
    _, headers = await client().order(gateway)
    assert b"preference-applied" not in headers
    assert (len(gateway.calls), jobs.asked) == (1, [])


async def test_422_an_order_that_is_refused_is_answered_at_once(jobs: Jobs) -> None:
    gateway = Gateway()
    gateway.order_status = 422
    status, headers = await Client("wait=5").order(gateway)
    assert status == 422
    assert b"preference-applied" not in headers


async def test_202_at_once_where_a_thousand_wait_already(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "_count_waiting", lambda: MOST_WAITING)
    status, headers = await Client("wait=5").order(Gateway())
    assert status == 202
    assert b"preference-applied" not in headers
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("job_status", "job_headers", "expected"),
    [
        (410, [], 410),
        (500, [(b"X-Explanation-Outcome", b"failed")], 500),
        (500, [], 202),
        (503, [], 202),
        (202, [], 202),
        (404, [], 202),
    ],
)
async def test_what_goes_wrong_after_the_order_leaves_the_202(
    jobs: Jobs, job_status: int, job_headers: Any, expected: int
) -> None:
    jobs.ended.add(JOB)
    gateway = Gateway()
    gateway.job_status, gateway.job_headers = job_status, job_headers
    assert (await Client("wait=5").order(gateway))[0] == expected


async def test_202_where_there_is_no_thread_to_ask_again(jobs: Jobs) -> None:
    jobs.ended.add(JOB)
    gateway = Gateway()
    gateway.refuses_jobs = True
    assert (await Client("wait=5").order(gateway))[0] == 202


async def test_a_client_that_goes_ends_the_waiting(jobs: Jobs) -> None:
    client, loop = Client("wait=30"), asyncio.get_running_loop()
    jobs.on_ask = functools.partial(loop.call_soon_threadsafe, client.gone.set)
    with pytest.raises(ClientGone):
        await client.order(Gateway())
    assert client.received == []
    assert preferences._count_waiting() == 0


async def test_a_database_that_is_away_for_a_moment_is_asked_again(jobs: Jobs) -> None:
    jobs.fails = 2
    jobs.ended.add(JOB)
    assert (await Client("wait=30").order(Gateway()))[0] == 200


async def test_everybody_who_waits_is_asked_for_at_once(jobs: Jobs) -> None:
    jobs.on_ask = lambda: jobs.ended.add(JOB) if len(jobs.asked) > 3 else None
    clients = [Client("wait=30") for _ in range(100)]
    answers = await asyncio.gather(*(client.order(Gateway()) for client in clients))
    assert {status for status, _ in answers} == {200}
    assert len(jobs.asked) == 4


@given(header=st.text(max_size=600) | st.text(alphabet='wait=5,;" \\', max_size=40))
@examples(500)
def test_a_wait_is_bounded_whatever_the_header(header: str) -> None:
    seconds = read_wait(header)
    assert seconds is None or 0 <= seconds <= preferences.LONGEST_S


@given(
    seconds=st.integers(0, 10**30), before=st.lists(st.sampled_from(["respond-async", 'a="b, c"', "x=1;y"]))
)
@examples(100)
def test_a_wait_is_found_behind_other_preferences(seconds: int, before: list[str]) -> None:
    header = ", ".join([*before, f"wait={seconds}"])
    assert read_wait(header) == (min(seconds, preferences.LONGEST_S) if len(header) <= 512 else None)
