"""One table for both clients, on a real gateway: what each call gives, what is waited for, what survives."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest

from accounts import keys
from gateway_project import embedded
from tests.clients.driving import DRIVERS, Driver, Running
from tests.integration.rest import order_explanation
from tests.lines import line_to
from tests.people import Key, add_key, add_tier
from tests.stack import Stack, event, eventually, numbered

NO_KEY = keys.make_key(uuid.UUID(int=5), "live")


@pytest.fixture(params=DRIVERS)
def client(request: pytest.FixtureRequest) -> Driver:
    """Each of the two."""
    return Driver(request.param)


@pytest.fixture
def key(explaining: Stack) -> Key:
    """A key of an account of its own."""
    return add_key(explaining, "enterprise")


@pytest.fixture
def predicted(explaining: Stack, symbol: str) -> str:
    """A symbol with one prediction."""
    explaining.publish(event(symbol, features={"momentum_21d": 0.04}))
    eventually(lambda: explaining.read(symbol))
    return symbol


def error_of(told: dict[str, Any], *kind: str | int) -> dict[str, Any]:
    """The error that was raised, if it is of that type, status and code."""
    error: dict[str, Any] = told["error"]
    assert (error["type"], error["status"], error["code"]) == kind
    assert error["request_id"]
    return error


def test_200_is_the_newest_prediction(explaining: Stack, client: Driver, key: Key, predicted: str) -> None:
    stored = explaining.read(predicted)
    told = client("success", base_url=explaining.base_url, api_key=key.secret, symbol=predicted)
    assert told == {name: stored[name] for name in ("symbol", "predicted_price", "seq")}


def test_304_gives_what_the_client_has(explaining: Stack, client: Driver, key: Key, predicted: str) -> None:
    told = client("not_modified", base_url=explaining.base_url, api_key=key.secret, symbol=predicted)
    assert told == {"prices": [188.1, 188.1], "statuses": [200, 304]}


def test_401_is_raised_at_once(explaining: Stack, client: Driver, predicted: str) -> None:
    told = client(
        "read", base_url=explaining.base_url, api_key=NO_KEY, symbol=predicted, reads=1, max_wait_s=60
    )
    error_of(told, "AuthenticationError", 401, "INVALID_CREDENTIAL")


def test_404_is_raised_at_once(explaining: Stack, client: Driver, key: Key, symbol: str) -> None:
    told = client(
        "read", base_url=explaining.base_url, api_key=key.secret, symbol=symbol, reads=1, max_wait_s=60
    )
    error_of(told, "NotFoundError", 404, "UNKNOWN_SYMBOL")


def test_429_is_waited_for_as_long_as_it_says(explaining: Stack, client: Driver, predicted: str) -> None:
    tier = add_tier(explaining, ("few", "account", 2, 3, None))
    told = client(
        "read",
        base_url=explaining.base_url,
        api_key=add_key(explaining, tier).secret,
        symbol=predicted,
        reads=3,
        max_wait_s=60,
    )
    assert told["prices"] == [188.1] * 3
    assert told["statuses"] == [200, 200, 429, 200]
    assert 1.0 <= told["waited_s"] < 30.0


def test_429_is_raised_when_the_wait_is_longer_than_one_may_wait(
    explaining: Stack, client: Driver, predicted: str
) -> None:
    tier = add_tier(explaining, ("few", "account", 1, 3600, None))
    told = client(
        "read",
        base_url=explaining.base_url,
        api_key=add_key(explaining, tier).secret,
        symbol=predicted,
        reads=2,
        max_wait_s=10,
    )
    error = error_of(told, "RateLimitError", 429, "RATE_LIMIT_EXCEEDED")
    assert 3500 < error["retry_after"] <= 3600


def test_500_of_a_job_that_failed_is_its_reason(
    explaining: Stack, client: Driver, key: Key, predicted: str
) -> None:
    job_id = order_explanation(explaining, key, predicted, Prefer="wait=30").json()["job_id"]
    explaining.execute(
        "UPDATE explanations_computation SET state = 'failed', reason = 'no model', result = NULL WHERE id = "
        "(SELECT computation_id FROM explanations_explanationjob WHERE id = %s)",
        job_id,
    )
    told = client("job", base_url=explaining.base_url, api_key=key.secret, job_id=job_id)
    error_of(told, "JobFailedError", 500, "EXPLANATION_FAILED")


def test_no_answer_at_all_is_an_error_of_its_own(client: Driver, key: Key) -> None:
    url = f"http://127.0.0.1:{embedded.free_port()}"
    told = client("read", base_url=url, api_key=key.secret, symbol="AAPL", reads=1, max_wait_s=1)
    assert told["error"] == {
        "type": "ConnectionFailedError",
        "status": None,
        "code": None,
        "request_id": None,
        "retry_after": None,
    }


def test_an_order_that_is_repeated_is_one_job(
    explaining: Stack, client: Driver, key: Key, predicted: str
) -> None:
    order = {"base_url": explaining.base_url, "api_key": key.secret, "symbol": predicted, "depth": "fast"}
    told = client("order", **order, idempotency_key=str(uuid.uuid4()), times=2)
    assert len(told["job_ids"]) == 2
    assert len(set(told["job_ids"])) == 1
    assert len(set(client("order", **order, times=2)["job_ids"])) == 2


def test_an_explanation_is_waited_for(explaining: Stack, client: Driver, key: Key, predicted: str) -> None:
    told = client(
        "explain", base_url=explaining.base_url, api_key=key.secret, symbol=predicted, depth="medium"
    )
    assert told["depth"] == "medium"
    assert predicted in told["summary"]


def assert_whole(running: Running, published: list[int]) -> None:
    """Every update came, once, in order, and no gap was told."""
    lines = running.ended()
    assert [line["seq"] for line in running.of("update")] == published, lines
    assert not running.of("gap")


def test_a_stream_survives_a_line_that_is_cut_without_a_loss(
    explaining: Stack, client: Driver, key: Key, predicted: str
) -> None:
    with line_to(explaining.base_url) as line:
        arguments = {"base_url": line.url, "api_key": key.secret, "symbols": [predicted], "mode": "all"}
        with client.running("stream", **arguments, count=15, snapshot=True) as running:
            running.wait_for("update", snapshot=True)
            published = explaining.publish(*numbered(predicted, 5))
            running.wait_for("update", 5)
            assert line.cut() == 1
            running.wait_for("disconnected")
            published += explaining.publish(*numbered(predicted, 5))
            line.mend()
            running.wait_for("update", 10)
            published += explaining.publish(*numbered(predicted, 5))
            assert_whole(running, published)


@pytest.fixture
def restarted(own_stack: Stack) -> Stack:
    """A gateway whose web process the test ends and starts again."""
    own_stack.start_bridge()
    own_stack.start_web()
    own_stack.publish(event("AAPL"), event("MSFT"))
    eventually(lambda: own_stack.read("AAPL") and own_stack.read("MSFT"))
    return own_stack


@pytest.mark.parametrize("signal", ["terminate", "kill"])
def test_a_stream_survives_a_server_that_restarts_without_a_loss(
    restarted: Stack, client: Driver, signal: str
) -> None:
    arguments = {"base_url": restarted.base_url, "api_key": restarted.key, "symbols": ["AAPL", "MSFT"]}
    with client.running("stream", **arguments, mode="batch", count=12, snapshot=True) as running:
        running.wait_for("update", 2, snapshot=True)
        published = restarted.publish(*numbered("AAPL", 2), *numbered("MSFT", 2))
        running.wait_for("update", 4)
        web = restarted.processes[-1]
        getattr(web, signal)()
        web.wait(timeout=60)
        published += restarted.publish(*numbered("AAPL", 2), *numbered("MSFT", 2))
        port = urlsplit(restarted.base_url).port or 0
        restarted.start("serve", "--port", str(port))
        running.wait_for("update", 8)
        published += restarted.publish(*numbered("AAPL", 2), *numbered("MSFT", 2))
        running.ended()
    told = [(line["symbol"], line["seq"]) for line in running.of("update")]
    assert sorted(seq for _, seq in told) == published
    for symbol in ("AAPL", "MSFT"):
        seqs = [seq for whose, seq in told if whose == symbol]
        assert seqs == sorted(seqs)
    code = running.of("disconnected")[0]["code"]
    assert code == 1012 if signal == "terminate" else code in {None, 1006}


def test_a_stream_with_a_bad_key_ends_at_once(explaining: Stack, client: Driver, predicted: str) -> None:
    with client.running(
        "stream",
        base_url=explaining.base_url,
        api_key=NO_KEY,
        symbols=[predicted],
        mode="all",
        count=1,
        snapshot=True,
    ) as running:
        error = running.ended()[-1]["error"]
    assert (error["type"], error["status"], error["code"]) == (
        "StreamClosedError",
        4401,
        "INVALID_CREDENTIAL",
    )


def test_a_stream_whose_symbols_are_all_malformed_ends_at_once(
    explaining: Stack, client: Driver, key: Key
) -> None:
    arguments = {"base_url": explaining.base_url, "api_key": key.secret, "symbols": ["aapl"], "mode": "all"}
    with client.running("stream", **arguments, count=1, snapshot=True) as running:
        error = running.ended()[-1]["error"]
    assert (error["type"], error["status"], error["code"]) == ("InvalidRequestError", 400, "INVALID_SYMBOL")
