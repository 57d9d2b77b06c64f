"""Explanations over a real server: ordered, waited for, asked after, cancelled; the test is the worker."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from events import connection, explanations, publishing, streams
from events.explanations import ExplanationCompleted, ExplanationFailed, ExplanationProgress
from tests.explanations.ends import CURRENT, PREDICTED, completed, failed, progress
from tests.integration.rest import assert_problem, order_explanation
from tests.people import Key, add_account, add_key
from tests.servers import Server
from tests.stack import Stack, event, eventually

Said = ExplanationProgress | ExplanationCompleted | ExplanationFailed

SUBJECTS = {
    ExplanationProgress: streams.EXPLANATION_PROGRESS,
    ExplanationCompleted: streams.EXPLANATION_COMPLETED,
    ExplanationFailed: streams.EXPLANATION_FAILED,
}


async def _say(url: str, said: Said) -> None:
    opened = await connection.connect(url, name="tests")
    try:
        await publishing.publish_once(
            opened.jetstream,
            SUBJECTS[type(said)],
            explanations.encode(said),
            msg_id=uuid.uuid4().hex,
            stream=streams.EXPLANATIONS,
        )
    finally:
        await opened.drain()


def say(stack: Stack, said: Said) -> None:
    """What a worker says."""
    asyncio.run(_say(stack.nats.url, said))


@pytest.fixture
def explained(stack: Stack, symbol: str) -> str:
    """A symbol with a prediction that can be explained."""
    stack.publish(event(symbol, current_price=CURRENT, predicted_price=PREDICTED))
    eventually(lambda: stack.read(symbol))
    return symbol


@pytest.fixture
def key(stack: Stack) -> Key:
    """A key of an account of its own."""
    return add_key(stack, "enterprise")


def get(stack: Stack, who: Key, path: str) -> httpx.Response:
    """The answer to a question."""
    return httpx.get(stack.base_url + path, headers=who.header, timeout=60)


def count_jobs(stack: Stack, who: Key) -> int:
    """How many jobs the account has."""
    query = "SELECT count(*) FROM explanations_explanationjob WHERE account_id = %s"
    return int(stack.rows(query, who.account_id)[0][0])


async def _orders(url: str) -> list[str]:
    opened = await connection.connect(url, name="tests")
    try:
        await connection.ensure_stream(opened.jetstream, streams.JOBS)
        state = (await opened.jetstream.stream_info(streams.JOBS.name)).state
        return [
            ((await opened.jetstream.get_msg(streams.JOBS.name, seq)).headers or {})[streams.MSG_ID_HEADER]
            for seq in range(max(1, state.first_seq), state.last_seq + 1)  # both are 0 before the first
        ]
    finally:
        await opened.drain()


def messages(stack: Stack, job_id: str) -> int:
    """How many messages of the queue order this job."""
    return asyncio.run(_orders(stack.nats.url)).count(job_id)


def test_202_then_200_from_the_order_to_the_explanation(stack: Stack, key: Key, explained: str) -> None:
    order = order_explanation(stack, key, explained)
    assert order.status_code == 202
    job_id, url = order.json()["job_id"], order.headers["location"]
    eventually(lambda: messages(stack, job_id) == 1)
    say(stack, progress(uuid.UUID(job_id), 0.5, "looking"))
    eventually(lambda: get(stack, key, url).json()["status"] == "running")
    say(stack, completed(uuid.UUID(job_id)))
    eventually(lambda: get(stack, key, url).status_code == 200)
    done = get(stack, key, url)
    eventually(lambda: get(stack, key, f"/api/explanation/{explained}").status_code == 200)
    newest = get(stack, key, f"/api/explanation/{explained}?depth=fast")
    assert {**newest.json(), "status": "done"} == done.json()
    assert newest.json()["prediction"]["timestamp"] == stack.read(explained)["timestamp"]


def test_202_the_rim_gives_an_order_its_id_and_its_limits(stack: Stack, explained: str) -> None:
    who = add_key(stack, "pro")
    order = order_explanation(stack, who, explained, **{"X-Request-ID": "order-0001"})
    assert order.headers["x-request-id"] == "order-0001"
    assert order.headers["x-ratelimit-remaining"] == "999"
    rows = stack.rows(
        "SELECT c.request_id FROM explanations_computation c WHERE c.id = %s", order.json()["job_id"]
    )
    assert rows == [("order-0001",)]


def test_202_fifty_orders_with_one_key_are_one_job_and_one_message(
    stack: Stack, key: Key, explained: str
) -> None:
    with ThreadPoolExecutor(50) as callers:
        repeated = {"Idempotency-Key": "k"}
        asked = [callers.submit(order_explanation, stack, key, explained, **repeated) for _ in range(50)]
        answers = [one.result() for one in asked]
    assert Counter(answer.status_code for answer in answers) == {202: 50}
    [job_id] = {answer.json()["job_id"] for answer in answers}
    assert Counter(answer.headers.get("idempotency-replayed") for answer in answers) == {None: 1, "true": 49}
    assert count_jobs(stack, key) == 1
    eventually(lambda: messages(stack, job_id) == 1)


def test_202_fifty_equal_orders_are_one_message_and_429_beyond_the_budget(
    stack: Stack, key: Key, explained: str
) -> None:
    with ThreadPoolExecutor(25) as callers:
        asked = [callers.submit(order_explanation, stack, key, explained) for _ in range(110)]
        answers = [one.result() for one in asked]
    assert Counter(answer.status_code for answer in answers) == {202: 100, 429: 10}
    refused = next(answer for answer in answers if answer.status_code == 429)
    body = assert_problem(refused, 429, "TOO_MANY_JOBS")
    assert int(refused.headers["retry-after"]) == body["retry_after"]
    ids = {answer.json()["job_id"] for answer in answers if answer.status_code == 202}
    assert len(ids) == count_jobs(stack, key) == 100
    eventually(lambda: sum(messages(stack, job_id) for job_id in ids) == 1)


def test_200_for_whoever_prefers_to_wait(stack: Stack, key: Key, explained: str) -> None:
    before = {row[0] for row in stack.rows("SELECT id FROM explanations_computation")}
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(order_explanation, stack, key, explained, Prefer="wait=60") for _ in range(8)]
        made = eventually(
            lambda: {row[0] for row in stack.rows("SELECT id FROM explanations_computation")} - before
        )
        eventually(lambda: count_jobs(stack, key) == 8)
        say(stack, completed(made.pop()))
        answers = [one.result() for one in asked]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.headers["preference-applied"] == "wait=30"
        assert answer.headers["location"] == f"/api/explanation/job/{answer.json()['job_id']}"
        assert answer.headers["x-request-id"]
        assert answer.json()["summary"]
    at_once = order_explanation(stack, key, explained, Prefer="respond-async, wait=0")
    assert (at_once.status_code, at_once.json()["status"]) == (200, "done")


def test_202_when_the_preferred_time_is_over(stack: Stack, key: Key, explained: str) -> None:
    began = time.monotonic()
    answer = order_explanation(stack, key, explained, Prefer="wait=1")
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "wait=1")
    assert 0.9 < time.monotonic() - began < 5
    assert "preference-applied" not in order_explanation(stack, key, explained, Prefer="wait=soon").headers


def test_410_and_500_for_whoever_waits_for_what_does_not_come(stack: Stack, key: Key, explained: str) -> None:
    with ThreadPoolExecutor(2) as callers:
        broken = callers.submit(order_explanation, stack, key, explained, Prefer="wait=30")
        eventually(lambda: count_jobs(stack, key) == 1)
        job = stack.rows("SELECT id FROM explanations_explanationjob WHERE account_id = %s", key.account_id)
        say(stack, failed(job[0][0]))
        answer = broken.result()
        assert answer.status_code == 500
        assert answer.json()["error"] == "EXPLANATION_FAILED"
        assert answer.headers["x-explanation-outcome"] == "failed"
        cancelled = callers.submit(order_explanation, stack, key, explained, Prefer="wait=30")
        eventually(lambda: count_jobs(stack, key) == 2)
        [(job_id,)] = stack.rows(
            "SELECT id FROM explanations_explanationjob WHERE account_id = %s AND id <> %s",
            key.account_id,
            job[0][0],
        )
        url = f"{stack.base_url}/api/explanation/job/{job_id}"
        assert httpx.delete(url, headers=key.header).status_code == 204
        assert cancelled.result().status_code == 410


def test_many_who_wait_hold_no_thread_and_one_who_goes_is_forgotten(
    stack: Stack, key: Key, explained: str
) -> None:
    place = urlsplit(stack.base_url)
    head = (
        f"POST /api/explanation/{explained} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key.secret}\r\n"
        'Content-Type: application/json\r\nPrefer: wait=30\r\nContent-Length: 16\r\n\r\n{"depth":"fast"}'
    ).encode()
    opened = [socket.create_connection((place.hostname or "", place.port or 0)) for _ in range(40)]
    try:
        for one in opened:
            one.sendall(head)
        eventually(lambda: count_jobs(stack, key) == 40)
        began = time.monotonic()
        assert get(stack, key, f"/api/prediction/{explained}").status_code == 200
        assert time.monotonic() - began < 2
    finally:
        for one in opened:
            one.close()
    assert get(stack, key, "/health/live").status_code == 200


def test_204_cancelling_takes_the_message_out_of_the_outbox(stack: Stack, key: Key, explained: str) -> None:
    job_id = order_explanation(stack, key, explained).json()["job_id"]
    url = f"{stack.base_url}/api/explanation/job/{job_id}"
    with _heard(stack, streams.EXPLAIN_CANCELLED) as told:
        for _ in range(2):
            assert httpx.delete(url, headers=key.header).status_code == 204
        eventually(lambda: job_id.encode() in told)
    assert_problem(httpx.get(url, headers=key.header), 410, "JOB_CANCELLED")
    assert stack.rows("SELECT 1 FROM outbox WHERE msg_id = %s", job_id) == []


class _heard:  # noqa: N801 - used like a function
    """What is published on a subject meanwhile."""

    def __init__(self, stack: Stack, subject: str) -> None:
        self._url, self._subject = stack.nats.url, subject
        self._told: list[bytes] = []
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))

    def __enter__(self) -> list[bytes]:
        self._thread.start()
        assert self._ready.wait(10)
        return self._told

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _listen(self) -> None:
        opened = await connection.connect(self._url, name="tests")

        async def hear(message: Any) -> None:
            self._told.append(message.data)

        await opened.client.subscribe(self._subject, cb=hear)
        await opened.client.flush()
        self._ready.set()
        await asyncio.to_thread(self._stop.wait)
        await opened.drain()


@pytest.fixture
def apart(stack_on_own_postgres: Stack, own_postgres: Server) -> tuple[Stack, Server]:
    """A running stack whose every server the test may kill."""
    stack_on_own_postgres.start_bridge()
    stack_on_own_postgres.start_web()
    return stack_on_own_postgres, own_postgres


def test_503_while_postgres_is_away_and_202_while_nats_is(apart: tuple[Stack, Server], symbol: str) -> None:
    stack, postgres = apart
    key = add_key(stack, "enterprise", account=add_account(stack, "enterprise"))
    stack.publish(event(symbol, current_price=CURRENT, predicted_price=PREDICTED))
    eventually(lambda: stack.read(symbol))
    assert get(stack, key, f"/api/prediction/{symbol}").status_code == 200  # the key is known here

    stack.nats.kill()
    order = order_explanation(stack, key, symbol)
    assert order.status_code == 202
    job_id = order.json()["job_id"]
    assert stack.rows("SELECT published_at FROM outbox WHERE msg_id = %s", job_id) == [(None,)]
    stack.nats.start()
    eventually(lambda: stack.rows("SELECT 1 FROM outbox WHERE published_at IS NOT NULL"), timeout_s=60)

    say(stack, completed(uuid.UUID(job_id)))
    eventually(lambda: get(stack, key, f"/api/explanation/{symbol}").status_code == 200)
    postgres.kill()
    refused = order_explanation(stack, key, symbol, "deep", **{"Idempotency-Key": "k"})
    assert_problem(refused, 503, "STORE_UNAVAILABLE")
    assert int(refused.headers["retry-after"]) > 0
    assert get(stack, key, f"/api/explanation/job/{job_id}").status_code == 503
    assert get(stack, key, f"/api/explanation/{symbol}").status_code == 200  # from Redis
    assert get(stack, key, f"/api/explanation/{symbol}?depth=deep").status_code == 503
    postgres.start()
    eventually(lambda: get(stack, key, f"/api/explanation/job/{job_id}").status_code == 200)
    assert count_jobs(stack, key) == 1
    again = order_explanation(stack, key, symbol, "deep", **{"Idempotency-Key": "k"})
    assert again.status_code == 202
    assert "idempotency-replayed" not in again.headers
    stack.redis.kill()
    assert get(stack, key, f"/api/explanation/{symbol}").status_code == 200  # from Postgres
    stack.redis.start()  # the bridge ends in good order
