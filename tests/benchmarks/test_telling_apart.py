"""How often one answer takes longer than another: the share of pairs, on small samples worked out by hand."""

from __future__ import annotations

import itertools
import random

import pytest

from benchmarks.telling_apart import share_slower


@pytest.mark.parametrize(
    ("some", "others", "share"),
    [
        ([1.0], [2.0], 0.0),
        ([2.0], [1.0], 1.0),
        ([1.0], [1.0], 0.5),
        ([1.0, 3.0], [2.0], 0.5),
        ([1.0, 2.0, 2.0], [2.0, 1.0], 0.5 * (0.5 + 1.5 + 1.5) / 3),
    ],
)
def test_the_share_of_pairs_in_which_some_are_slower(
    some: list[float], others: list[float], share: float
) -> None:
    assert share_slower(some, others) == pytest.approx(share)


def test_it_is_what_all_pairs_say() -> None:
    dice = random.Random(1)
    some = [float(dice.randrange(8)) for _ in range(40)]
    others = [float(dice.randrange(8)) for _ in range(30)]
    won = sum((a > b) + (a == b) / 2 for a, b in itertools.product(some, others))
    assert share_slower(some, others) == pytest.approx(won / (40 * 30))
