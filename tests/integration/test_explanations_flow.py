"""An explanation from the order to its answers: REST, socket and Redis, with a real worker."""

from __future__ import annotations

import json
import math
import uuid
from typing import Any

import httpx
import pytest
import redis
from websockets.sync.client import connect

from tests.integration.rest import assert_problem, order_explanation
from tests.people import Key, add_key
from tests.stack import Stack, event, eventually, receive, send


@pytest.fixture
def key(explaining: Stack) -> Key:
    """A key of an account of its own."""
    return add_key(explaining, "enterprise")


@pytest.fixture
def predicted(explaining: Stack, symbol: str) -> str:
    """A symbol with one prediction, which nobody can attribute."""
    explaining.publish(event(symbol, features={"momentum_21d": 0.04}))
    eventually(lambda: explaining.read(symbol))
    return symbol


@pytest.mark.parametrize("depth", ["fast", "medium", "deep"])
def test_200_with_an_explanation_that_sums_to_the_move_and_cites_its_sources(
    explaining: Stack, key: Key, predicted: str, depth: str
) -> None:
    answer = order_explanation(explaining, key, predicted, depth, Prefer="wait=30")
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=30"), answer.text
    told = answer.json()
    prediction = told["prediction"]
    move = math.log(prediction["predicted_price"] / prediction["current_price"])
    assert math.isclose(sum(one["value"] for one in told["contributions"]), move, rel_tol=1e-9)
    known = {source["id"] for source in told["sources"]}
    assert known
    assert all(set(statement["sources"]) <= known for statement in told["statements"])
    path = f"/api/explanation/{predicted}?depth={depth}"
    read = httpx.get(explaining.base_url + path, headers=key.header).json()
    assert read["summary"] == told["summary"]
    with redis.Redis.from_url(explaining.redis.url) as client:
        kept = client.get(f"explanation:{predicted}")
    assert isinstance(kept, bytes)
    assert json.loads(kept)["summary"] == told["summary"]


def test_a_watcher_and_a_follower_hear_of_the_end(explaining: Stack, key: Key, predicted: str) -> None:
    other = add_key(explaining, "enterprise")
    with (
        connect(explaining.socket_url, additional_headers=key.header, close_timeout=1) as watcher,
        connect(explaining.socket_url, additional_headers=other.header, close_timeout=1) as follower,
    ):
        assert receive(watcher)["type"] == receive(follower)["type"] == "welcome"
        send(follower, action="subscribe", symbols=[predicted], snapshot=False, explanations=True)
        assert receive(follower)["symbols"] == [predicted]
        job_id = order_explanation(explaining, key, predicted).json()["job_id"]
        send(watcher, action="watch", job_id=job_id)
        frames = _until_the_end(watcher)
        assert {frame["job_id"] for frame in frames} == {job_id}
        assert frames[-1]["type"] == "explanation_completed"
        assert frames[-1]["explanation"]["contributions"]
        assert frames[-1]["prediction"]["symbol"] == predicted
        told = _until_the_end(follower)[-1]
        assert (told["type"], told["symbol"]) == ("explanation_completed", predicted)
        assert "job_id" not in told
        send(watcher, action="watch", job_id=job_id)  # what has ended is told at once
        assert receive(watcher)["type"] == "explanation_completed"


def _until_the_end(socket: Any) -> list[dict[str, Any]]:
    frames = [receive(socket)]
    while frames[-1]["type"] == "explanation_progress":
        frames.append(receive(socket))
    return frames


def test_a_foreign_job_and_one_that_never_was_are_unknown_to_a_watcher(
    explaining: Stack, key: Key, predicted: str
) -> None:
    foreign = order_explanation(explaining, add_key(explaining, "enterprise"), predicted).json()["job_id"]
    with connect(explaining.socket_url, additional_headers=key.header, close_timeout=1) as socket:
        receive(socket)
        for job_id in (foreign, str(uuid.uuid4())):
            send(socket, action="watch", job_id=job_id, id="7")
            frame = receive(socket)
            assert (frame["type"], frame["code"], frame["id"]) == ("error", "UNKNOWN_JOB", "7")
        send(socket, action="watch", job_id="junk")
        assert receive(socket)["code"] == "INVALID_MESSAGE"


def test_without_the_scope_nothing_is_watched_or_followed(explaining: Stack, predicted: str) -> None:
    streaming = add_key(explaining, "enterprise", scopes='["stream"]')
    with connect(explaining.socket_url, additional_headers=streaming.header, close_timeout=1) as socket:
        receive(socket)
        send(socket, action="watch", job_id=str(uuid.uuid4()))
        assert receive(socket)["code"] == "SCOPE_MISSING"
        send(socket, action="subscribe", symbols=[predicted], snapshot=False, explanations=True)
        assert receive(socket)["code"] == "SCOPE_MISSING"
        assert receive(socket)["symbols"] == [predicted]


def test_the_request_id_of_the_order_is_on_its_way_through_nats(
    explaining: Stack, key: Key, predicted: str
) -> None:
    request_id = {"X-Request-ID": "trace-of-an-order"}
    job_id = order_explanation(explaining, key, predicted, **request_id).json()["job_id"]
    query = "SELECT request_id FROM explanations_computation WHERE id = %s AND state = 'done'"
    assert eventually(lambda: explaining.rows(query, job_id)) == [("trace-of-an-order",)]


def test_500_of_a_failed_explanation_is_counted_apart_from_errors_of_the_server(
    explaining: Stack, key: Key, predicted: str
) -> None:
    job_id = order_explanation(explaining, key, predicted, Prefer="wait=30").json()["job_id"]
    explaining.execute(
        "UPDATE explanations_computation SET state = 'failed', reason = 'no model', result = NULL WHERE id = "
        "(SELECT computation_id FROM explanations_explanationjob WHERE id = %s)",
        job_id,
    )
    answer = httpx.get(f"{explaining.base_url}/api/explanation/job/{job_id}", headers=key.header)
    assert_problem(answer, 500, "EXPLANATION_FAILED")
    assert "no model" in answer.text
    query = "SELECT calls, errors FROM accounts_usagehour WHERE key_id = %s AND status_class = 5"
    assert eventually(lambda: explaining.rows(query, key.id)) == [(1, 0)]
