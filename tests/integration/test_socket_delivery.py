"""How updates come: each, the newest, in batches; filtered, timed, paced; and who is limited by what."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests import people
from tests.integration.test_socket import assert_refused
from tests.stack import Stack, event, eventually, numbered, receive, send, updates_of


def subscribe(socket: ClientConnection, *symbols: str, **terms: Any) -> None:
    """Subscribe without snapshots, unless `terms` say otherwise."""
    send(socket, action="subscribe", symbols=list(symbols), **{"snapshot": False, **terms})
    assert receive(socket)["symbols"] == list(symbols)


def receive_until(socket: ClientConnection, seq: int) -> list[dict[str, Any]]:
    """Frames up to the one with the update `seq`."""
    frames: list[dict[str, Any]] = []
    while not frames or all(update["seq"] != seq for update in updates_of(frames[-1])):
        frames.append(receive(socket))
    return frames


def test_mode_batch_packs_every_update_in_order_into_few_frames(stack: Stack, symbol: str) -> None:
    with stack.socket() as socket:
        subscribe(socket, symbol, mode="batch", interval_ms=100)
        seqs = stack.publish(*numbered(symbol, 2_000))
        frames = receive_until(socket, seqs[-1])
    assert [update["seq"] for frame in frames for update in updates_of(frame)] == seqs
    assert len(frames) <= 60
    assert max(len(updates_of(frame)) for frame in frames) > 100


def test_mode_latest_tells_the_newest_of_each_symbol_and_ends_with_the_last(
    stack: Stack, symbol: str
) -> None:
    other = "QLATE"
    with stack.socket() as socket:
        subscribe(socket, symbol, other, mode="latest", interval_ms=200)
        payloads = [
            one for pair in zip(numbered(symbol, 500), numbered(other, 500), strict=True) for one in pair
        ]
        seqs = stack.publish(*payloads)
        newest: dict[str, int] = {}
        while newest != {symbol: seqs[-2], other: seqs[-1]}:
            updates = updates_of(receive(socket))
            assert len({update["symbol"] for update in updates}) == len(updates)
            for update in updates:
                assert update["seq"] > newest.get(update["symbol"], 0)
                newest[update["symbol"]] = update["seq"]


def test_a_second_subscribe_of_a_symbol_replaces_the_terms_of_the_first(stack: Stack, symbol: str) -> None:
    with stack.socket() as socket:
        subscribe(socket, symbol)
        subscribe(socket, symbol, mode="batch", interval_ms=50)
        seqs = stack.publish(*numbered(symbol, 300))
        frames = receive_until(socket, seqs[-1])
        assert [update["seq"] for frame in frames for update in updates_of(frame)] == seqs
        subscribe(socket, symbol)
        (seq,) = stack.publish(event(symbol))
        assert receive(socket)["seq"] == seq


def test_filters_leave_out_what_is_below(stack: Stack, symbol: str) -> None:
    with stack.socket() as socket:
        subscribe(socket, symbol, min_confidence=0.5, min_move_pct=1.0)
        stack.publish(
            event(symbol, confidence=0.49, current_price=100.0, predicted_price=110.0),
            event(symbol, confidence=0.9, current_price=100.0, predicted_price=100.9),
            event(symbol, confidence=0.5, current_price=100.0, predicted_price=98.0),
        )
        frame = receive(socket)
        assert (frame["confidence"], frame["predicted_price"]) == (0.5, 98.0)


def test_timing_tells_when_an_update_was_published_bridged_and_sent(stack: Stack, symbol: str) -> None:
    with stack.socket() as socket, stack.socket(symbol) as plain:
        subscribe(socket, symbol, timing=True)
        before = datetime.now(UTC) - timedelta(milliseconds=5)
        stack.publish(event(symbol))
        frame = receive(socket)
        assert "sent_at" not in receive(plain)
    moments = [datetime.fromisoformat(frame[name]) for name in ("published_at", "bridged_at", "sent_at")]
    assert before < moments[0] < moments[1] <= moments[2] < datetime.now(UTC)


def test_ten_frames_go_at_once_and_then_ten_a_second_however_many_wait(stack: Stack, symbol: str) -> None:
    with stack.socket(symbol) as socket:
        seqs = stack.publish(*numbered(symbol, 25))
        began = time.monotonic()
        assert [receive(socket)["seq"] for _ in range(10)] == seqs[:10]
        assert [receive(socket)["seq"] for _ in range(15)] == seqs[10:]
        assert time.monotonic() - began > 1.2


def test_beyond_a_thousand_waiting_updates_the_oldest_are_dropped_and_counted(
    stack: Stack, symbol: str
) -> None:
    with stack.socket(symbol) as socket:
        seqs = stack.publish(*numbered(symbol, 1_500))
        seen: list[int] = []
        dropped = 0
        while dropped < 400:
            frame = receive(socket)
            if frame["type"] == "warning":
                assert frame["code"] == "UPDATES_DROPPED"
                dropped += frame["dropped"]
            else:
                seen.append(frame["seq"])
    assert seen == sorted(seen)
    assert seen[:5] == seqs[:5]
    assert 400 < dropped < 500


def test_4429_for_more_than_ten_frames_a_second(stack: Stack) -> None:
    with stack.socket() as socket:
        for _ in range(12):
            send(socket, action="ping")
        frames = [receive(socket) for _ in range(10)]
        assert {frame["type"] for frame in frames} == {"pong"}
        assert_refused(socket, "TOO_FAST", 4429)


def test_4409_beyond_the_connections_of_the_tier_until_one_is_closed(stack: Stack) -> None:
    key = people.add_key(stack, "free").secret
    headers = {"X-API-Key": key}
    with contextlib.ExitStack() as held:
        for _ in range(4):
            socket = held.enter_context(connect(stack.socket_url, additional_headers=headers))
            assert receive(socket)["limits"]["connections"] == 5
        with connect(stack.socket_url, additional_headers=headers) as fifth:
            assert receive(fifth)["type"] == "welcome"
            with connect(stack.socket_url, additional_headers=headers) as sixth:
                assert_refused(sixth, "TOO_MANY_CONNECTIONS", 4409)

        def is_let_in() -> bool:
            with connect(stack.socket_url, additional_headers=headers) as again:
                return bool(receive(again)["type"] == "welcome")

        assert eventually(is_let_in)


def test_a_credential_is_renewed_in_band_and_another_account_is_not_taken(stack: Stack) -> None:
    other = people.add_key(stack, "enterprise").secret
    with stack.socket() as socket:
        send(socket, action="auth", api_key=stack.key, id="1")
        assert receive(socket) == {"type": "authenticated", "expires_at": None, "id": "1"}
        send(socket, action="auth", api_key=other, id="2")
        assert receive(socket)["code"] == "ALREADY_AUTHENTICATED"
        send(socket, action="auth", api_key="junk", id="3")
        assert receive(socket)["code"] == "INVALID_CREDENTIAL"
        send(socket, action="ping", id="4")
        assert receive(socket) == {"type": "pong", "id": "4"}
