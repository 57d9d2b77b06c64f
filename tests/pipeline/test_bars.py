"""The bars are the real ones, complete and in order; what does not fit is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.bars import BarsUnavailable, Series, load_series, parse_series

HEADER = "Ticker,Date,Open,High,Low,Close,Volume,Adj Close"


def test_every_symbol_has_all_its_bars(series: dict[str, Series]) -> None:
    assert {symbol: len(bars) for symbol, bars in series.items()} == {
        "AAPL": 3270,
        "FB": 196,
        "GOOG": 2148,
        "IBM": 3270,
        "MSFT": 3270,
    }
    assert list(series) == sorted(series)


def test_first_and_last_bar_read_as_in_the_file(series: dict[str, Series]) -> None:
    apple = series["AAPL"]
    assert (str(apple.dates[0]), str(apple.dates[-1])) == ("2000-03-01", "2013-03-01")
    assert (apple.close[0], apple.volume[0], apple.adj_close[0]) == (
        130.31,
        9616100,
        4.186662803811,
    )
    assert apple.close[-1] == 430.47


def test_rows_out_of_order_are_sorted_by_date() -> None:
    lines = [HEADER, "B,2001-01-03,1,1,1,3,30,3", "A,2001-01-02,1,1,1,9,90,9"]
    parsed = parse_series([*lines, "B,2001-01-02,1,1,1,2,20,2"])
    assert list(parsed) == ["A", "B"]
    assert parsed["B"].dates.tolist() == np.array(["2001-01-02", "2001-01-03"], "M8[D]").tolist()
    assert parsed["B"].close.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "columns"),
        (["Ticker,Date"], "columns"),
        ([HEADER, "A,2001-01-02,1"], "line 2 has 3 fields"),
        ([HEADER, "A,2001-01-02,1,1,1,x,1,1"], "could not convert"),
        ([HEADER, "A,2001-01-02,1,1,1,0,1,1"], "not positive"),
        ([HEADER, "A,2001-01-02,1,1,1,1,1,1", "A,2001-01-02,1,1,1,1,1,1"], "increase strictly"),
    ],
)
def test_lines_that_do_not_fit_are_refused(lines: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_series(lines)


def test_uneven_arrays_are_refused() -> None:
    one = np.ones(1)
    with pytest.raises(ValueError, match="differ in length"):
        Series("A", np.array(["2001-01-02"], "M8[D]"), one, one, np.ones(2))


def test_a_missing_package_is_told_with_the_remedy() -> None:
    with pytest.raises(BarsUnavailable, match=r"pip install -r requirements/embedded\.txt"):
        load_series("no_such_package_of_bars")


def test_a_package_without_the_file_is_told_with_the_remedy() -> None:
    with pytest.raises(BarsUnavailable, match=r"stocks\.csv\.gz; run: pip install"):
        load_series("json")


def test_a_damaged_file_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "damaged_bars"
    (package / "_data").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "_data" / "stocks.csv.gz").write_bytes(b"no gzip")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BarsUnavailable, match="cannot be read"):
        load_series("damaged_bars")


def test_loading_and_predicting_import_neither_pandas_nor_a_framework() -> None:
    heavy = "{'pandas', 'bokeh_sampledata', 'django', 'nats', 'asyncio'}"
    program = (
        "import sys; from pipeline import bars, evaluation, features, model; bars.load_series();"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
