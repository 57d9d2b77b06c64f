"""A batch of updates crosses the channel layer whole, in order, numbered, and without features."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from channels_redis.serializers import registry
from hypothesis import given
from hypothesis import strategies as st

from predictions import documents
from predictions.documents import PredictionDocument
from realtime import batches
from realtime.batches import Batch, Update

LAYER = registry.get_serializer("msgpack", symmetric_encryption_keys=None)


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
            "timestamp": datetime(2013, 3, 1, 21, tzinfo=UTC),
            "as_of": datetime(2013, 3, 1, 21, tzinfo=UTC),
            "seq": 7,
            "epoch": "18f",
            "features": {"return_1d": -0.02},
            **changes,
        }
    )


def across(bridge: str, number: int, told: list[PredictionDocument]) -> Batch:
    """A batch as a hub reads it: encoded, packed as the channel layer packs it, and decoded."""
    packed = LAYER.serialize(batches.encode(bridge, number, told))
    return batches.decode(LAYER.deserialize(packed))


def test_a_batch_keeps_sender_number_and_order() -> None:
    told = [document(seq=7), document(symbol="MSFT", seq=8), document(seq=9)]
    batch = across("bridge-1", 3, told)
    assert (batch.bridge, batch.number) == ("bridge-1", 3)
    assert [(update.symbol, update.seq, update.epoch) for update in batch.updates] == [
        ("AAPL", 7, "18f"),
        ("MSFT", 8, "18f"),
        ("AAPL", 9, "18f"),
    ]


def test_every_update_is_the_whole_document_without_its_features() -> None:
    (update,) = across("bridge-1", 1, [document()]).updates
    assert documents.decode(update.document) == document(features=None)
    assert b"features" not in update.document
    assert b"return_1d" not in update.document


def test_an_update_of_a_document_is_what_arrives_in_the_batch() -> None:
    assert across("bridge-1", 1, [document()]).updates == [batches.update_of(document())]


def test_a_foreign_document_has_sequence_0_and_no_epoch() -> None:
    update = batches.update_of(document(seq=None, epoch=None))
    assert (update.seq, update.epoch) == (0, "")
    assert documents.decode(update.document).seq is None


def test_a_batch_follows_the_one_before_and_a_beat_the_one_that_it_repeats() -> None:
    assert across("bridge-1", 3, [document()]).follows == 2
    assert across("bridge-1", 3, []).follows == 3
    assert across("bridge-1", 3, []).updates == []


@given(
    bridge=st.text("0123456789abcdef", min_size=1),
    number=st.integers(min_value=1, max_value=2**62),
    places=st.lists(
        st.tuples(st.text("ABC", min_size=1, max_size=5), st.integers(min_value=1, max_value=2**63 - 1)),
        max_size=5,
    ),
)
def test_every_batch_comes_back_from_its_message(
    bridge: str, number: int, places: list[tuple[str, int]]
) -> None:
    told = [document(symbol=symbol, seq=seq) for symbol, seq in places]
    assert across(bridge, number, told) == Batch(bridge, number, [batches.update_of(one) for one in told])


def test_documents_may_come_as_any_iterable() -> None:
    made = batches.encode("bridge-1", 1, (document(seq=seq) for seq in (1, 2)))
    assert made == batches.encode("bridge-1", 1, [document(seq=1), document(seq=2)])


def test_the_message_is_addressed_to_the_handler_of_the_hub() -> None:
    assert batches.encode("bridge-1", 1, [])["type"] == "predictions.batch"
    assert batches.GROUP == "predictions"


GOOD = batches.encode("bridge-1", 1, [document()])


@pytest.mark.parametrize("field", GOOD)
def test_a_message_without_one_of_its_fields_is_refused(field: str) -> None:
    with pytest.raises(KeyError, match=field):
        batches.decode({name: value for name, value in GOOD.items() if name != field})


@pytest.mark.parametrize("kind", ["predictions.other", "", None, 1, b"predictions.batch"])
def test_a_message_of_another_type_is_refused(kind: object) -> None:
    with pytest.raises(ValueError, match="not a batch"):
        batches.decode({**GOOD, "type": kind})


@pytest.mark.parametrize(
    "updates", [None, 1, [None], [7], [[]], [["AAPL", 7, "18f"]], [["AAPL", 7, "18f", b"{}", 1]]]
)
def test_updates_of_the_wrong_shape_are_refused(updates: object) -> None:
    with pytest.raises(TypeError):
        batches.decode({**GOOD, "updates": updates})


def test_batches_and_updates_are_values() -> None:
    assert Update("A", 1, "e", b"{}") == Update("A", 1, "e", b"{}")
    assert Batch("b", 1, []) != Batch("b", 2, [])
