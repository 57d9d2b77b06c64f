"""The real bars and their predictions, computed once for all tests of the pipeline."""

from __future__ import annotations

import pytest

from pipeline.bars import Series, load_series
from pipeline.model import WalkForward, walk_forward


@pytest.fixture(scope="session")
def series() -> dict[str, Series]:
    return load_series()


@pytest.fixture(scope="session")
def walks(series: dict[str, Series]) -> dict[str, WalkForward]:
    return {symbol: walk_forward(bars) for symbol, bars in series.items()}
