"""The streams, subjects and headers are those of the contract, and no message is left out or stored twice."""

from __future__ import annotations

import dataclasses

import pytest

from events import streams
from events.streams import DEAD_LETTERS, PREDICTIONS, Stream, dead_letter_subject

DAY_S = 86_400


def captures(stream: Stream, subject: str) -> bool:
    """True if `subject` is one that `stream` stores: literally, or below a final ``>``."""
    return any(
        subject == pattern or (pattern.endswith(".>") and subject.startswith(pattern[:-1]))
        for pattern in stream.subjects
    )


def test_names_and_subjects_are_those_of_the_contract() -> None:
    assert streams.PREDICTION_UPDATED == "event.prediction.updated"
    assert (PREDICTIONS.name, PREDICTIONS.subjects) == ("PREDICTIONS", ("event.prediction.updated",))
    assert DEAD_LETTERS.subjects == ("dlq.>",)
    assert (streams.MSG_ID_HEADER, streams.REQUEST_ID_HEADER) == ("Nats-Msg-Id", "X-Request-ID")


def test_a_dead_letter_keeps_its_subject_behind_the_prefix() -> None:
    assert dead_letter_subject("event.prediction.updated") == "dlq.event.prediction.updated"


def test_predictions_and_their_dead_letters_go_to_one_stream_each() -> None:
    dead = dead_letter_subject(streams.PREDICTION_UPDATED)
    assert captures(PREDICTIONS, streams.PREDICTION_UPDATED)
    assert not captures(PREDICTIONS, dead)
    assert captures(DEAD_LETTERS, dead)
    assert not captures(DEAD_LETTERS, streams.PREDICTION_UPDATED)


def test_headers_of_a_dead_letter_do_not_collide() -> None:
    names = {streams.MSG_ID_HEADER, streams.REQUEST_ID_HEADER, streams.DEAD_LETTER_REASON_HEADER}
    assert len({name.lower() for name in names}) == 3


@pytest.mark.parametrize("stream", [PREDICTIONS, DEAD_LETTERS], ids=lambda stream: stream.name)
def test_every_stream_is_bounded_in_time_and_size(stream: Stream) -> None:
    assert stream.max_age_s >= 7 * DAY_S
    assert 0 < stream.max_bytes <= 4 << 30
    assert stream.duplicate_window_s < stream.max_age_s


@pytest.mark.parametrize("stream", [PREDICTIONS, DEAD_LETTERS], ids=lambda stream: stream.name)
def test_a_publish_that_is_repeated_for_two_minutes_is_stored_once(stream: Stream) -> None:
    assert stream.duplicate_window_s >= 120


def test_dead_letters_outlive_the_predictions_they_were() -> None:
    assert DEAD_LETTERS.max_age_s > PREDICTIONS.max_age_s


def test_a_stream_is_a_value() -> None:
    assert dataclasses.replace(PREDICTIONS) == PREDICTIONS
    with pytest.raises(dataclasses.FrozenInstanceError):
        PREDICTIONS.name = "OTHER"  # type: ignore[misc]
