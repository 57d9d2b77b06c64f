"""Finished explanations come back from Redis as they were stored, or count as malformed."""

from __future__ import annotations

import contextlib
import json
import math
import uuid
from datetime import UTC, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from events.explanations import Explanation, PinnedPrediction
from events.prediction_updated import PayloadRefused
from explanations import answers, attempts, documents, frames
from explanations.answers import JobDone
from explanations.documents import ExplanationDocument, MalformedDocument
from explanations.frames import Failure, FrameRefused, Kind, Report
from tests.events.test_explanations import found, pinned
from tests.events.test_prediction_updated import anything, moments
from tests.examples import examples
from tests.explanations.explained import document
from tests.explanations.orders import NOW, make_order

shown = st.builds(
    lambda job_id, generated_at, result, prediction: documents.make(
        job_id=job_id,
        generated_at=generated_at,
        result=msgspec.to_builtins(result),
        prediction=msgspec.to_builtins(prediction),
    ),
    st.uuids(),
    moments,
    found,
    pinned,
)


@examples(40)
@given(shown)
def test_a_document_comes_back_from_its_encoding_and_is_written_the_same_again(
    one: ExplanationDocument,
) -> None:
    stored = documents.encode(one)
    assert documents.decode(stored) == documents.decode(stored.decode()) == one
    assert documents.encode(documents.decode(stored)) == stored
    assert one.generated_at.tzinfo is UTC


@examples(40)
@given(pinned)
def test_a_prediction_is_pinned_as_it_was_however_a_database_keeps_its_numbers(
    prediction: PinnedPrediction,
) -> None:
    kept = json.loads(json.dumps(msgspec.to_builtins(prediction)))
    for name, value in (kept.get("features") or {}).items():
        if isinstance(value, float) and value.is_integer():
            kept["features"][name] = int(value)  # as Postgres gives 1e22 back
    again = documents.pinned_from(kept)
    assert msgspec.structs.replace(again, features=None) == msgspec.structs.replace(prediction, features=None)
    assert again.features == prediction.features  # 1 == 1.0
    msgspec.json.encode(again)


@examples(40)
@given(st.binary(max_size=200) | st.text(max_size=200))
@example(b"[" * 100_000)
@example('{"prediction":' * 20_000)
def test_arbitrary_bytes_are_malformed(data: bytes | str) -> None:
    with pytest.raises(MalformedDocument):
        documents.decode(data)


@examples(40)
@given(st.data())
def test_arbitrary_json_in_a_field_is_malformed_or_can_be_stored_again(data: st.DataObject) -> None:
    held = json.loads(documents.encode(document()))
    place = data.draw(
        st.sampled_from([held, held["prediction"], held["contributions"][0], held["sources"][0]])
    )
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(anything)
    with contextlib.suppress(MalformedDocument):
        read = documents.decode(json.dumps(held))
        assert documents.decode(documents.encode(read)) == read


@examples(40)
@given(shown, st.uuids())
def test_a_job_that_is_done_shows_the_document_under_its_own_id(
    one: ExplanationDocument, job_id: uuid.UUID
) -> None:
    told = answers.show_done(one, job_id)
    assert (told.job_id, told.status) == (job_id, "done")
    assert msgspec.json.decode(msgspec.json.encode(told), type=JobDone) == told
    rest = {**msgspec.structs.asdict(told), "job_id": one.job_id}
    assert rest == {**msgspec.structs.asdict(one), "status": "done"}


@examples(40)
@given(st.floats(0.1, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_the_time_that_is_left_never_ends_nor_grows_and_callers_ask_again_within_ten_seconds(
    typical_s: float, waited_s: float, more_s: float
) -> None:
    then = NOW + timedelta(seconds=waited_s)
    left = answers.remaining_s(typical_s, created_at=NOW, now=then)
    later = answers.remaining_s(typical_s, created_at=NOW, now=then + timedelta(seconds=more_s))
    assert 0.1 <= later <= left <= typical_s + 0.1
    assert 1 <= answers.retry_after_s(left) <= 10


@examples(40)
@given(st.binary(min_size=frames.HEAD_BYTES, max_size=frames.HEAD_BYTES))
def test_any_nine_bytes_are_the_head_of_a_frame_or_refused(data: bytes) -> None:
    try:
        head = frames.decode_head(data)
    except FrameRefused:
        size = int.from_bytes(data[:4], "big")
        assert size > frames.MAX_BODY_BYTES or data[4] not in set(Kind)
        return
    assert head.size <= frames.MAX_BODY_BYTES
    assert frames.encode(head.kind, head.turn)[4:] == data[4:]


@examples(40)
@given(st.binary(max_size=200), st.sampled_from([Report, Failure]))
@example(b"[" * 100_000, Report)
def test_arbitrary_bodies_of_frames_are_refused(data: bytes, kind: Any) -> None:
    with pytest.raises(FrameRefused):
        frames.decode_body(data, kind)


@examples(40)
@given(st.floats(), st.text())
def test_whatever_an_explainer_reports_is_a_share_and_a_line(share: float, stage: str) -> None:
    report = frames.decode_body(frames.make_report(share, stage), Report)
    assert report.progress == (0.0 if math.isnan(share) else min(1.0, max(0.0, share)))
    assert report.stage.isprintable()


@examples(40)
@given(st.binary(max_size=200))
@example(b"[" * 100_000)
def test_arbitrary_bytes_of_an_explainer_are_judged_as_no_explanation(data: bytes) -> None:
    with pytest.raises(PayloadRefused):
        attempts.judge(data, make_order())


@examples(40)
@given(found)
def test_what_the_judge_lets_through_is_what_was_given_and_fits_its_order(explanation: Explanation) -> None:
    order = make_order(depth=explanation.depth)
    assume(not explanation.statements)
    first = explanation.contributions[0]
    rest = sum(one.value for one in explanation.contributions[1:])
    assume(math.isfinite(rest) and abs(rest) < 1e6)
    moved = msgspec.structs.replace(first, value=order.prediction.move - rest)
    fitting = msgspec.structs.replace(explanation, contributions=[moved, *explanation.contributions[1:]])
    with contextlib.suppress(PayloadRefused):  # a large rest leaves no digits for the move
        assert attempts.judge(msgspec.json.encode(fitting), order) == fitting


@examples(40)
@given(st.text(max_size=300))
def test_a_reason_for_callers_is_one_line_and_cleaning_it_again_changes_nothing(text: str) -> None:
    told = attempts.clean_reason(text)
    assert 1 <= len(told) <= frames.MAX_LINE
    assert told.isprintable()
    assert attempts.clean_reason(told) == told
