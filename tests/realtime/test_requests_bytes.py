"""Frames that are no JSON, too long or too deep, and the symbols of a request sorted into good and bad."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.protocol import messages
from realtime.protocol.codes import Code, Rejected
from realtime.protocol.limits import MAX_MESSAGE_BYTES
from realtime.protocol.messages import Error, Rejection
from realtime.protocol.requests import Ping, decode, sort_symbols
from tests.realtime.test_requests import refusal

PATTERN = re.compile(r"^[A-Z]{1,5}$")
HUNDRED = [f"{first}{second}" for first in "ABCDEFGHIJ" for second in "KLMNOPQRST"]


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
        assert refusal(form).code == Code.INVALID_JSON


@pytest.mark.parametrize(
    "junk", [b"\xff", b'{"action": "\xff"}', b"\xed\xa0\x80", b'{"action":"ping","id":"\xc3"}']
)
def test_bad_utf_8_is_invalid_json(junk: bytes) -> None:
    assert refusal(junk).code == Code.INVALID_JSON


@pytest.mark.parametrize("text", ["\ud800", r"\ud800", r"\udc00", r"\ud800\u0041"])
def test_a_lone_surrogate_is_invalid_json_wherever_it_stands(text: str) -> None:
    for frame in (
        '{"action": "@"}',
        '{"action": "ping", "id": "@"}',
        '{"action": "subscribe", "symbols": ["@"]}',
    ):
        assert refusal(frame.replace("@", text)).code == Code.INVALID_JSON


@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_deep_nesting_is_refused_and_does_not_overflow(opened: str) -> None:
    deep = opened * (60_000 // len(opened))
    assert refusal(deep).code in {Code.INVALID_JSON, Code.INVALID_MESSAGE}
    assert refusal(f'{{"action": "ping", "x": {deep}').code == Code.INVALID_JSON
    assert refusal(f'{{"action": "shout", "x": {deep}').id is None


def test_a_message_may_be_as_long_as_the_limit_and_no_longer() -> None:
    full = '{"action": "ping"}'.ljust(MAX_MESSAGE_BYTES)
    assert decode(full) == decode(full.encode()) == Ping()
    wide = '{"action": "ping", "x": "é"}'.ljust(MAX_MESSAGE_BYTES)
    for longer in (full + " ", full.encode() + b" ", wide):
        refused = refusal(longer)
        assert refused.code == Code.MESSAGE_TOO_BIG
        assert "65536" in refused.detail


@given(st.binary(max_size=100) | st.text(st.characters(), max_size=100))
def test_arbitrary_frames_are_refused_with_a_detail_that_can_be_sent(frame: str | bytes) -> None:
    refused = refusal(frame)
    assert json.loads(messages.encode(Error(refused.code, refused.detail)))["code"] == refused.code


def test_symbols_are_sorted_into_accepted_and_rejected_with_the_reason() -> None:
    accepted, rejected = sort_symbols(["MSFT", "aapl", "AAPL", "TOOLONG"], pattern=PATTERN, already=set())
    assert accepted == ["MSFT", "AAPL"]
    assert rejected == [
        Rejection("aapl", Rejected.INVALID_SYMBOL),
        Rejection("TOOLONG", Rejected.INVALID_SYMBOL),
    ]


def test_duplicates_are_folded_whether_good_or_bad() -> None:
    accepted, rejected = sort_symbols(["A", "a", "A", "a", "A"], pattern=PATTERN, already=set())
    assert (accepted, rejected) == (["A"], [Rejection("a", Rejected.INVALID_SYMBOL)])


def test_a_hundred_symbols_are_accepted_and_the_next_one_is_too_many() -> None:
    assert sort_symbols(HUNDRED, pattern=PATTERN, already=set()) == (HUNDRED, [])
    accepted, rejected = sort_symbols([*HUNDRED, "ZZ", "zz"], pattern=PATTERN, already=set())
    assert accepted == HUNDRED
    assert rejected == [
        Rejection("ZZ", Rejected.TOO_MANY_SYMBOLS),
        Rejection("zz", Rejected.INVALID_SYMBOL),
    ]


def test_malformed_symbols_and_duplicates_take_no_place() -> None:
    offered = ["aa", *HUNDRED[:50], "bb", *HUNDRED]
    assert sort_symbols(offered, pattern=PATTERN, already=set())[0] == HUNDRED


def test_what_is_subscribed_already_is_accepted_again_and_costs_no_place() -> None:
    held = set(HUNDRED[:99])
    accepted, rejected = sort_symbols([HUNDRED[0], "ZZ", "ZY", HUNDRED[1]], pattern=PATTERN, already=held)
    assert accepted == [HUNDRED[0], "ZZ", HUNDRED[1]]
    assert rejected == [Rejection("ZY", Rejected.TOO_MANY_SYMBOLS)]
    assert held == set(HUNDRED[:99])


def test_a_rejected_symbol_is_quoted_in_short() -> None:
    _, rejected = sort_symbols(["x" * 500], pattern=PATTERN, already=set())
    assert rejected == [Rejection("x" * 32, Rejected.INVALID_SYMBOL)]


@given(
    offered=st.lists(st.sampled_from([*HUNDRED, "ZZ", "ZY", "zz", ""]), max_size=130),
    already=st.sets(st.sampled_from([*HUNDRED, "ZZ", "ZY"]), max_size=100),
)
def test_each_offered_symbol_is_answered_once_and_never_more_than_a_hundred_are_held(
    offered: list[str], already: set[str]
) -> None:
    accepted, rejected = sort_symbols(offered, pattern=PATTERN, already=already)
    assert sorted([*accepted, *(one.symbol for one in rejected)]) == sorted(set(offered))
    assert len(already | set(accepted)) <= 100
    for one in rejected:
        assert (one.error is Rejected.INVALID_SYMBOL) == (one.symbol in {"zz", ""})
