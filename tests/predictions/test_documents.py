"""A document reads back as it was written, in UTC; what is none is refused; what is newer is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.prediction_updated import PredictionUpdated
from predictions import documents
from predictions.documents import MalformedDocument, PredictionDocument

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
MINIMAL: dict[str, Any] = {
    "symbol": "AAPL",
    "predicted_price": 431.5,
    "current_price": 430.47,
    "confidence": 0.62,
    "horizon": "1d",
    "model_version": "walk-forward-1",
    "timestamp": "2013-03-01T12:00:00Z",
}


def data(**changes: Any) -> bytes:
    """The JSON of a document as somebody else than our bridge may write it, with `changes`."""
    return json.dumps({**MINIMAL, **changes}).encode()


def event(**changes: Any) -> PredictionUpdated:
    """A validated event, with `changes`."""
    return msgspec.convert({**MINIMAL, "timestamp": NOON, **changes}, PredictionUpdated)


def test_a_foreign_document_needs_neither_sequence_nor_epoch() -> None:
    document = documents.decode(data())
    assert (document.seq, document.epoch, document.features) == (None, None, None)
    assert (document.symbol, document.predicted_price, document.current_price) == ("AAPL", 431.5, 430.47)


def test_without_as_of_the_market_time_is_the_timestamp() -> None:
    assert documents.decode(data()).as_of == NOON
    assert documents.decode(data(as_of=None)).as_of == NOON


def test_text_reads_as_its_bytes_do() -> None:
    assert documents.decode(data(seq=7).decode()) == documents.decode(data(seq=7))


def test_times_are_turned_to_utc() -> None:
    document = documents.decode(
        data(timestamp="2013-03-01T07:00:00-05:00", as_of="2013-03-01T17:30:00+05:30")
    )
    assert (document.timestamp, document.as_of) == (NOON, NOON)
    assert document.as_of is not None
    assert (document.timestamp.tzinfo, document.as_of.tzinfo) == (UTC, UTC)


def test_unknown_fields_are_ignored() -> None:
    assert documents.decode(data(colour="red")) == documents.decode(data())


@pytest.mark.parametrize(
    "junk", [b"", b"x", b"[]", b"null", b"{}", data()[:-1], data() + b"x", b'{"symbol": "\xff"}']
)
def test_bytes_that_are_no_document_are_refused(junk: bytes) -> None:
    with pytest.raises(MalformedDocument):
        documents.decode(junk)


@pytest.mark.parametrize("field", MINIMAL)
def test_a_document_without_a_required_field_is_refused(field: str) -> None:
    rest = {name: value for name, value in MINIMAL.items() if name != field}
    with pytest.raises(MalformedDocument, match=field):
        documents.decode(json.dumps(rest))


@pytest.mark.parametrize(
    "changes",
    [{field: []} for field in [*MINIMAL, "as_of", "seq", "epoch", "features"]]
    + [{"seq": "7"}, {"seq": 7.5}, {"epoch": 7}, {"features": {"a": [1]}}, {"features": {"a": 2**63}}]
    + [{"predicted_price": "431.5"}, {"predicted_price": None}],
)
def test_a_field_of_the_wrong_type_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedDocument, match=next(iter(changes))):
        documents.decode(data(**changes))


@pytest.mark.parametrize("field", ["timestamp", "as_of"])
@pytest.mark.parametrize(
    "text",
    ["2013-03-01", "2013-03-01T12:00:00", "noon", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"],
)
def test_a_time_without_offset_or_out_of_range_is_refused(field: str, text: str) -> None:
    with pytest.raises(MalformedDocument):
        documents.decode(data(**{field: text}))


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused_as_malformed(junk: bytes) -> None:
    with pytest.raises(MalformedDocument):
        documents.decode(junk)


def test_an_event_becomes_a_document_with_its_place_in_the_stream() -> None:
    document = documents.from_event(event(features={"a": 1}), seq=7, epoch="18f")
    assert document == PredictionDocument(
        symbol="AAPL",
        predicted_price=431.5,
        current_price=430.47,
        confidence=0.62,
        horizon="1d",
        model_version="walk-forward-1",
        timestamp=NOON,
        as_of=NOON,
        seq=7,
        epoch="18f",
        features={"a": 1},
    )


def test_the_market_time_of_an_event_becomes_as_of() -> None:
    document = documents.from_event(event(as_of="2013-02-28"), seq=7, epoch="18f")
    assert document.as_of == datetime(2013, 2, 28, tzinfo=UTC)


moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))  # noqa: DTZ001
values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e300, 1e300)


@given(
    st.builds(
        PredictionDocument,
        symbol=st.text("ABC", min_size=1),
        predicted_price=st.floats(0, 1e300),
        current_price=st.floats(0, 1e300),
        confidence=st.floats(0, 1),
        horizon=st.text(st.characters(exclude_categories=["Cs"])),
        model_version=st.text(st.characters(exclude_categories=["Cs"])),
        timestamp=moments,
        as_of=moments,
        seq=st.none() | st.integers(0, 2**63 - 1),
        epoch=st.none() | st.text("0123456789abcdef"),
        features=st.none() | st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"])), values),
    )
)
def test_a_document_comes_back_from_its_encoding(document: PredictionDocument) -> None:
    assert documents.decode(documents.encode(document)) == document


def test_what_is_missing_is_not_written() -> None:
    written = json.loads(documents.encode(documents.decode(data())))
    assert written == {**MINIMAL, "as_of": MINIMAL["timestamp"]}


def test_of_two_documents_the_later_one_is_newer_and_then_the_greater_sequence() -> None:
    first = documents.decode(data(seq=9))
    later = documents.decode(data(seq=1, timestamp="2013-03-01T12:00:00.000001Z"))
    again = documents.decode(data(seq=10))
    foreign = documents.decode(data())
    assert sorted([later, again, first, foreign], key=lambda document: document.order) == [
        foreign,
        first,
        again,
        later,
    ]


def test_the_order_does_not_depend_on_the_offset() -> None:
    east = documents.decode(data(timestamp="2013-03-01T17:30:00+05:30", seq=1))
    assert east.order == documents.decode(data(seq=1)).order
    away = msgspec.structs.replace(east, timestamp=NOON.astimezone(timezone(timedelta(hours=-8))))
    assert away.order == east.order


def test_a_document_without_features_keeps_everything_else() -> None:
    document = documents.decode(data(seq=7, epoch="18f", features={"a": 1}))
    lean = documents.without_features(document)
    assert lean.features is None
    assert msgspec.structs.replace(lean, features={"a": 1}) == document
    assert b"features" not in documents.encode(lean)


def test_a_document_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        documents.decode(data()).symbol = "MSFT"  # type: ignore[misc]


def test_a_document_with_a_very_deep_unknown_field_is_malformed() -> None:
    deep = b'{"symbol":"AAPL","x":' + b"[" * 100_000
    for data in (deep, deep + b"]" * 100_000 + b"}", '{"symbol":"\ud800"}'):
        with pytest.raises(documents.MalformedDocument):
            documents.decode(data)
