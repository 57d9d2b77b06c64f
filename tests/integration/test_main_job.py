"""The main job from end to end: published on NATS, read over REST, pushed over the socket."""

from __future__ import annotations

import json

from tests.stack import Stack, event, eventually, numbered, receive


def test_200_with_the_published_numbers(stack: Stack, symbol: str) -> None:
    published = event(
        symbol,
        timestamp="2026-01-05T10:00:00.125Z",
        as_of="2026-01-02",
        features={"return_1": -0.0123, "regime": "calm"},
    )
    (seq,) = stack.publish(published)
    eventually(lambda: stack.get(f"/api/prediction/{symbol}").status_code == 200)

    answer = stack.get(f"/api/prediction/{symbol}?include_features=true").json()

    age, stale = answer.pop("age_seconds"), answer.pop("stale")
    assert age > 86_400
    assert stale is True
    assert answer == {
        **published,
        "timestamp": "2026-01-05T10:00:00.125000Z",
        "as_of": "2026-01-02T00:00:00Z",
        "seq": seq,
    }


def test_features_are_left_out_unless_asked_for_and_as_of_is_the_timestamp_unless_sent(
    stack: Stack, symbol: str
) -> None:
    stack.publish(event(symbol, features={"x": 1}))
    answer = eventually(lambda: stack.read(symbol))
    assert "features" not in answer
    assert answer["as_of"] == answer["timestamp"]
    assert answer["stale"] is False
    assert 0 <= answer["age_seconds"] < 10


def test_a_published_event_reaches_a_subscriber_and_can_be_read_at_once(stack: Stack, symbol: str) -> None:
    with stack.socket(symbol) as socket:
        for payload in (event(symbol, predicted_price=200.0 + n) for n in range(20)):
            stack.publish(payload)
            frame = receive(socket)
            read = stack.get(f"/api/prediction/{symbol}").json()
            assert frame["type"] == "prediction_update"
            assert frame["predicted_price"] == payload["predicted_price"] == read["predicted_price"]
            assert frame["seq"] == read["seq"]
            assert frame["epoch"]
            assert "features" not in frame


def test_an_older_event_that_comes_late_is_recorded_and_does_not_become_the_newest(
    stack: Stack, symbol: str
) -> None:
    newer = event(symbol, timestamp="2026-03-01T00:00:02Z", predicted_price=2.0)
    older = event(symbol, timestamp="2026-03-01T00:00:01Z", predicted_price=1.0)
    stack.publish(newer, older)
    eventually(lambda: stack.count_rows(symbol) == 2)
    eventually(stack.is_idle)
    assert stack.read(symbol)["predicted_price"] == 2.0
    history = stack.get(f"/api/prediction/{symbol}/history").json()
    assert [row["predicted_price"] for row in history["data"]] == [2.0, 1.0]


def test_a_duplicate_is_stored_once_and_told_once(stack: Stack, symbol: str) -> None:
    first = event(symbol, timestamp="2026-03-01T00:00:01Z", predicted_price=1.0)
    last = event(symbol, timestamp="2026-03-01T00:00:02Z", predicted_price=2.0)
    with stack.socket(symbol) as socket:
        stack.publish(first)
        assert (receive(socket))["predicted_price"] == 1.0
        # The same key with another price: the first arrival stays, as the record's promise says.
        stack.publish({**first, "predicted_price": 99.0}, last)
        assert (receive(socket))["predicted_price"] == 2.0
    assert stack.count_rows(symbol) == 2


def test_malformed_events_go_to_the_dead_letters_and_do_not_stop_the_flow(stack: Stack, symbol: str) -> None:
    bad = {
        b"not json": "malformed",
        b"[1, 2]": "Expected `object`",
        b'{"symbol": "AAPL"}': "missing required field",
        _encode(event("aapl")): "does not match",
        _encode(event(symbol, confidence=1.5)): "$.confidence",
        _encode(event(symbol, predicted_price=-1)): "$.predicted_price",
        _encode(event(symbol, timestamp="yesterday")): "$.timestamp",
        _encode(event(symbol, as_of="2013-02-30")): "$.as_of",
        _encode(event(symbol, horizon="1\x00d")): "$.horizon",
    }
    stack.publish(*bad, event(symbol, predicted_price=5.0))

    eventually(lambda: stack.read(symbol).get("predicted_price") == 5.0)
    eventually(lambda: stack.dead_letters().keys() >= bad.keys())
    letters = stack.dead_letters()
    for payload, reason in bad.items():
        assert reason in letters[payload]
    assert stack.count_rows(symbol) == 1


def test_several_bridges_share_the_work_and_store_each_event_once(stack: Stack, symbol: str) -> None:
    second = stack.start_bridge()
    stack.publish(*numbered(symbol, 1_000))
    eventually(lambda: stack.count_rows(symbol) == 1_000)
    second.terminate()
    assert second.wait(timeout=60) == 0
    eventually(lambda: stack.read(symbol)["predicted_price"] == 1_000.0)


def _encode(payload: dict[str, object]) -> bytes:
    return json.dumps(payload).encode()
