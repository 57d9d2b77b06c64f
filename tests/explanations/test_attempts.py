"""What becomes of an order after each outcome, what fits as an explanation, and what a caller may read."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest

from events.explanations import MAX_EXPLANATION_BYTES, Contribution, Explanation, Source, Statement
from events.prediction_updated import PayloadRefused
from explanations import attempts
from explanations.attempts import (
    Cancelled,
    Complete,
    Drop,
    Explained,
    Failed,
    GiveUp,
    Interrupted,
    Policy,
    RecentIds,
    Retry,
)
from tests.explanations.explainers import explanation
from tests.explanations.orders import make_order

POLICY = Policy(3)


def test_a_failed_order_rests_longer_each_time_and_fails_for_good_at_the_third_delivery() -> None:
    actions = [attempts.decide(Failed("why"), delivery=n, policy=POLICY) for n in (1, 2, 3, 4)]
    assert actions == [Retry(1.0), Retry(3.0), GiveUp("why"), GiveUp("why")]


def test_the_rest_between_two_tries_is_bounded() -> None:
    assert [Policy(9).delay_s(n) for n in (1, 2, 3, 4, 5, 6, 10_000)] == [1, 3, 9, 27, 60, 60, 60]


@pytest.mark.parametrize("delivery", [1, 3, 50])
def test_an_explanation_is_accepted_at_any_delivery(delivery: int) -> None:
    made = explanation(make_order())
    assert attempts.decide(Explained(made, 0.5), delivery=delivery, policy=POLICY) == Complete(made, 0.5)


@pytest.mark.parametrize("delivery", [1, 3, 50])
def test_a_cancelled_order_is_dropped_and_an_interrupted_one_comes_again_at_once(delivery: int) -> None:
    assert attempts.decide(Cancelled(), delivery=delivery, policy=POLICY) == Drop()
    assert attempts.decide(Interrupted(), delivery=delivery, policy=POLICY) == Retry(0.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("the explainer failed: KeyError", "the explainer failed: KeyError"),
        ("no bars and/or no model", "no bars and/or no model"),
        ("cannot read /srv/data/bars.csv: no such file", "cannot read (path): no such file"),
        ("cannot read '/srv/data'", "cannot read '(path)'"),
        (r"cannot read C:\Users\me\bars.csv", "cannot read (path)"),
        ("in pipeline/model.py, line 7", "in (path), line 7"),
        ("two\nlines\tand \x00 more", "two lines and more"),
        ("", "-"),
    ],
)
def test_a_caller_reads_one_line_without_paths(text: str, told: str) -> None:
    assert attempts.clean_reason(text) == told
    assert len(attempts.clean_reason(text * 1000)) <= 500


def test_what_fits_is_read_as_it_was_given() -> None:
    order = make_order(depth="deep")
    made = explanation(order)
    assert attempts.judge(msgspec.json.encode(made), order) == made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"depth": "medium"}, "the explanation is medium, fast was ordered"),
        (
            {"contributions": [Contribution(name="a", value=1.0, text="b")]},
            "the contributions sum to 1, the predicted move",
        ),
        ({"statements": [Statement(text="a", sources=["b"])]}, "a statement cites b"),
        ({"sources": []}, "Expected `array` of length >= 1"),
        ({"summary": "a\0"}, "matching regex"),
        ({"contributions": [Contribution(name="a", value=float("nan"), text="b")]}, "Expected `float`"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    order = make_order()
    with pytest.raises(PayloadRefused, match=reason):
        attempts.judge(msgspec.json.encode(explanation(order, **changes)), order)


@pytest.mark.parametrize("body", [b"", b"\xff", b"null", b"[" * 100_000, b"x" * (MAX_EXPLANATION_BYTES + 1)])
def test_what_is_no_explanation_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadRefused):
        attempts.judge(body, make_order())


def test_an_explanation_that_grows_beyond_the_limit_when_it_is_written_again_is_refused() -> None:
    order = make_order()
    zeros = [Contribution(name=str(n), value=0.0, text="nothing") for n in range(199)]
    made = explanation(order, contributions=[*explanation(order).contributions, *zeros])
    sources = [Source(id=f"s{n}", kind="data", title="x", detail="y" * 4000) for n in range(62)]
    missing = MAX_EXPLANATION_BYTES + 100 - len(_with_sources(made, sources))
    padding = Source(id="pad", kind="data", title="x", detail="")
    padding = msgspec.structs.replace(
        padding, detail="y" * (missing - len(_with_sources(made, [padding])) + len(_with_sources(made, [])))
    )
    body = _with_sources(made, [*sources, padding])
    assert MAX_EXPLANATION_BYTES < len(body) < MAX_EXPLANATION_BYTES + 200
    shorter = body.replace(b'"value":0.0,', b'"value":0,')
    assert len(shorter) <= MAX_EXPLANATION_BYTES
    with pytest.raises(PayloadRefused, match="at most"):
        attempts.judge(shorter, order)


def _with_sources(made: Explanation, more: list[Source]) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(made, sources=[*made.sources, *more]))


def test_recent_ids_are_bounded_and_the_oldest_goes_first() -> None:
    recent = RecentIds(3)
    ids = [uuid.uuid4() for _ in range(4)]
    for one in ids[:3]:
        recent.add(one)
    recent.add(ids[0])
    recent.add(ids[3])
    assert len(recent) == 3
    assert [one in recent for one in ids] == [True, False, True, True]
