"""The WebSocket over a real server: who gets in, what is answered, and what is told in which order."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.stack import Stack, event, eventually, numbered, receive, send


def test_welcome_tells_id_protocol_limits_and_heartbeat(stack: Stack) -> None:
    with connect(stack.socket_url, additional_headers={"X-API-Key": stack.key}) as socket:
        welcome = receive(socket)
    assert uuid.UUID(welcome.pop("connection_id"))
    assert welcome == {
        "type": "welcome",
        "protocol": 1,
        "limits": {
            "frames_per_s": 10,
            "connections": None,
            "symbols": 100,
            "watches": 100,
            "message_bytes": 65536,
            "frames_in_per_s": 10,
            "buffered_updates": 1000,
            "resumed_updates": 1000,
            "idle_s": 300,
        },
        "heartbeat_s": 15,
    }


@pytest.mark.parametrize("way", ["bearer", "first frame"])
def test_other_ways_to_show_the_key(stack: Stack, way: str) -> None:
    headers = {"Authorization": f"Bearer {stack.key}"} if way == "bearer" else {}
    with connect(stack.socket_url, additional_headers=headers) as socket:
        if way == "first frame":
            send(socket, action="auth", api_key=stack.key)
        assert receive(socket)["type"] == "welcome"


def assert_refused(socket: ClientConnection, code: str, close: int) -> None:
    """An error frame, then the close code."""
    frame = receive(socket)
    assert (frame["type"], frame["code"]) == ("error", code), frame
    assert frame["detail"]
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == close


@pytest.mark.parametrize("key", ["", "junk", "pgw_live_" + "0" * 61])
def test_4401_for_a_bad_key_in_the_header_or_the_first_frame(stack: Stack, key: str) -> None:
    with connect(stack.socket_url, additional_headers={"X-API-Key": key}) as socket:
        assert_refused(socket, "INVALID_CREDENTIAL", 4401)
    with connect(stack.socket_url) as socket:
        send(socket, action="auth", api_key=key)
        assert_refused(socket, "INVALID_CREDENTIAL", 4401)


def test_4401_for_a_token_in_the_query_and_for_a_request_before_auth(stack: Stack) -> None:
    with connect(f"{stack.socket_url}?token={stack.key}") as socket:
        assert_refused(socket, "INVALID_CREDENTIAL", 4401)
    with connect(stack.socket_url) as socket:
        send(socket, action="subscribe", symbols=["AAPL"])
        assert_refused(socket, "UNAUTHENTICATED", 4401)


def test_4408_without_a_credential_within_five_seconds(stack: Stack) -> None:
    with connect(stack.socket_url) as socket:
        assert_refused(socket, "AUTH_TIMEOUT", 4408)


def test_4403_for_a_foreign_origin_and_a_key_without_the_scope(stack: Stack) -> None:
    from accounts import keys

    own = stack.base_url
    for origin, allowed in (
        (own, True),
        ("https://dashboard.example", True),
        ("https://evil.example", False),
        ("null", False),
    ):
        headers = {"X-API-Key": stack.key, "Origin": origin}
        with connect(stack.socket_url, additional_headers=headers) as socket:
            if allowed:
                assert receive(socket)["type"] == "welcome"
            else:
                assert_refused(socket, "ORIGIN_REFUSED", 4403)
    key = stack.manage("create_key", "--account", "t", "--tier", "free").split()[-1]
    stack.execute(
        "UPDATE api_keys SET scopes = '[\"predictions:read\"]' WHERE digest = %s",
        keys.digest_key(key),
    )
    with connect(stack.socket_url, additional_headers={"X-API-Key": key}) as socket:
        assert_refused(socket, "SCOPE_MISSING", 4403)


def test_404_for_another_socket_path(stack: Stack) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(stack.socket_url.replace("predictions", "nothing"))
    assert refused.value.response.status_code == 404


def test_subscribe_folds_duplicates_and_rejects_what_is_malformed_or_too_much(
    stack: Stack,
) -> None:
    with stack.socket() as socket:
        send(socket, action="subscribe", symbols=["AAPL", "aapl", "AAPL", "X" * 50], id="7", snapshot=False)
        assert receive(socket) == {
            "type": "subscribed",
            "symbols": ["AAPL"],
            "rejected": [
                {"symbol": "aapl", "error": "INVALID_SYMBOL"},
                {"symbol": "X" * 32, "error": "INVALID_SYMBOL"},
            ],
            "id": "7",
        }
        many = [f"Z{a}{b}" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ"]
        send(socket, action="subscribe", symbols=many)
        answer = receive(socket)
        assert answer["symbols"] == many[:99]
        assert answer["rejected"] == [{"symbol": "ZJJ", "error": "TOO_MANY_SYMBOLS"}]
        send(socket, action="unsubscribe", symbols=["AAPL", "NEVER"], id="8")
        assert receive(socket) == {"type": "unsubscribed", "symbols": ["AAPL"], "id": "8"}
        send(socket, action="subscribe", symbols=["ZJJ"])
        assert receive(socket)["symbols"] == ["ZJJ"]


def test_snapshot_first_then_live_updates_in_order_without_repetition(stack: Stack, symbol: str) -> None:
    stack.publish(event(symbol, predicted_price=0.5))
    eventually(lambda: stack.read(symbol))
    with stack.socket() as socket:
        send(socket, action="subscribe", symbols=[symbol])
        assert receive(socket)["type"] == "subscribed"
        snapshot = receive(socket)
        assert snapshot["snapshot"] is True
        assert snapshot["predicted_price"] == 0.5
        seqs = stack.publish(*numbered(symbol, 15))
        frames = [receive(socket) for _ in range(15)]
    assert [frame["seq"] for frame in frames] == seqs
    assert all("snapshot" not in frame for frame in frames)
    assert {frame["epoch"] for frame in frames} == {snapshot["epoch"]}


def test_a_snapshot_under_a_stream_of_updates_neither_repeats_nor_goes_back(
    stack: Stack, symbol: str
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as publisher:
        publishing = publisher.submit(stack.publish, *numbered(symbol, 1_000))
        for _ in range(5):
            with stack.socket() as socket:
                send(socket, action="subscribe", symbols=[symbol])
                frames = _frames_until(socket, lambda seen: len(seen) >= 30 or publishing.done())
                seqs = [frame["seq"] for frame in frames]
                assert seqs == sorted(set(seqs))
        publishing.result()


def _frames_until(socket: ClientConnection, enough: Any) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while not enough(frames):
        try:
            frame = receive(socket, timeout_s=0.5)
        except TimeoutError:
            continue
        if frame["type"] == "prediction_update":
            frames.append(frame)
    return frames


def test_updates_go_to_those_who_asked_for_the_symbol_and_stop_after_unsubscribe(
    stack: Stack,
) -> None:
    first, second, marker = "QZZZA", "QZZZB", "QZZZC"
    with stack.socket(first, marker) as a, stack.socket(second, marker) as b:
        stack.publish(event(first), event(second), event(marker))
        assert [receive(a)["symbol"] for _ in range(2)] == [first, marker]
        assert [receive(b)["symbol"] for _ in range(2)] == [second, marker]
        send(a, action="unsubscribe", symbols=[first])
        assert receive(a)["type"] == "unsubscribed"
        stack.publish(event(first), event(marker))
        assert receive(a)["symbol"] == marker


def test_ping_and_bad_frames_are_answered_and_the_eleventh_bad_one_closes(stack: Stack) -> None:
    with stack.socket() as socket:
        send(socket, action="ping", id="1")
        assert receive(socket) == {"type": "pong", "id": "1"}
        bad: list[tuple[str | bytes, str]] = [
            ("", "INVALID_JSON"),
            ("{", "INVALID_JSON"),
            ("[" * 10_000, "INVALID_MESSAGE"),
            ("[]", "INVALID_MESSAGE"),
            ('{"action":"dance"}', "INVALID_MESSAGE"),
            ('{"action":"subscribe"}', "INVALID_MESSAGE"),
            ('{"action":"subscribe","symbols":[]}', "INVALID_MESSAGE"),
            ('{"action":"subscribe","symbols":"AAPL"}', "INVALID_MESSAGE"),
            ('{"action":"subscribe","symbols":[NaN]}', "INVALID_JSON"),
            (b"\xff\xfe", "INVALID_JSON"),
        ]
        for frame, code in bad:
            socket.send(frame)
            assert receive(socket)["code"] == code, frame
        socket.send("{}")
        assert_refused(socket, "INVALID_MESSAGE", 4400)


def test_4413_for_a_message_over_64_kib(stack: Stack) -> None:
    with stack.socket() as socket:
        socket.send(json.dumps({"action": "ping", "id": "x" * 70_000}))
        assert_refused(socket, "MESSAGE_TOO_BIG", 4413)


def test_sockets_get_1012_when_the_server_stops(own_stack: Stack) -> None:
    web = own_stack.start_web()
    with own_stack.socket() as socket:
        web.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert web.wait(timeout=60) == 0
