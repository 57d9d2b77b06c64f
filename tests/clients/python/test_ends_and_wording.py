"""How ends of connections are read, and what the command of the Python client says of them."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from prediction_gateway import sockets
from prediction_gateway.command import wording
from prediction_gateway.command.watch import status_line, update_line
from prediction_gateway.errors import ConnectionFailedError, NotFoundError
from prediction_gateway.messages import (
    Connected,
    Disconnected,
    ExplanationProgress,
    Gap,
    Message,
    Notice,
    Update,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def update(**changes: Any) -> Update:
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "predicted_price": 0.0003,
        "current_price": 1234.5,
        "confidence": 0.5,
        "horizon": "1d",
        "model_version": "m",
        "timestamp": NOW,
        "as_of": NOW,
        "seq": 7,
        "epoch": "e",
    }
    return Update(**{**fields, **changes})


def test_numbers_and_moments_are_readable() -> None:
    assert [wording.price(value) for value in (1234.5, 0.00031)] == ["1,234.50", "0.00031"]
    assert [wording.per_cent(value) for value in (1.5, float("nan"))] == ["+1.500%", "?"]
    assert [wording.contribution(value) for value in (0.01, 800)] == ["+1.005%", "?"]
    lengths = [wording.length(seconds) for seconds in (0.024, 1.26, 720, 18_000, 276_480)]
    assert lengths == ["24 ms", "1.3 s", "12 min", "5.0 h", "3.2 d"]
    assert wording.moment(NOW) == "2026-01-01 12:00:00Z"
    assert wording.table([("a", "b"), ("ccc", "1")], right=(1,)) == ["a    b", "ccc  1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Größe → 7 %", "Größe → 7 %"),
        ("\x1b]0;owned\x07\x9b2J\x7f", r"\x1b]0;owned\x07\x9b2J\x7f"),
        ("one\r\npgw: two", r"one\r\npgw: two"),
        ("\u202egpj.exe\u2028\ud800", r"\u202egpj.exe\u2028\ud800"),
    ],
)
def test_what_would_steer_a_terminal_is_shown_escaped(text: str, told: str) -> None:
    assert wording.shown(text) == told


def test_json_of_a_server_steers_no_terminal_and_is_still_the_same_text() -> None:
    said = "\x1b[2J\x7f\x9b31m \u202egpj\u2028 \U000e0041 Größe → 7 %"
    line = wording.json_line({"symbol": said})
    assert line == (r'{"symbol":"\u001b[2J\u007f\u009b31m \u202egpj\u2028 \udb40\udc41 Größe → 7 %"}')
    assert json.loads(line) == {"symbol": said}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "lag unknown"),
        ({"snapshot": True}, "newest value"),
        (
            {"published_at": NOW - timedelta(seconds=2), "sent_at": NOW - timedelta(seconds=1)},
            "lag 2.0 s (1.0 s in the gateway)",
        ),
        (
            {"published_at": NOW + timedelta(seconds=2), "sent_at": NOW + timedelta(seconds=3)},
            "1.0 s in the gateway",
        ),
    ],
)
def test_an_update_is_a_line_with_its_lag(changes: dict[str, Any], told: str) -> None:
    line = update_line(update(**changes), now=NOW)
    assert line == f"12:00:00.250Z  AAPL   1,234.50 → 0.0003  -100.000%  confidence 0.500  seq 7  {told}"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (Connected(connection_id="c", resumed=False), "-- connected"),
        (Connected(connection_id="c", resumed=True), "-- connected again: what was missed comes first"),
        (
            Disconnected(code=1012, reason="SERVER_FULL", retry_in_s=0.5),
            "-- disconnected (1012, SERVER_FULL); back in 500 ms",
        ),
        (
            Gap(symbol="AAPL", from_seq=1, to_seq=9, epoch="e"),
            "-- gap: updates of AAPL between 1 and 9 may be missing",
        ),
        (
            Notice(code="UPDATES_DROPPED", dropped=3),
            "-- 3 updates were dropped: they came faster than they went (--mode batch gets all)",
        ),
        (
            Notice(code="CREDENTIAL_EXPIRES", expires_at=NOW),
            "-- the credential ends at 2026-01-01 12:00:00Z",
        ),
        (Notice(code="INVALID_SYMBOL", symbol="aapl"), "-- aapl: INVALID_SYMBOL"),
        (ExplanationProgress(symbol="A", depth="fast", status="queued", progress=0, stage=""), None),
    ],
)
def test_states_are_told(message: Message, told: str | None) -> None:
    assert status_line(message) == told


def test_the_ways_in_which_a_connection_ends() -> None:
    closed = ConnectionClosedError(Close(1012, "SERVER_FULL"), None)
    assert sockets.read_end(closed, was_connected=True) == (1012, "SERVER_FULL")
    broken = ConnectionClosedError(None, None)
    assert sockets.read_end(broken, was_connected=True) == (1006, "the connection broke")
    assert sockets.read_end(TimeoutError(), was_connected=False) == (None, "TimeoutError")
    refused = InvalidStatus(Response(404, "Not Found", Headers(), b""))
    assert sockets.read_end(refused, was_connected=True)[0] is None
    with pytest.raises(NotFoundError):
        sockets.read_end(refused, was_connected=False)
    busy = InvalidStatus(Response(503, "Service Unavailable", Headers(), b""))
    assert sockets.read_end(busy, was_connected=False)[0] is None
    untrusted = ssl.SSLCertVerificationError("self-signed")
    untrusted.verify_message = "self-signed certificate"
    with pytest.raises(ConnectionFailedError, match="not trusted: self-signed"):
        sockets.read_end(untrusted, was_connected=False)
