"""Terms: what a subscription asks for, and which updates it leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.protocol.requests import Subscribe
from realtime.terms import PLAIN, Terms, terms_of
from tests.realtime.peers import update


@pytest.mark.parametrize("asked", [{}, {"interval_ms": 60_000}, {"snapshot": False}, {"explanations": True}])
def test_who_asks_for_nothing_special_is_on_the_plain_terms(asked: dict[str, Any]) -> None:
    assert terms_of(Subscribe(["AAPL"], **asked)) is PLAIN


@pytest.mark.parametrize(
    ("asked", "terms"),
    [
        ({"mode": "latest"}, Terms("latest", 0.25)),
        ({"mode": "latest", "interval_ms": 10}, Terms("latest", 0.01)),
        ({"mode": "batch", "interval_ms": 60_000, "timing": True}, Terms("batch", 60.0, timing=True)),
        ({"min_confidence": 0.5}, Terms(min_confidence=0.5)),
        ({"min_move_pct": 2.0}, Terms(min_move_pct=2.0)),
        ({"timing": True, "interval_ms": 500}, Terms(timing=True)),
    ],
)
def test_every_other_wish_is_kept(asked: dict[str, Any], terms: Terms) -> None:
    assert terms_of(Subscribe(["AAPL"], **asked)) == terms
    assert terms_of(Subscribe(["MSFT"], **asked)) is terms_of(Subscribe(["AAPL"], **asked))


@pytest.mark.parametrize(
    ("terms", "passed"),
    [
        (PLAIN, [True, True, True, True]),
        (Terms(min_confidence=0.6), [False, True, False, True]),
        (Terms(min_move_pct=2.0), [False, False, True, True]),
        (Terms(min_confidence=0.6, min_move_pct=2.0), [False, False, False, True]),
    ],
)
def test_what_is_below_either_bound_is_left_out_and_the_bound_itself_is_not(
    terms: Terms, passed: list[bool]
) -> None:
    told = [
        update(1, confidence=confidence, move_pct=move_pct)
        for move_pct in (1.9, 2.0)
        for confidence in (0.59, 0.6)
    ]
    assert [terms.passes(one) for one in told] == passed
    assert terms.filters is not all(passed)
