"""Every message that is sent: its JSON, what is left out of it, and what is spliced into encoded bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions import documents
from predictions.documents import PredictionDocument
from realtime.protocol import limits, messages
from realtime.protocol.codes import Code, Rejected, Warned
from realtime.protocol.messages import (
    Authenticated,
    Batch,
    Error,
    Gap,
    Message,
    Pong,
    PredictionUpdate,
    Rejection,
    Subscribed,
    Unsubscribed,
    Warning,  # noqa: A004 - the protocol's word
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
READ: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def test_the_welcome_tells_version_heartbeat_and_what_this_connection_may_do() -> None:
    told = messages.welcome("c-1", frames_per_s=25, connections=3, id_="7")
    assert json.loads(messages.encode(told)) == {
        "type": "welcome",
        "connection_id": "c-1",
        "protocol": 1,
        "limits": {
            "frames_per_s": 25,
            "connections": 3,
            "symbols": 100,
            "watches": 100,
            "message_bytes": 65_536,
            "frames_in_per_s": 10,
            "buffered_updates": 1_000,
            "resumed_updates": 1_000,
            "idle_s": 300,
        },
        "heartbeat_s": 15,
        "id": "7",
    }


def test_an_account_without_a_limit_on_connections_is_told_null() -> None:
    told = json.loads(messages.encode(messages.welcome("c", frames_per_s=1, connections=None, id_=None)))
    assert told["limits"]["connections"] is None
    assert "id" not in told


REJECTED = Rejection("aapl", Rejected.INVALID_SYMBOL)
TOLD: list[tuple[Message, dict[str, Any]]] = [
    (Authenticated(NOON, "7"), {"type": "authenticated", "expires_at": "2026-01-01T12:00:00Z", "id": "7"}),
    (Authenticated(None), {"type": "authenticated", "expires_at": None}),
    (
        Subscribed(["AAPL"], [REJECTED], "7"),
        {
            "type": "subscribed",
            "symbols": ["AAPL"],
            "rejected": [{"symbol": "aapl", "error": "INVALID_SYMBOL"}],
            "id": "7",
        },
    ),
    (Subscribed([], []), {"type": "subscribed", "symbols": [], "rejected": []}),
    (Unsubscribed(["A"], "7"), {"type": "unsubscribed", "symbols": ["A"], "id": "7"}),
    (Unsubscribed([]), {"type": "unsubscribed", "symbols": []}),
    (Pong("7"), {"type": "pong", "id": "7"}),
    (Pong(""), {"type": "pong", "id": ""}),
    (Pong(), {"type": "pong"}),
    (
        Error(Code.IDLE, 'a "b" é', "7"),
        {"type": "error", "code": "IDLE", "detail": 'a "b" é', "id": "7"},
    ),
    (Error(Code.IDLE, "why"), {"type": "error", "code": "IDLE", "detail": "why"}),
    (
        Warning(Warned.UPDATES_DROPPED, dropped=12),
        {"type": "warning", "code": "UPDATES_DROPPED", "dropped": 12},
    ),
    (
        Warning(Warned.CREDENTIAL_EXPIRES, expires_at=NOON),
        {"type": "warning", "code": "CREDENTIAL_EXPIRES", "expires_at": "2026-01-01T12:00:00Z"},
    ),
    (Gap("AAPL", 3, 9, "18f"), {"type": "gap", "symbol": "AAPL", "from": 3, "to": 9, "epoch": "18f"}),
]


@pytest.mark.parametrize(("message", "frame"), TOLD, ids=[type(message).__name__ for message, _ in TOLD])
def test_a_message_is_json_with_its_type_first_and_repeats_the_id(
    message: Message, frame: dict[str, Any]
) -> None:
    encoded = messages.encode(message)
    assert json.loads(encoded) == frame
    assert encoded.startswith(b'{"type":')
    assert READ.decode(encoded) == message


def document(**changes: Any) -> PredictionDocument:
    """A prediction as sockets get it."""
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "predicted_price": 431.5,
        "current_price": 430.47,
        "confidence": 0.62,
        "horizon": 'é "1d" \\',
        "model_version": "m",
        "timestamp": NOON,
        "as_of": NOON,
        "seq": 7,
        "epoch": "18f",
        **changes,
    }
    return PredictionDocument(**fields)


def read_update(frame: bytes) -> PredictionUpdate:
    """The update in a frame."""
    found = READ.decode(frame)
    assert isinstance(found, PredictionUpdate)
    return found


@pytest.mark.parametrize("changes", [{}, {"seq": None, "epoch": None}, {"symbol": "", "horizon": "}{\n😀"}])
def test_an_update_is_the_document_with_a_type_spliced_in(changes: dict[str, Any]) -> None:
    encoded = documents.encode(document(**changes))
    live = messages.update(encoded)
    assert json.loads(live) == {"type": "prediction_update", **json.loads(encoded)}
    assert live.endswith(encoded[1:])
    assert json.loads(messages.as_snapshot(live)) == {**json.loads(live), "snapshot": True}


@given(
    text=st.text(max_size=20),
    price=st.floats(allow_nan=False, allow_infinity=False),
    seq=st.integers(min_value=0, max_value=2**63 - 1),
    moment=st.datetimes(timezones=st.just(UTC)),
)
def test_every_document_is_read_back_from_its_frame(
    text: str, price: float, seq: int, moment: datetime
) -> None:
    told = document(symbol=text, horizon=text, predicted_price=price, seq=seq, timestamp=moment)
    live = messages.update(documents.encode(told))
    found = read_update(live)
    assert (found.symbol, found.horizon, found.predicted_price) == (text, text, price)
    assert (found.seq, found.timestamp, found.snapshot) == (seq, moment, False)
    assert read_update(messages.as_snapshot(live)) == msgspec.structs.replace(found, snapshot=True)


def test_times_are_added_in_utc_to_the_microsecond() -> None:
    live = messages.update(documents.encode(document()))
    timed = messages.with_times(
        live,
        published_us=1_767_268_800_000_001,
        bridged_us=1_767_268_800_250_000,
        sent_us=1_767_268_801_000_000,
    )
    assert json.loads(timed) == {
        **json.loads(live),
        "published_at": "2026-01-01T12:00:00.000001Z",
        "bridged_at": "2026-01-01T12:00:00.250000Z",
        "sent_at": "2026-01-01T12:00:01.000000Z",
    }
    assert read_update(timed).published_at == NOON + timedelta(microseconds=1)


def test_times_that_nobody_knows_are_left_out() -> None:
    live = messages.as_snapshot(messages.update(documents.encode(document())))
    timed = messages.with_times(live, published_us=None, bridged_us=None, sent_us=0)
    assert json.loads(timed) == {**json.loads(live), "sent_at": "1970-01-01T00:00:00.000000Z"}


@pytest.mark.parametrize("count", [1, 2, 200])
def test_a_batch_holds_its_updates_as_they_would_be_alone(count: int) -> None:
    frames = [messages.update(documents.encode(document(seq=seq))) for seq in range(count)]
    found = READ.decode(messages.batch(frames))
    assert found == Batch([read_update(frame) for frame in frames])


KINDS: list[Literal["explanation_progress", "explanation_completed", "explanation_failed"]] = [
    "explanation_progress",
    "explanation_completed",
    "explanation_failed",
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_explanation_is_its_body_with_type_job_and_id_spliced_in(kind: Any) -> None:
    body = b'{"symbol":"AAPL","stage":"\\"}"}'
    assert json.loads(messages.explanation(kind, body)) == {"type": kind, **json.loads(body)}
    own = messages.explanation(kind, body, "job-1")
    assert json.loads(own) == {"type": kind, "job_id": "job-1", **json.loads(body)}
    answer = messages.explanation(kind, body, "job-1", 'é"7')
    assert json.loads(answer) == {"type": kind, "job_id": "job-1", "id": 'é"7', **json.loads(body)}
    assert answer.startswith(b'{"type":')


def test_what_a_client_reads_of_explanations_has_a_type_of_its_own() -> None:
    common = {"symbol": "AAPL", "depth": "standard"}
    bodies: dict[Any, dict[str, Any]] = {
        "explanation_progress": {"status": "running", "progress": 0.5, "stage": "fitting"},
        "explanation_completed": {
            "generated_at": "2026-01-01T12:00:00Z",
            "explanation": {"summary": "up"},
            "prediction": {},
        },
        "explanation_failed": {"reason": "no model"},
    }
    for kind, fields in bodies.items():
        frame = messages.explanation(kind, json.dumps({**common, **fields}).encode(), "job-1")
        found = READ.decode(frame)
        assert json.loads(messages.encode(found)) == json.loads(frame)


def test_a_moment_of_another_zone_is_told_with_its_offset_and_a_naive_one_is_refused() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=2)))
    encoded = messages.encode(Authenticated(elsewhere))
    assert READ.decode(encoded) == Authenticated(NOON)
    with pytest.raises(msgspec.ValidationError, match="expires_at"):
        READ.decode(b'{"type":"authenticated","expires_at":"2026-01-01T12:00:00"}')


def test_the_limits_that_are_told_are_those_that_are_used() -> None:
    told = messages.welcome("c", frames_per_s=1, connections=1, id_=None)
    assert (told.protocol, told.heartbeat_s) == (limits.VERSION, limits.HEARTBEAT_S)
    assert told.limits.symbols == limits.MAX_SYMBOLS
    assert told.limits.idle_s == limits.IDLE_S
