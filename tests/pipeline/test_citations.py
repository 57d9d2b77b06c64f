"""Every source says what it is, of when, and how much of it there was."""

from __future__ import annotations

import pytest

from pipeline.bars import Series
from pipeline.citations import DATA_URL, cite_all, cite_prediction
from pipeline.known_past import build_market
from tests.pipeline.orders import pin


@pytest.mark.parametrize(
    ("position", "known"),
    [
        (0, "no earlier prediction of FB with a known next close"),
        (1, "1 prediction of FB with a known next close, made from 2012-12-13 to 2012-12-13"),
        (52, "52 predictions of FB with a known next close, made from 2012-12-13 to 2013-02-28"),
    ],
)
def test_the_evaluation_counts_what_was_known_by_then(
    series: dict[str, Series], position: int, known: str
) -> None:
    past = build_market(series["FB"]).known_at(position)
    sources = cite_all(pin(past.prediction), past)
    assert [source.kind for source in sources] == ["prediction", "data", "model", "evaluation"]
    assert known in sources[-1].detail
    assert f"over the newest {past.residuals} predictions" in sources[-1].detail
    assert sources[1].url == DATA_URL


def test_a_prediction_is_cited_by_what_it_says(series: dict[str, Series]) -> None:
    past = build_market(series["FB"]).known_at(52)
    source = cite_prediction(pin(past.prediction, symbol="A\n" * 60, confidence=0.25, horizon="2h"))
    assert source.title == f"The prediction for {'A ' * 29}A… that is explained"
    assert "horizon 2h; current price 27.78" in source.detail
    assert "confidence 0.25." in source.detail
