"""A batch of updates crosses the channel layer whole, in order, numbered, and without features."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from channels_redis.serializers import registry
from hypothesis import given
from hypothesis import strategies as st

from predictions import documents
from predictions.documents import PredictionDocument
from realtime import batches
from realtime.batches import Batch, Update
from realtime.protocol import messages

LAYER = registry.get_serializer("msgpack", symmetric_encryption_keys=None)
CLOSE_OF_DAY = datetime(2013, 3, 1, 21, tzinfo=UTC)


def document(**changes: Any) -> PredictionDocument:
    """A prediction of our bridge, with `changes`."""
    return PredictionDocument(
        **{
            "symbol": "AAPL",
            "predicted_price": 431.5,
            "current_price": 430.47,
            "confidence": 0.62,
            "horizon": "1d",
            "model_version": "walk-forward-1",
            "timestamp": CLOSE_OF_DAY,
            "as_of": CLOSE_OF_DAY,
            "seq": 7,
            "epoch": "18f",
            "features": {"return_1d": -0.02},
            **changes,
        }
    )


def across(batch: Batch) -> Batch:
    """A batch as a hub reads it: encoded, packed as the channel layer packs it, and decoded."""
    return batches.decode(LAYER.deserialize(LAYER.serialize(batches.encode(batch))))


def test_a_batch_keeps_sender_number_and_order() -> None:
    told = [document(seq=7), document(symbol="MSFT", seq=8), document(seq=9)]
    sent = Batch("bridge-1", 3, [batches.update_of(one, published_us=5, bridged_us=6) for one in told])
    batch = across(sent)
    assert batch == sent
    assert [(one.symbol, one.seq, one.epoch) for one in batch.updates] == [
        ("AAPL", 7, "18f"),
        ("MSFT", 8, "18f"),
        ("AAPL", 9, "18f"),
    ]
    assert {(one.published_us, one.bridged_us) for one in batch.updates} == {(5, 6)}


def test_the_frame_of_an_update_is_the_whole_document_without_its_features() -> None:
    update = batches.update_of(document())
    assert update.frame == messages.update(documents.encode(document(features=None)))
    told = json.loads(update.frame)
    assert told.pop("type") == "prediction_update"
    assert documents.decode(json.dumps(told)) == document(features=None)
    assert b"return_1d" not in update.frame


def test_an_update_knows_what_filters_and_order_ask_for() -> None:
    update = batches.update_of(document(confidence=0.7, current_price=200.0, predicted_price=190.0))
    assert update.confidence == 0.7
    assert update.move_pct == pytest.approx(5.0)
    assert update.made_us == documents.epoch_micros(CLOSE_OF_DAY)
    assert (update.published_us, update.bridged_us) == (None, None)


def test_a_price_of_nothing_has_not_moved() -> None:
    assert batches.update_of(document(current_price=0.0)).move_pct == 0


def test_places_sort_by_epoch_and_seq_and_values_by_their_own_time() -> None:
    early = batches.update_of(document(epoch="18e", seq=900))
    late = batches.update_of(document(epoch="18f", seq=1, timestamp=datetime(2013, 2, 1, tzinfo=UTC)))
    assert early.place < late.place == ("18f", 1)
    assert late.order < early.order
    assert batches.update_of(document(seq=8)).order > batches.update_of(document(seq=7)).order


def test_a_foreign_document_has_sequence_0_and_no_epoch() -> None:
    update = batches.update_of(document(seq=None, epoch=None))
    assert update.place == ("", 0)
    assert "seq" not in json.loads(update.frame)


def test_a_batch_follows_the_one_before_and_a_beat_the_one_that_it_repeats() -> None:
    assert across(Batch("bridge-1", 3, [batches.update_of(document())])).follows == 2
    assert across(Batch("bridge-1", 3, [])).follows == 3


TIMES = st.none() | st.integers(min_value=0, max_value=2**62)


@given(
    bridge=st.text("0123456789abcdef", min_size=1),
    number=st.integers(min_value=1, max_value=2**62),
    places=st.lists(
        st.tuples(
            st.text("ABC", min_size=1, max_size=5), st.integers(min_value=1, max_value=2**63 - 1), TIMES
        ),
        max_size=5,
    ),
)
def test_every_batch_comes_back_from_its_message(
    bridge: str, number: int, places: list[tuple[str, int, int | None]]
) -> None:
    told = [
        batches.update_of(document(symbol=symbol, seq=seq), published_us=us, bridged_us=us)
        for symbol, seq, us in places
    ]
    assert across(Batch(bridge, number, told)) == Batch(bridge, number, told)


def test_the_message_is_addressed_to_the_handler_of_the_hub() -> None:
    assert batches.encode(Batch("bridge-1", 1, []))["type"] == "predictions.batch"
    assert batches.GROUP == "predictions"


GOOD = batches.encode(Batch("bridge-1", 1, [batches.update_of(document())]))


@pytest.mark.parametrize("field", GOOD)
def test_a_message_without_one_of_its_fields_is_refused(field: str) -> None:
    with pytest.raises(KeyError, match=field):
        batches.decode({name: value for name, value in GOOD.items() if name != field})


@pytest.mark.parametrize("kind", ["predictions.other", "", None, 1, b"predictions.batch"])
def test_a_message_of_another_type_is_refused(kind: object) -> None:
    with pytest.raises(ValueError, match="not a batch"):
        batches.decode({**GOOD, "type": kind})


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(1),
        msgspec.msgpack.encode(["b", 1]),
        msgspec.msgpack.encode(["b", "one", []]),
        msgspec.msgpack.encode(["b", 1, [["AAPL", 7, "18f", b"{}"]]]),
        msgspec.msgpack.encode(["b", 1, [["AAPL", "7", "18f", b"{}", 0.5, 1.0, 1]]]),
    ],
)
def test_a_batch_of_the_wrong_shape_is_refused(packed: bytes) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        batches.decode({**GOOD, "batch": packed})


@pytest.mark.parametrize("packed", [None, 1, ["b", 1, []]])
def test_a_batch_that_is_no_bytes_is_refused(packed: object) -> None:
    with pytest.raises(TypeError):
        batches.decode({**GOOD, "batch": packed})


def test_batches_and_updates_are_values() -> None:
    assert Update("A", 1, "e", b"{}", 0.5, 1.0, 1) == Update("A", 1, "e", b"{}", 0.5, 1.0, 1)
    assert Batch("b", 1, []) != Batch("b", 2, [])
