"""Coming back with `since`: every update once and in order, or an honest gap."""

from __future__ import annotations

from typing import Any

from websockets.sync.client import ClientConnection

from tests.integration.test_socket_delivery import receive_until
from tests.stack import Stack, event, eventually, numbered, receive, send, updates_of


def resume(socket: ClientConnection, symbols: list[str], epoch: str, seq: int, **terms: Any) -> None:
    """Subscribe from a place on."""
    send(socket, action="subscribe", symbols=symbols, since={"epoch": epoch, "seq": seq}, **terms)
    assert receive(socket)["symbols"] == symbols


def epoch_of(stack: Stack, symbol: str) -> str:
    """The life of the stream that the newest value of `symbol` is from."""
    return str(stack.rows("SELECT epoch FROM predictions_prediction WHERE symbol = %s", symbol)[0][0])


def test_what_was_missed_comes_in_order_and_then_the_live_flow(stack: Stack, symbol: str) -> None:
    other, unasked = "QRSMA", "QRSMB"
    payloads = [event(name) for name in (symbol, other, symbol, unasked, other, symbol)]
    seqs = stack.publish(*payloads)
    eventually(lambda: stack.count_rows(symbol) == 3)
    epoch = epoch_of(stack, symbol)
    with stack.socket() as socket:
        resume(socket, [symbol, other], epoch, seqs[0])
        (live,) = stack.publish(event(other))
        frames = [receive(socket) for _ in range(5)]
    assert [frame["seq"] for frame in frames] == [seqs[1], seqs[2], seqs[4], seqs[5], live]
    assert all("snapshot" not in frame for frame in frames)


def test_a_thousand_missed_updates_are_not_paced(stack: Stack, symbol: str) -> None:
    seqs = stack.publish(*numbered(symbol, 1_001))
    eventually(lambda: stack.count_rows(symbol) == 1_001)
    with stack.socket() as socket:
        resume(socket, [symbol], epoch_of(stack, symbol), seqs[0])
        assert [receive(socket)["seq"] for _ in range(1_000)] == seqs[1:]
        resume(socket, [symbol], epoch_of(stack, symbol), seqs[0], mode="batch", interval_ms=10)
        frames = receive_until(socket, seqs[-1])
    assert [update["seq"] for frame in frames for update in updates_of(frame)] == seqs[1:]


def test_more_than_a_thousand_or_another_life_of_the_stream_is_a_gap_and_a_snapshot(
    stack: Stack, symbol: str
) -> None:
    seqs = stack.publish(*numbered(symbol, 1_002))
    # Recorded, and told: what the process has not heard of yet is no part of what was missed.
    eventually(lambda: stack.count_rows(symbol) == 1_002 and stack.read(symbol)["seq"] == seqs[-1])
    epoch = epoch_of(stack, symbol)
    for given, seq in ((epoch, seqs[0]), ("1", 5)):
        with stack.socket() as socket:
            resume(socket, [symbol, "QNONE"], given, seq)
            gap = receive(socket)
            assert gap == {"type": "gap", "symbol": symbol, "from": seq, "to": seqs[-1], "epoch": epoch}
            snapshot = receive(socket)
            assert (snapshot["seq"], snapshot["snapshot"]) == (seqs[-1], True)
            (live,) = stack.publish(event(symbol))
            assert receive(socket)["seq"] == live
            seqs.append(live)


def test_nothing_missed_gives_the_live_flow_alone(stack: Stack, symbol: str) -> None:
    (seq,) = stack.publish(event(symbol))
    eventually(lambda: stack.count_rows(symbol) == 1)
    epoch = epoch_of(stack, symbol)
    with stack.socket() as socket:
        resume(socket, [symbol], epoch, seq)
        first, second = stack.publish(event(symbol), event(symbol))
        assert [receive(socket)["seq"] for _ in range(2)] == [first, second]


def test_a_process_that_has_just_started_remembers_what_was_before_it(own_stack: Stack, symbol: str) -> None:
    own_stack.start_bridge()
    web = own_stack.start_web()
    seqs = own_stack.publish(*numbered(symbol, 50))
    eventually(lambda: own_stack.count_rows(symbol) == 50)
    epoch = epoch_of(own_stack, symbol)
    web.terminate()
    web.wait(20)
    own_stack.start_web()
    with own_stack.socket() as socket:
        resume(socket, [symbol], epoch, seqs[9])
        assert [receive(socket)["seq"] for _ in range(40)] == seqs[10:]


def test_what_is_beyond_the_memory_of_the_process_is_read_from_the_record(
    own_stack: Stack, symbol: str
) -> None:
    own_stack.environ["RECENT_UPDATES"] = "1000"
    own_stack.start_bridge()
    own_stack.start_web()
    wanted = own_stack.publish(*numbered(symbol, 20))
    own_stack.publish(*numbered("QFILL", 1_500))
    eventually(lambda: own_stack.count_rows("QFILL") == 1_500)
    with own_stack.socket() as socket:
        resume(socket, [symbol], epoch_of(own_stack, symbol), wanted[4])
        assert [receive(socket)["seq"] for _ in range(15)] == wanted[5:]
        (live,) = own_stack.publish(event(symbol))
        assert receive(socket)["seq"] == live


def test_a_place_that_nobody_can_have_seen_is_a_gap_and_not_silence(stack: Stack, symbol: str) -> None:
    (seq,) = stack.publish(event(symbol))
    eventually(lambda: stack.count_rows(symbol) == 1)
    with stack.socket() as socket:
        resume(socket, [symbol], epoch_of(stack, symbol), seq + 1_000_000)
        assert receive(socket)["to"] == seq
        assert receive(socket)["snapshot"] is True
        (live,) = stack.publish(event(symbol))
        assert receive(socket)["seq"] == live
