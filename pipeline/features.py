"""What the model knows at the close of a day: numbers made of that day's and earlier bars. Pure.

Each value is free of units and indifferent to splits: returns come from adjusted closes, and volume
is measured in dollars, because the share counts in the data jump with every split.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.bars import Floats, Series

RETURN_1D = "return_1d"
RETURN_2D = "return_2d"
RETURN_5D = "return_5d"
MOMENTUM_21D = "momentum_21d"
VOLATILITY_21D = "volatility_21d"
VOLUME_Z_63D = "volume_z_63d"

NAMES = (RETURN_1D, RETURN_2D, RETURN_5D, MOMENTUM_21D, VOLATILITY_21D, VOLUME_Z_63D)

_NEGLIGIBLE = 1e-12


def compute_features(series: Series) -> Floats:
    """The features at each day's close, shape (days, len(NAMES)), columns in the order of `NAMES`.

    A value is NaN until its window is full; from the first complete row on, all rows are complete.
    """
    log_price = np.log(series.adj_close)
    columns = {
        RETURN_1D: trailing_return(log_price, 1),
        RETURN_2D: trailing_return(log_price, 2),
        RETURN_5D: trailing_return(log_price, 5),
        MOMENTUM_21D: trailing_return(log_price, 21),
        VOLATILITY_21D: trailing_volatility(log_price, 21),
        VOLUME_Z_63D: trailing_z_score(np.log1p(series.close * series.volume), 63),
    }
    return np.column_stack([columns[name] for name in NAMES])


def trailing_return(log_price: Floats, days: int) -> Floats:
    """Log return over the last `days` days, shape (days,); NaN for the first `days` rows."""
    result = np.full(len(log_price), np.nan)
    result[days:] = log_price[days:] - log_price[:-days]
    return result


def trailing_volatility(log_price: Floats, days: int) -> Floats:
    """Standard deviation of the last `days` daily log returns; NaN until they exist."""
    result = np.full(len(log_price), np.nan)
    if len(log_price) > days:
        result[days:] = sliding_window_view(np.diff(log_price), days).std(axis=1)
    return result


def trailing_z_score(values: Floats, days: int) -> Floats:
    """How many standard deviations the newest of the last `days` values lies above their mean.

    NaN for the first ``days - 1`` rows; 0 where the values do not vary.
    """
    result = np.full(len(values), np.nan)
    if len(values) < days:
        return result
    windows = sliding_window_view(values, days)
    deviation = windows.std(axis=1)
    varies = deviation > _NEGLIGIBLE
    excess = windows[:, -1] - windows.mean(axis=1)
    result[days - 1 :] = np.where(varies, excess / np.where(varies, deviation, 1.0), 0.0)
    return result
