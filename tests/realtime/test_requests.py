"""Every request that a client may send: its fields, their bounds and defaults, and how it is refused."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.protocol import messages, requests
from realtime.protocol.codes import Code
from realtime.protocol.messages import Error
from realtime.protocol.requests import (
    Auth,
    BadFrame,
    Ping,
    Request,
    Since,
    Subscribe,
    Unsubscribe,
    Watch,
    decode,
)

JOB = uuid.UUID("550e8400-e29b-41d4-a716-446655440000")
SUBSCRIBE: dict[str, Any] = {"action": "subscribe", "symbols": ["AAPL"]}


def refusal(frame: str | bytes | dict[str, Any]) -> BadFrame:
    """How `frame` is refused."""
    with pytest.raises(BadFrame) as raised:
        decode(json.dumps(frame) if isinstance(frame, dict) else frame)
    return raised.value


def read_subscribe(**fields: Any) -> Subscribe:
    """The subscription with these fields."""
    request = decode(json.dumps({**SUBSCRIBE, **fields}))
    assert isinstance(request, Subscribe)
    return request


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        ({"action": "auth", "api_key": "pgw_live_x"}, Auth("pgw_live_x")),
        ({"action": "auth", "token": "ey.x.y", "id": "7"}, Auth(token="ey.x.y", id="7")),
        ({"action": "auth", "token": "t", "api_key": None}, Auth(token="t")),
        (SUBSCRIBE, Subscribe(["AAPL"])),
        ({**SUBSCRIBE, "snapshot": False}, Subscribe(["AAPL"], snapshot=False)),
        ({**SUBSCRIBE, "symbols": ["a", "a", ""], "id": ""}, Subscribe(["a", "a", ""], id="")),
        (
            {
                **SUBSCRIBE,
                "mode": "batch",
                "interval_ms": 500,
                "since": {"epoch": "18f", "seq": 7, "seqs": {"AAPL": 9}},
                "min_confidence": 0.5,
                "min_move_pct": 2.5,
                "timing": True,
                "explanations": True,
            },
            Subscribe(["AAPL"], "batch", 500, True, Since("18f", 7, {"AAPL": 9}), 0.5, 2.5, True, True),
        ),
        (
            {"action": "unsubscribe", "symbols": ["AAPL", "MSFT"], "id": "8"},
            Unsubscribe(["AAPL", "MSFT"], "8"),
        ),
        ({"action": "watch", "job_id": str(JOB)}, Watch(JOB)),
        ({"action": "watch", "job_id": JOB.hex.upper(), "id": "9"}, Watch(JOB, "9")),
        ({"action": "ping"}, Ping()),
        ({"action": "ping", "id": None}, Ping()),
        ({"id": "x" * 64, "action": "ping"}, Ping("x" * 64)),
    ],
)
def test_every_request_is_read_from_text_and_from_bytes(frame: dict[str, Any], request_: Request) -> None:
    assert decode(json.dumps(frame)) == request_
    assert decode(json.dumps(frame).encode()) == request_


@pytest.mark.parametrize(
    "frame",
    [
        {"action": "auth", "api_key": "k"},
        SUBSCRIBE,
        {"action": "unsubscribe", "symbols": ["A"]},
        {"action": "watch", "job_id": str(JOB)},
        {"action": "ping"},
    ],
)
def test_fields_that_nobody_knows_are_ignored(frame: dict[str, Any]) -> None:
    odd = {"colour": ["red"], "x": {"symbols": 1}, "Mode": "all", "": None}
    assert decode(json.dumps({**odd, **frame})) == decode(json.dumps({**frame, **odd}))
    assert decode(json.dumps({**frame, **odd})) == decode(json.dumps(frame))


def test_a_subscription_asks_for_everything_at_once_with_the_newest_values_unless_it_says_otherwise() -> None:
    request = read_subscribe()
    assert (request.mode, request.interval_ms, request.snapshot, request.since) == ("all", 250, True, None)
    assert (request.min_confidence, request.min_move_pct) == (0, 0)
    assert (request.timing, request.explanations, request.id) == (False, False, None)


@pytest.mark.parametrize(
    ("field", "least", "most", "below", "above"),
    [
        ("interval_ms", 10, 60_000, 9, 60_001),
        ("min_confidence", 0, 1, -0.001, 1.001),
        ("min_move_pct", 0, 1_000, -0.001, 1_000.1),
    ],
)
def test_a_number_may_be_its_bounds_and_the_refusal_of_more_names_them(
    field: str, least: float, most: float, below: float, above: float
) -> None:
    for good in (least, most):
        assert getattr(read_subscribe(**{field: good}), field) == good
    for bad, bound in ((below, f">= {least}"), (above, f"<= {most}")):
        refused = refusal({**SUBSCRIBE, field: bad})
        assert refused.code == Code.INVALID_MESSAGE
        assert bound in refused.detail
        assert f"$.{field}" in refused.detail


@pytest.mark.parametrize("mode", ["all", "latest", "batch"])
def test_there_are_three_modes(mode: str) -> None:
    assert read_subscribe(mode=mode).mode == mode


@pytest.mark.parametrize("seq", [0, 1, 2**63 - 1])
def test_since_may_name_every_place_that_there_can_be(seq: int) -> None:
    assert read_subscribe(since={"epoch": "e" * 32, "seq": seq, "more": 1}).since == Since("e" * 32, seq)


def test_since_tells_what_was_seen_of_each_symbol_and_of_all_others() -> None:
    since = read_subscribe(since={"epoch": "e", "seq": 5, "seqs": {"A": 9, "B": 0, "": 2**63 - 1}}).since
    assert since is not None
    assert [since.of(symbol) for symbol in ("A", "B", "", "C")] == [9, 0, 2**63 - 1, 5]


def test_since_may_name_a_thousand_symbols() -> None:
    since = read_subscribe(since={"epoch": "e", "seq": 0, "seqs": {f"S{n}": n for n in range(1_000)}}).since
    assert since is not None
    assert since.of("S999") == 999


def test_a_thousand_symbols_may_be_offered_in_one_frame() -> None:
    assert len(read_subscribe(symbols=["A"] * 1000).symbols) == 1000


def test_an_auth_frame_names_one_credential() -> None:
    for frame in ({"api_key": "k"}, {"token": "k"}):
        request = decode(json.dumps({"action": "auth", **frame}))
        assert isinstance(request, Auth)
        assert request.credential == "k"
    assert Auth("").credential == ""


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ("[]", ["object", "array"]),
        ("1", ["object", "int"]),
        ("null", ["object", "null"]),
        ('"ping"', ["object", "str"]),
        ("{}", ["action", "one of auth, subscribe, unsubscribe, watch, ping"]),
        ({"action": 1}, ["$.action", "one of auth, subscribe, unsubscribe, watch, ping"]),
        ({"action": None}, ["$.action", "one of auth, subscribe, unsubscribe, watch, ping"]),
        ({"action": "shout"}, ["shout", "$.action", "one of auth, subscribe, unsubscribe, watch, ping"]),
        ({"action": "PING"}, ["PING", "$.action", "ping"]),
        ({"action": "x" * 500}, ["xxx", "$.action", "ping"]),
        ({"action": "ping", "id": 1}, ["str", "$.id"]),
        ({"action": "ping", "id": "x" * 65}, ["length <= 64", "$.id"]),
        ({"action": "auth"}, ["api_key", "token"]),
        ({"action": "auth", "api_key": None}, ["api_key", "token"]),
        ({"action": "auth", "api_key": "a", "token": "b"}, ["either api_key or token"]),
        ({"action": "auth", "token": 1}, ["str", "$.token"]),
        ({"action": "subscribe"}, ["symbols"]),
        ({**SUBSCRIBE, "symbols": "AAPL"}, ["array", "$.symbols"]),
        ({**SUBSCRIBE, "symbols": []}, ["length >= 1", "$.symbols"]),
        ({**SUBSCRIBE, "symbols": ["A", 1]}, ["str", "$.symbols[1]"]),
        ({**SUBSCRIBE, "symbols": ["A"] * 1001}, ["length <= 1000", "$.symbols"]),
        ({**SUBSCRIBE, "mode": "some"}, ["some", "$.mode", "one of all, latest, batch"]),
        ({**SUBSCRIBE, "mode": None}, ["$.mode", "one of all, latest, batch"]),
        ({**SUBSCRIBE, "mode": "é" * 500}, ["$.mode", "one of all, latest, batch"]),
        ({**SUBSCRIBE, "interval_ms": "250"}, ["int", "$.interval_ms"]),
        ({**SUBSCRIBE, "interval_ms": 250.5}, ["int", "$.interval_ms"]),
        ({**SUBSCRIBE, "interval_ms": True}, ["int", "$.interval_ms"]),
        ({**SUBSCRIBE, "snapshot": "yes"}, ["bool", "$.snapshot"]),
        ({**SUBSCRIBE, "timing": 1}, ["bool", "$.timing"]),
        ({**SUBSCRIBE, "explanations": None}, ["bool", "$.explanations"]),
        ({**SUBSCRIBE, "min_confidence": "1"}, ["float", "$.min_confidence"]),
        ({**SUBSCRIBE, "min_move_pct": []}, ["float", "$.min_move_pct"]),
        ({**SUBSCRIBE, "since": 7}, ["object", "$.since"]),
        ({**SUBSCRIBE, "since": {"epoch": "e"}}, ["seq", "$.since"]),
        ({**SUBSCRIBE, "since": {"seq": 1}}, ["epoch", "$.since"]),
        ({**SUBSCRIBE, "since": {"epoch": "e" * 33, "seq": 1}}, ["length <= 32", "$.since.epoch"]),
        ({**SUBSCRIBE, "since": {"epoch": "e", "seq": -1}}, [">= 0", "$.since.seq"]),
        ({**SUBSCRIBE, "since": {"epoch": "e", "seq": 2**63}}, ["<= 9223372036854775807", "$.since.seq"]),
        ({**SUBSCRIBE, "since": {"epoch": "e", "seq": 0, "seqs": []}}, ["object", "$.since.seqs"]),
        ({**SUBSCRIBE, "since": {"epoch": "e", "seq": 0, "seqs": {"A": -1}}}, [">= 0", "$.since.seqs"]),
        ({**SUBSCRIBE, "since": {"epoch": "e", "seq": 0, "seqs": {"A": 2**63}}}, ["<=", "$.since.seqs"]),
        ({**SUBSCRIBE, "since": {"epoch": "e", "seq": 0, "seqs": {"A": "1"}}}, ["int", "$.since.seqs"]),
        (
            {**SUBSCRIBE, "since": {"epoch": "e", "seq": 0, "seqs": {f"S{n}": n for n in range(1_001)}}},
            ["length <= 1000", "$.since.seqs"],
        ),
        ({"action": "unsubscribe", "symbols": {}}, ["array", "$.symbols"]),
        ({"action": "watch"}, ["job_id"]),
        ({"action": "watch", "job_id": "x"}, ["UUID", "$.job_id"]),
        ({"action": "watch", "job_id": 1}, ["uuid", "$.job_id"]),
    ],
)
def test_json_that_is_no_request_is_an_invalid_message_that_says_where_and_what_would_be_right(
    frame: str | dict[str, Any], named: list[str]
) -> None:
    refused = refusal(frame)
    assert refused.code == Code.INVALID_MESSAGE
    assert [word for word in named if word not in refused.detail] == []
    assert str(refused) == refused.detail
    assert len(refused.detail) < 300


@pytest.mark.parametrize(
    ("frame", "id_"),
    [
        ({"action": "shout", "id": "7"}, "7"),
        ({**SUBSCRIBE, "symbols": [], "id": "8"}, "8"),
        ({"action": "shout"}, None),
        ({"action": "ping", "id": 7}, None),
        ({"action": "ping", "id": "x" * 65}, None),
        ("[]", None),
        ("{", None),
    ],
)
def test_a_refusal_carries_the_id_of_the_request_if_that_is_good(
    frame: str | dict[str, Any], id_: str | None
) -> None:
    assert refusal(frame).id == id_


def test_the_refusal_of_an_auth_frame_does_not_repeat_the_key() -> None:
    for fields in ({"api_key": ["hunter2"]}, {"api_key": "hunter2", "id": 1}, {"token": {"hunter2": 1}}):
        assert "hunter2" not in refusal({"action": "auth", **fields}).detail


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "action",
    "symbols",
    "mode",
    "interval_ms",
    "snapshot",
    "since",
    "min_confidence",
    "min_move_pct",
    "timing",
    "explanations",
    "id",
    "api_key",
    "token",
    "job_id",
]
ACTIONS = st.sampled_from(["auth", "subscribe", "unsubscribe", "watch", "ping"])


def read_or_refuse(frame: str) -> Request | BadFrame:
    """The request, or how it is refused."""
    try:
        return decode(frame)
    except BadFrame as bad:
        return bad


@settings(max_examples=200, deadline=None)
@given(ACTIONS, st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=6))
def test_whatever_a_field_holds_the_request_is_good_or_refused_with_a_detail_that_can_be_sent(
    action: str, fields: dict[str, Any]
) -> None:
    frame = json.dumps({"action": action, **fields})
    found = read_or_refuse(frame)
    if isinstance(found, BadFrame):
        told = json.loads(messages.encode(Error(found.code, found.detail, found.id)))
        assert told["code"] in {Code.INVALID_MESSAGE, Code.INVALID_JSON}
        assert len(found.detail) < 300
    else:
        assert read_or_refuse(json.dumps({**fields, "action": fields.get("action", action)})) == found


def test_the_words_that_a_refusal_offers_are_those_that_are_taken() -> None:
    assert [len(words) for words in requests._WORDS.values()] == [5, 3]
