"""A stream of the Python client without its socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prediction_gateway.errors import (
    ConnectionFailedError,
    GatewayError,
    InvalidRequestError,
    StreamClosedError,
)
from prediction_gateway.messages import (
    Connected,
    Disconnected,
    ExplanationProgress,
    Gap,
    Message,
    Notice,
    Update,
)
from prediction_gateway.places import Position
from prediction_gateway.stream_state import StreamState, Terms


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def begin(*symbols: str, terms: Terms | None = None, **options: Any) -> StreamState:
    return StreamState(symbols or ("AAPL", "MSFT"), terms or Terms(), uniform=lambda _, high: high, **options)


def take(state: StreamState, **frame: Any) -> list[Message]:
    return list(state.received(json.dumps(frame)))


def update(symbol: str, seq: int, epoch: str = "e1", **more: Any) -> dict[str, Any]:
    return {
        "type": "prediction_update",
        "symbol": symbol,
        "predicted_price": 2.0,
        "current_price": 1.0,
        "confidence": 0.5,
        "horizon": "1d",
        "model_version": "m",
        "timestamp": "2026-01-01T00:00:00Z",
        "as_of": "2026-01-01T00:00:00Z",
        "seq": seq,
        "epoch": epoch,
        **more,
    }


def connect(state: StreamState, *symbols: str) -> list[dict[str, Any]]:
    """A connection that was welcomed and has subscribed; what it sent."""
    sent = [json.loads(request) for request in state.requests()]
    take(state, type="welcome", connection_id="c", protocol=1, limits={}, heartbeat_s=15)
    take(state, type="subscribed", symbols=symbols or ["AAPL", "MSFT"], rejected=[])
    return sent


def seqs(messages: list[Message]) -> list[int]:
    return [message.seq for message in messages if isinstance(message, Update)]


def test_terms_that_are_usual_are_not_sent() -> None:
    assert connect(begin("AAPL", "AAPL")) == [{"action": "subscribe", "symbols": ["AAPL"]}]
    terms = Terms("latest", 100, 0.5, 1.0, timing=True, explanations=True)
    assert connect(begin("AAPL", terms=terms)) == [
        {
            "action": "subscribe",
            "symbols": ["AAPL"],
            "mode": "latest",
            "interval_ms": 100,
            "min_confidence": 0.5,
            "min_move_pct": 1.0,
            "timing": True,
            "explanations": True,
        }
    ]


@pytest.mark.parametrize(
    "wrong", [{"mode": "x"}, {"interval_ms": 9}, {"min_confidence": 2}, {"min_move_pct": -1}]
)
def test_terms_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Terms(**wrong)


def test_symbols_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(TypeError):
        StreamState("AAPL", Terms())
    for symbols in ([], [f"S{n}" for n in range(1001)]):
        with pytest.raises(ValueError, match="from 1 to 1000"):
            StreamState(symbols, Terms())


def test_it_comes_back_with_what_it_has_of_each_symbol() -> None:
    state = begin()
    connect(state)
    take(state, type="batch", updates=[update("AAPL", 5), update("MSFT", 6), update("AAPL", 7)])
    told = [state.connected]
    assert isinstance(state.ended(1012, ""), Disconnected)
    assert [*told, state.connected] == [True, False]
    assert state.positions == {"AAPL": Position("e1", 7), "MSFT": Position("e1", 6)}
    assert connect(state) == [
        {
            "action": "subscribe",
            "symbols": ["AAPL", "MSFT"],
            "since": {"epoch": "e1", "seq": 6, "seqs": {"AAPL": 7, "MSFT": 6}},
        }
    ]


def test_a_symbol_without_an_update_is_asked_for_from_before_all_others() -> None:
    state = begin()
    connect(state)
    take(state, **update("AAPL", 5))
    state.ended(1006, "")
    asked = connect(state)
    assert asked[1] == {"action": "subscribe", "symbols": ["MSFT"], "since": {"epoch": "0", "seq": 0}}


def test_symbols_of_two_lives_of_the_stream_are_asked_for_apart() -> None:
    state = begin()
    connect(state)
    take(state, **update("AAPL", 5))
    take(state, **update("MSFT", 1, epoch="e2"))
    state.ended(1006, "")
    assert [asked["since"]["epoch"] for asked in connect(state)] == ["e1", "e2"]


def test_nothing_is_given_twice() -> None:
    state = begin()
    connect(state)
    given = [take(state, **update("AAPL", seq)) for seq in (5, 5, 4, 6)]
    assert [seqs(one) for one in given] == [[5], [], [], [6]]
    assert seqs(take(state, **update("AAPL", 1, epoch="e2"))) == [1]


def test_a_gap_that_leads_back_lets_numbers_come_anew() -> None:
    state = begin()
    connect(state)
    take(state, **update("AAPL", 50))
    assert take(state, type="gap", symbol="AAPL", **{"from": 40}, to=45, epoch="e1") == [
        Gap(symbol="AAPL", from_seq=40, to_seq=45, epoch="e1")
    ]
    assert seqs(take(state, **update("AAPL", 45))) == []
    take(state, type="gap", symbol="AAPL", **{"from": 50}, to=9, epoch="e1")
    take(state, type="gap", symbol="MSFT", **{"from": 50}, to=9, epoch="e1")
    assert seqs(take(state, **update("AAPL", 9, snapshot=True))) == [9]


def test_snapshots_that_are_not_wanted_tell_the_place_alone() -> None:
    state = begin("AAPL", snapshot=False)
    connect(state, "AAPL")
    assert take(state, **update("AAPL", 5, snapshot=True)) == []
    assert state.positions == {"AAPL": Position("e1", 5)}
    state.ended(1006, "")
    connect(state, "AAPL")
    # After a gap the newest value is all that there is of what was missed.
    assert seqs(take(state, **update("AAPL", 9, snapshot=True))) == [9]


def test_it_tells_when_it_is_up_again() -> None:
    state = begin()
    told = []
    for name in ("c1", "c2"):
        state.requests()
        told += take(state, type="welcome", connection_id=name, protocol=1, limits={}, heartbeat_s=15)
        state.ended(None, "")
    assert told == [
        Connected(connection_id="c1", resumed=False),
        Connected(connection_id="c2", resumed=True),
    ]
    assert state.was_connected


def test_backoff_begins_anew_after_a_good_update_not_after_a_welcome() -> None:
    state = begin()
    pauses = []
    for _ in range(3):
        connect(state)
        pauses.append(state.ended(1012, "").retry_in_s)
    take(state, **update("AAPL", 5))
    pauses.append(state.ended(1012, "").retry_in_s)
    assert pauses == [1, 2, 4, 1]


@pytest.mark.parametrize("code", [4400, 4401, 4403, 4413, 1007, 1009])
def test_where_coming_back_is_useless_it_ends_with_the_reason(code: int) -> None:
    state = begin()
    state.requests()
    assert take(state, type="error", code="INVALID_CREDENTIAL", detail="Revoked.") == []
    with pytest.raises(StreamClosedError, match="Revoked") as raised:
        state.ended(code, "INVALID_CREDENTIAL")
    assert (raised.value.code, raised.value.reason, raised.value.detail) == (
        code,
        "INVALID_CREDENTIAL",
        "Revoked.",
    )
    with pytest.raises(StreamClosedError) as raised:
        state.ended(code, "OTHER")
    assert raised.value.detail == ""


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1011, 1012, 4408, 4409, 4429, 4503])
def test_otherwise_it_comes_back(code: int | None) -> None:
    assert begin().ended(code, "").code == code


def test_an_end_without_a_reason_has_that_of_the_last_error() -> None:
    state = begin()
    connect(state)
    assert take(state, type="error", code="SLOW_READER", detail="D") == []
    assert state.ended(4503, "").reason == "SLOW_READER"
    with pytest.raises(StreamClosedError, match="without a reason"):
        begin().ended(1009, "")


def test_being_away_may_have_an_end() -> None:
    clock = Clock()
    state = begin(give_up_after_s=10, clock=clock)
    connect(state)
    clock.now_s = 100
    assert state.ended(1006, "broke").retry_in_s == 1
    clock.now_s = 109.5
    assert state.ended(None, "refused").retry_in_s == 0.5
    clock.now_s = 110
    with pytest.raises(ConnectionFailedError, match="within 10 s: refused"):
        state.ended(None, "refused")


def test_what_else_there_is_to_know() -> None:
    state = begin()
    connect(state)
    assert take(state, type="warning", code="UPDATES_DROPPED", dropped=3) == [
        Notice(code="UPDATES_DROPPED", dropped=3)
    ]
    assert take(state, type="error", code="SNAPSHOT_UNAVAILABLE", detail="D") == [
        Notice(code="SNAPSHOT_UNAVAILABLE", detail="D")
    ]
    progress: dict[str, Any] = {
        "symbol": "AAPL",
        "depth": "deep",
        "status": "running",
        "progress": 0.5,
        "stage": "s",
    }
    assert take(state, type="explanation_progress", **progress) == [ExplanationProgress(**progress)]
    assert take(state, type="of a newer gateway") == []


def test_a_symbol_that_is_not_accepted_is_told_and_none_at_all_ends_it() -> None:
    state = begin("AAPL", "aapl")
    state.requests()
    bad = {"symbol": "aapl", "error": "INVALID_SYMBOL"}
    assert take(state, type="subscribed", symbols=["AAPL"], rejected=[bad]) == [
        Notice(code="INVALID_SYMBOL", symbol="aapl")
    ]
    state = begin("aapl")
    state.requests()
    with pytest.raises(InvalidRequestError, match="aapl: INVALID_SYMBOL"):
        take(state, type="subscribed", symbols=[], rejected=[bad])


DEEP = b"[" * 100_000


@pytest.mark.parametrize("data", ["", "{", "[]", '{"type": "gap"}', b"\xff", DEEP, b'{"type": ' + DEEP])
def test_what_is_not_of_the_protocol_is_an_error(data: str | bytes) -> None:
    with pytest.raises(GatewayError, match="not of the protocol"):
        list(begin().received(data))


def test_the_lag_within_the_gateway_is_known_with_timing() -> None:
    state = begin()
    connect(state)
    times = {"published_at": "2026-01-01T00:00:00Z", "sent_at": "2026-01-01T00:00:00.25Z"}
    timed, plain = (
        take(state, **update(name, 5, **more))[0] for name, more in (("AAPL", times), ("MSFT", {}))
    )
    assert isinstance(timed, Update)
    assert isinstance(plain, Update)
    assert (timed.gateway_lag_s, plain.gateway_lag_s, plain.move_pct) == (0.25, None, 100.0)
