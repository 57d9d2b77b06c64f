"""The sources that an explanation cites: prediction, data, model and the model's earlier predictions. Pure.

Statements name them by their ids: ``prediction``, ``data``, ``model``, ``evaluation``.
"""

from __future__ import annotations

from events.explanations import PinnedPrediction, Source
from pipeline.known_past import KnownPast
from pipeline.model import MODEL_VERSION, MOST_TRAINING_ROWS, REFIT_EVERY_DAYS
from pipeline.wording import counted, shorten

# The publisher's own notice that the data are in the public domain.
DATA_URL = "https://web.archive.org/web/20150411011214/https://www.quandl.com/data/WIKI"


def cite_all(pinned: PinnedPrediction, past: KnownPast) -> list[Source]:
    """Every source there is for a prediction of the reference model."""
    return [cite_prediction(pinned), _cite_data(past), _cite_model(past), _cite_evaluation(past)]


def cite_prediction(pinned: PinnedPrediction) -> Source:
    """The prediction itself, of whatever model; its texts are its sender's and may be anything."""
    return Source(
        id="prediction",
        kind="prediction",
        title=f"The prediction for {shorten(pinned.symbol)} that is explained",
        detail=f"Made at {pinned.timestamp.isoformat()} by {pinned.model_version} with market data "
        f"up to {pinned.as_of.isoformat()}; horizon {pinned.horizon}; current price "
        f"{pinned.current_price:.10g}, predicted price {pinned.predicted_price:.10g}, confidence "
        f"{pinned.confidence:.6g}.",
    )


def _cite_data(past: KnownPast) -> Source:
    prediction = past.prediction
    symbol, day = prediction.symbol, prediction.as_of
    inputs = ", ".join(f"{name} {value:.6g}" for name, value in prediction.inputs.items())
    return Source(
        id="data",
        kind="data",
        title=f"Daily bars of {symbol}: bokeh_sampledata, stocks.csv.gz (public domain)",
        detail=f"{symbol}, bars of {past.first_bar} to {day}. Values used on {day}: close "
        f"${prediction.current_price:,.2f}, adjusted close ${past.adj_close:.6g}; {inputs}. Returns come "
        "from closes adjusted for splits and dividends, and are log returns; volatility_21d is the "
        "standard deviation of the last 21 daily returns; volume_z_63d is the traded dollar volume (its "
        "logarithm) in standard deviations from the average of its last 63 days.",
        url=DATA_URL,
    )


def _cite_model(past: KnownPast) -> Source:
    fit, symbol = past.prediction.fit, past.prediction.symbol
    return Source(
        id="model",
        kind="model",
        title=f"{MODEL_VERSION}: ridge regression of the next day's log return",
        detail=f"Trained on {counted(fit.rows, 'day')} of {symbol}, {fit.first_date} to {fit.last_date}. "
        f"Fitted again every {REFIT_EVERY_DAYS} trading days, on the past alone and on at most "
        f"{MOST_TRAINING_ROWS} days. Six inputs, each in standard deviations from its average; a penalty "
        "keeps their weights small.",
    )


def _cite_evaluation(past: KnownPast) -> Source:
    dates, symbol = past.outcomes.dates, past.prediction.symbol
    known = (
        f"{counted(len(dates), 'prediction')} of {symbol} with a known next close, made from "
        f"{dates[0]} to {dates[-1]}"
        if len(dates)
        else f"no earlier prediction of {symbol} with a known next close"
    )
    return Source(
        id="evaluation",
        kind="evaluation",
        title=f"Earlier predictions of {MODEL_VERSION} on {symbol}",
        detail=f"Walk-forward, that is, each made by a fit on earlier days only: {known}. Prices are "
        "adjusted for splits and dividends. The typical miss is the root mean square over the newest "
        f"{counted(past.residuals, 'prediction')}, which may include some from before the first one counted "
        "here: those were made to measure the error, and not published.",
    )
