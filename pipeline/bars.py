"""The daily bars that the replay is made of, read from the file that bokeh_sampledata installs.

Reads that one file itself, since the package's own loader wants pandas. Knows no feature and no
model.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]

PACKAGE = "bokeh_sampledata"
_FILE = Path("_data", "stocks.csv.gz")
_HEADER = ["Ticker", "Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"]
_REMEDY = "run: pip install -r requirements/embedded.txt"


class BarsUnavailable(Exception):
    """The bars are not installed, or not in the form that is known; the text says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The bars of one symbol, one per trading day, oldest first; every array has the shape (days,).

    `close` is what was quoted that day, in dollars; `adj_close` is the same with splits and
    dividends taken out, so that only its ratios mean anything; `volume` counts shares as they were
    that day.
    Raises ValueError for uneven arrays, dates out of order, or prices that are not positive.
    """

    symbol: str
    dates: Dates
    close: Floats
    adj_close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        days = (len(self.dates),)
        if any(a.shape != days for a in (self.dates, self.close, self.adj_close, self.volume)):
            raise ValueError(f"{self.symbol}: the arrays differ in length")
        if not (self.dates[1:] > self.dates[:-1]).all():
            raise ValueError(f"{self.symbol}: the dates do not increase strictly")
        if not ((self.close > 0) & (self.adj_close > 0) & (self.volume >= 0)).all():
            raise ValueError(f"{self.symbol}: a price is not positive, or a volume is negative")

    def __len__(self) -> int:
        return len(self.dates)


def load_series(package: str = PACKAGE) -> dict[str, Series]:
    """Every symbol's bars, symbols in alphabetical order; raises `BarsUnavailable`."""
    path = _locate(package)
    try:
        with gzip.open(path, "rt", encoding="ascii", newline="") as text:
            return parse_series(text)
    except (OSError, EOFError, ValueError) as error:
        raise BarsUnavailable(f"{path} cannot be read ({error}); {_REMEDY}") from error


def parse_series(lines: Iterable[str]) -> dict[str, Series]:
    """The bars in CSV `lines` (header first), in any order; ValueError where they do not fit."""
    reader = csv.reader(lines)
    header = next(reader, [])
    if header != _HEADER:
        raise ValueError(f"columns {header}, expected {_HEADER}")
    rows: dict[str, list[list[str]]] = defaultdict(list)
    for row in reader:
        if len(row) != len(_HEADER):
            raise ValueError(f"line {reader.line_num} has {len(row)} fields, not {len(_HEADER)}")
        rows[row[0]].append(row)
    return {symbol: _to_series(symbol, rows[symbol]) for symbol in sorted(rows)}


def _to_series(symbol: str, rows: list[list[str]]) -> Series:
    rows.sort(key=lambda row: row[1])
    _, dates, _, _, _, close, volume, adj_close = zip(*rows, strict=True)
    return Series(
        symbol=symbol,
        dates=np.array(dates, dtype="datetime64[D]"),
        close=np.array(close, dtype=np.float64),
        adj_close=np.array(adj_close, dtype=np.float64),
        volume=np.array(volume, dtype=np.float64),
    )


def _locate(package: str) -> Path:
    """The path of the file, found without importing the package."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise BarsUnavailable(f"the package {package} with the daily bars is missing; {_REMEDY}")
    path = Path(spec.origin).parent / _FILE
    if not path.is_file():
        raise BarsUnavailable(f"{package} is installed without {_FILE}; {_REMEDY}")
    return path
