"""The wire protocol of the sockets: every request, every refusal of a frame, every frame that is sent."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions import documents
from predictions.documents import PredictionDocument
from realtime import protocol
from realtime.protocol import (
    MAX_MESSAGE_BYTES,
    Auth,
    BadFrame,
    Close,
    Ping,
    Request,
    Subscribe,
    Unsubscribe,
    decode,
    sort_symbols,
)

PATTERN = re.compile(r"^[A-Z]{1,5}$")
HUNDRED = [f"{first}{second}" for first in "ABCDEFGHIJ" for second in "KLMNOPQRST"]


def refusal(frame: str | bytes) -> BadFrame:
    """How `frame` is refused."""
    with pytest.raises(BadFrame) as raised:
        decode(frame)
    return raised.value


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        ({"action": "auth", "api_key": "pgw_live_x"}, Auth("pgw_live_x")),
        ({"action": "auth", "api_key": "pgw_live_x", "id": "7"}, Auth("pgw_live_x", id="7")),
        ({"action": "subscribe", "symbols": ["AAPL"]}, Subscribe(["AAPL"])),
        (
            {"action": "subscribe", "symbols": ["AAPL"], "snapshot": False},
            Subscribe(["AAPL"], snapshot=False),
        ),
        ({"action": "subscribe", "symbols": ["a", "a", ""], "id": ""}, Subscribe(["a", "a", ""], id="")),
        (
            {"action": "unsubscribe", "symbols": ["AAPL", "MSFT"], "id": "8"},
            Unsubscribe(["AAPL", "MSFT"], "8"),
        ),
        ({"action": "ping"}, Ping()),
        ({"action": "ping", "id": None}, Ping()),
        ({"id": "x" * 64, "action": "ping"}, Ping("x" * 64)),
        ({"action": "ping", "colour": ["red"]}, Ping()),
    ],
)
def test_every_request_is_read_from_text_and_from_bytes(frame: dict[str, Any], request_: Request) -> None:
    assert decode(json.dumps(frame)) == request_
    assert decode(json.dumps(frame).encode()) == request_


def test_a_subscription_asks_for_a_snapshot_unless_it_says_otherwise() -> None:
    request = decode('{"action": "subscribe", "symbols": ["AAPL"]}')
    assert isinstance(request, Subscribe)
    assert request.snapshot is True


@pytest.mark.parametrize(
    "frame",
    [
        "",
        " ",
        "x",
        "{",
        '{"action": "ping"',
        '{"action": "ping"}x',
        "NaN",
        "{'action': 'ping'}",
        "\ufeff{}",
        "\x00",
    ],
)
def test_a_frame_that_is_not_json_is_invalid_json(frame: str) -> None:
    for form in (frame, frame.encode()):
        assert refusal(form).code == "INVALID_JSON"


@pytest.mark.parametrize(
    "junk", [b"\xff", b'{"action": "\xff"}', b"\xed\xa0\x80", b'{"action":"ping","id":"\xc3"}']
)
def test_bad_utf_8_is_invalid_json(junk: bytes) -> None:
    assert refusal(junk).code == "INVALID_JSON"


@pytest.mark.parametrize("text", ["\ud800", r"\ud800", r"\udc00", r"\ud800\u0041"])
def test_a_lone_surrogate_is_invalid_json_wherever_it_stands(text: str) -> None:
    for frame in (
        '{"action": "@"}',
        '{"action": "ping", "id": "@"}',
        '{"action": "subscribe", "symbols": ["@"]}',
    ):
        assert refusal(frame.replace("@", text)).code == "INVALID_JSON"


@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_deep_nesting_is_refused_and_does_not_overflow(opened: str) -> None:
    deep = opened * (60_000 // len(opened))
    assert refusal(deep).code in {"INVALID_JSON", "INVALID_MESSAGE"}
    assert refusal(f'{{"action": "ping", "x": {deep}').code == "INVALID_JSON"


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ("[]", "object"),
        ("1", "object"),
        ("null", "object"),
        ('"ping"', "object"),
        ("{}", "action"),
        ('{"action": 1}', "action"),
        ('{"action": null}', "action"),
        ('{"action": "shout"}', "shout"),
        ('{"action": "PING"}', "PING"),
        ('{"action": "ping", "id": 1}', "id"),
        ('{"action": "ping", "id": "%s"}' % ("x" * 65), "id"),
        ('{"action": "auth"}', "api_key"),
        ('{"action": "auth", "api_key": null}', "api_key"),
        ('{"action": "subscribe"}', "symbols"),
        ('{"action": "subscribe", "symbols": "AAPL"}', "symbols"),
        ('{"action": "subscribe", "symbols": []}', "symbols"),
        ('{"action": "subscribe", "symbols": [1]}', "symbols"),
        ('{"action": "subscribe", "symbols": ["A"], "snapshot": "yes"}', "snapshot"),
        ('{"action": "unsubscribe", "symbols": {}}', "symbols"),
        ('{"action": "unsubscribe", "symbols": [' + '"A",' * 1000 + '"A"]}', "symbols"),
    ],
)
def test_json_that_is_no_request_is_an_invalid_message_and_says_where(frame: str, named: str) -> None:
    refused = refusal(frame)
    assert refused.code == "INVALID_MESSAGE"
    assert named in refused.detail
    assert str(refused) == refused.detail


def test_a_thousand_symbols_may_be_offered_in_one_frame() -> None:
    request = decode(json.dumps({"action": "subscribe", "symbols": ["A"] * 1000}))
    assert isinstance(request, Subscribe)
    assert len(request.symbols) == 1000


def test_the_refusal_of_an_auth_frame_does_not_repeat_the_key() -> None:
    assert "hunter2" not in refusal('{"action": "auth", "api_key": ["hunter2"]}').detail
    assert "hunter2" not in refusal('{"action": "auth", "api_key": "hunter2", "id": 1}').detail


def test_a_message_may_be_as_long_as_the_limit_and_no_longer() -> None:
    full = '{"action": "ping"}'.ljust(MAX_MESSAGE_BYTES)
    assert decode(full) == decode(full.encode()) == Ping()
    for longer in (full + " ", full.encode() + b" "):
        refused = refusal(longer)
        assert refused.code == "MESSAGE_TOO_BIG"
        assert "65536" in refused.detail


@given(st.binary(max_size=100) | st.text(st.characters(), max_size=100))
def test_arbitrary_frames_are_refused_with_a_detail_that_can_be_sent(frame: str | bytes) -> None:
    refused = refusal(frame)
    assert json.loads(protocol.error(refused.code, refused.detail))["code"] == refused.code


def test_the_welcome_tells_version_limits_and_heartbeat() -> None:
    assert json.loads(protocol.welcome("c-1")) == {
        "type": "welcome",
        "connection_id": "c-1",
        "protocol": 1,
        "limits": {"symbols": 100, "message_bytes": 65_536, "buffered_updates": 1000},
        "heartbeat_s": 15,
    }


REJECTED = [{"symbol": "aapl", "error": "INVALID_SYMBOL"}]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            protocol.subscribed(["AAPL"], REJECTED, "7"),
            {"type": "subscribed", "symbols": ["AAPL"], "rejected": REJECTED, "id": "7"},
        ),
        (protocol.subscribed([], [], None), {"type": "subscribed", "symbols": [], "rejected": []}),
        (protocol.unsubscribed(["A"], "7"), {"type": "unsubscribed", "symbols": ["A"], "id": "7"}),
        (protocol.unsubscribed([], None), {"type": "unsubscribed", "symbols": []}),
        (protocol.pong("7"), {"type": "pong", "id": "7"}),
        (protocol.pong(""), {"type": "pong", "id": ""}),
        (protocol.pong(None), {"type": "pong"}),
        (protocol.error("X", 'a "b" é', "7"), {"type": "error", "code": "X", "detail": 'a "b" é', "id": "7"}),
        (protocol.error("X", "why"), {"type": "error", "code": "X", "detail": "why"}),
        (protocol.dropped_warning(12), {"type": "warning", "code": "UPDATES_DROPPED", "dropped": 12}),
        (protocol.gap("AAPL", 3, 9), {"type": "gap", "symbol": "AAPL", "from": 3, "to": 9}),
    ],
)
def test_every_frame_is_json_with_its_type_and_repeats_the_id(frame: str, message: dict[str, Any]) -> None:
    assert json.loads(frame) == message
    assert list(json.loads(frame))[0] == "type"  # noqa: RUF015 - the first key of all


def update(**changes: Any) -> bytes:
    """An encoded document without features."""
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "predicted_price": 431.5,
        "current_price": 430.47,
        "confidence": 0.62,
        "horizon": 'é "1d" \\',
        "model_version": "m",
        "timestamp": datetime(2013, 3, 1, 21, tzinfo=UTC),
        "seq": 7,
        "epoch": "18f",
        **changes,
    }
    return documents.encode(PredictionDocument(**fields))


@pytest.mark.parametrize("changes", [{}, {"seq": None, "epoch": None}, {"symbol": "", "horizon": "}{\n😀"}])
def test_an_update_is_the_document_with_a_type_spliced_in(changes: dict[str, Any]) -> None:
    document = update(**changes)
    live = json.loads(protocol.prediction_update(document))
    assert live == {"type": "prediction_update", **json.loads(document)}
    snapshot = json.loads(protocol.prediction_update(document, snapshot=True))
    assert snapshot == {**live, "snapshot": True}


def test_an_update_keeps_the_bytes_of_the_document_as_they_were_encoded() -> None:
    assert protocol.prediction_update(update()).encode().endswith(update()[1:])


def test_symbols_are_sorted_into_accepted_and_rejected_with_the_reason() -> None:
    accepted, rejected = sort_symbols(["MSFT", "aapl", "AAPL", "TOOLONG"], pattern=PATTERN, already=set())
    assert accepted == ["MSFT", "AAPL"]
    assert rejected == [
        {"symbol": "aapl", "error": "INVALID_SYMBOL"},
        {"symbol": "TOOLONG", "error": "INVALID_SYMBOL"},
    ]


def test_duplicates_are_folded_whether_good_or_bad() -> None:
    accepted, rejected = sort_symbols(["A", "a", "A", "a", "A"], pattern=PATTERN, already=set())
    assert (accepted, rejected) == (["A"], [{"symbol": "a", "error": "INVALID_SYMBOL"}])


def test_a_hundred_symbols_are_accepted_and_the_next_one_is_too_many() -> None:
    assert sort_symbols(HUNDRED, pattern=PATTERN, already=set()) == (HUNDRED, [])
    accepted, rejected = sort_symbols([*HUNDRED, "ZZ", "zz"], pattern=PATTERN, already=set())
    assert accepted == HUNDRED
    assert rejected == [
        {"symbol": "ZZ", "error": "TOO_MANY_SYMBOLS"},
        {"symbol": "zz", "error": "INVALID_SYMBOL"},
    ]


def test_malformed_symbols_and_duplicates_take_no_place() -> None:
    offered = ["aa", *HUNDRED[:50], "bb", *HUNDRED]
    assert sort_symbols(offered, pattern=PATTERN, already=set())[0] == HUNDRED


def test_what_is_subscribed_already_is_accepted_again_and_costs_no_place() -> None:
    held = set(HUNDRED[:99])
    accepted, rejected = sort_symbols([HUNDRED[0], "ZZ", "ZY", HUNDRED[1]], pattern=PATTERN, already=held)
    assert accepted == [HUNDRED[0], "ZZ", HUNDRED[1]]
    assert rejected == [{"symbol": "ZY", "error": "TOO_MANY_SYMBOLS"}]
    assert held == set(HUNDRED[:99])


def test_a_rejected_symbol_is_quoted_in_short() -> None:
    _, rejected = sort_symbols(["x" * 500], pattern=PATTERN, already=set())
    assert rejected == [{"symbol": "x" * 32, "error": "INVALID_SYMBOL"}]


@pytest.mark.parametrize("code", Close)
def test_a_close_code_is_one_of_the_contract(code: Close) -> None:
    assert code in {1012, 4400, 4401, 4403, 4408, 4409, 4413, 4429, 4503}
