"""The payloads about explanations come back from their encoding, or are refused with the reason."""

from __future__ import annotations

import contextlib
import json
import math
import uuid
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events import explanations
from events.explanations import (
    DEPTHS,
    MAX_EVENT_BYTES,
    Contribution,
    ExplainOrder,
    Explanation,
    ExplanationCompleted,
    ExplanationFailed,
    ExplanationProgress,
    Message,
    PinnedPrediction,
    Source,
    Statement,
    check_explanation,
    decode,
    encode,
)
from events.prediction_updated import PayloadRefused
from tests.events.test_prediction_updated import anything, finite, integers, labels, moments, prices, texts
from tests.examples import examples
from tests.explanations.ends import completed, failed, progress
from tests.explanations.orders import make_order

KINDS: tuple[type[Any], ...] = get_args(Message)
JOB = uuid.UUID("00000000-0000-4000-8000-000000000007")
SAMPLES: dict[type[Any], Any] = {
    ExplainOrder: make_order(features={"a": "b"}),
    ExplanationProgress: progress(JOB, 0.5),
    ExplanationCompleted: completed(JOB),
    ExplanationFailed: failed(JOB),
}

lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=50)
contributions = st.builds(Contribution, name=lines, value=finite, text=lines, input=st.none() | finite)
features = st.none() | st.booleans() | integers | finite | texts
pinned = st.builds(
    PinnedPrediction,
    symbol=lines,
    timestamp=moments,
    current_price=prices,
    predicted_price=prices,
    confidence=st.floats(0, 1),
    horizon=labels,
    model_version=labels,
    as_of=moments,
    seq=st.integers(0, 2**63 - 1),
    epoch=texts,
    features=st.none() | st.dictionaries(texts, features, max_size=5),
)
found = st.builds(
    Explanation,
    depth=st.sampled_from(DEPTHS),
    summary=lines,
    contributions=st.lists(contributions, min_size=1, max_size=3),
    sources=st.lists(
        st.builds(Source, id=lines, kind=st.just("data"), title=lines, detail=texts), min_size=1, max_size=3
    ),
    statements=st.lists(
        st.builds(Statement, text=texts, sources=st.lists(lines, min_size=1, max_size=2)), max_size=2
    ),
)
ids = st.uuids()
attempts = st.integers(1, 2**63 - 1)
shares = st.floats(0, 1)
messages = st.one_of(
    st.builds(ExplainOrder, job_id=ids, depth=st.sampled_from(DEPTHS), prediction=pinned, ordered_at=moments),
    st.builds(ExplanationProgress, job_id=ids, attempt=attempts, progress=shares, stage=lines, at=moments),
    st.builds(
        ExplanationCompleted,
        job_id=ids,
        attempt=attempts,
        explanation=found,
        generated_at=moments,
        took_s=st.floats(0, 1e9),
    ),
    st.builds(ExplanationFailed, job_id=ids, attempt=attempts, reason=lines, at=moments),
)


@examples(50)
@given(messages)
def test_a_message_comes_back_from_its_encoding_and_is_written_the_same_again(message: Any) -> None:
    payload = encode(message)
    assert decode(payload, type(message)) == message
    assert encode(decode(payload, type(message))) == payload


@examples(50)
@given(st.binary(max_size=200), st.sampled_from(KINDS))
@example(b"\xff", ExplainOrder)
@example(b"[" * 100_000, ExplanationProgress)
@example(b'{"job_id":' * 20_000, ExplanationFailed)
def test_arbitrary_bytes_never_raise_anything_but_payload_refused(data: bytes, kind: type[Any]) -> None:
    with pytest.raises(PayloadRefused):
        decode(data, kind)


@examples(50)
@given(st.sampled_from(KINDS), st.data())
def test_arbitrary_json_in_any_field_is_refused_or_can_be_written_again(
    kind: type[Any], data: st.DataObject
) -> None:
    document = json.loads(encode(SAMPLES[kind]))
    place = document
    while True:
        name = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[name], dict) or not place[name] or data.draw(st.booleans()):
            break
        place = place[name]
    place[name] = data.draw(anything)
    with contextlib.suppress(PayloadRefused):
        message = decode(json.dumps(document).encode(), kind)
        assert decode(encode(message), kind) == message


@pytest.mark.parametrize("kind", KINDS)
def test_a_payload_may_be_as_long_as_the_limit_and_no_longer(kind: type[Any]) -> None:
    payload = encode(SAMPLES[kind])
    assert decode(payload.ljust(MAX_EVENT_BYTES), kind) == SAMPLES[kind]
    with pytest.raises(PayloadRefused, match=f"at most {MAX_EVENT_BYTES}"):
        decode(payload.ljust(MAX_EVENT_BYTES + 1), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_holds_a_nul_which_postgres_cannot_store(kind: type[Any]) -> None:
    texts = (b'"AAPL"', b'"looking"', b'"It goes on as it did."', b'"The data has a hole."')
    payload = encode(SAMPLES[kind])
    for text in texts:
        payload = payload.replace(text, b'"\\u0000"')
    with pytest.raises(PayloadRefused):
        decode(payload, kind)


@examples(50)
@given(found, st.sampled_from(DEPTHS), finite)
def test_whatever_an_explanation_holds_it_is_accepted_or_refused_with_a_reason_that_can_be_stored(
    explanation: Explanation, depth: Any, move: float
) -> None:
    reason = ""
    try:
        check_explanation(explanation, depth=depth, move=move)
    except PayloadRefused as refused:
        reason = str(refused) or "none"
    assert len(reason) < 500
    if reason:
        assert reason != "none"
        return
    assert explanation.depth == depth
    assert math.isclose(sum(one.value for one in explanation.contributions), move, rel_tol=2e-6, abs_tol=2e-9)
    assert {id_ for one in explanation.statements for id_ in one.sources} <= {
        one.id for one in explanation.sources
    }


@examples(50)
@given(pinned, st.lists(st.floats(-1, 1), max_size=4))
def test_contributions_that_sum_to_the_move_fit_whatever_the_prices_are(
    prediction: PinnedPrediction, shares: list[float]
) -> None:
    move = prediction.move
    assert math.isfinite(move)
    values = [*shares, move - sum(shares)]
    fitting = msgspec.structs.replace(
        completed(JOB).explanation,
        contributions=[Contribution(name="input", value=value, text="It counts.") for value in values],
    )
    check_explanation(fitting, depth="fast", move=move)
    with pytest.raises(PayloadRefused, match="sum to"):
        check_explanation(fitting, depth="fast", move=move + 1e-3 * max(1.0, abs(move)))


def test_every_kind_of_message_has_a_sample_here() -> None:
    assert set(KINDS) == set(SAMPLES)
    assert all(explanations.decode(encode(sample), kind) == sample for kind, sample in SAMPLES.items())
