"""What `manage.py openapi` tells of the routes of predictions; importing this decorates their views."""

from __future__ import annotations

from typing import Annotated

import msgspec
from drf_spectacular.drainage import set_override
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view

from accounts.schema_parts import IF_NONE_MATCH, UNCHANGED, Schema, codes, in_path, in_query, page_size
from events.prediction_updated import MAX_SYMBOL_LENGTH
from predictions.accuracy import AccuracyAnswer
from predictions.answers import PredictionAnswer, Symbol
from predictions.symbol_views import SymbolPage, SymbolViewSet
from predictions.symbols import MAX_SYMBOLS
from predictions.views import PredictionViewSet

_TAGS = ["Predictions"]
# That of the setting where nothing else is set; a gateway with another one serves that in its place.
_PATTERN = "^[A-Z]{1,5}$"

_PLAIN: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_SYMBOL_LENGTH,
    "pattern": _PATTERN,
}
SYMBOL: Schema = {**_PLAIN, "examples": ["AAPL"]}
IN_PATH = in_path("symbol", "In upper case; lower case is refused, not guessed.", SYMBOL)
_FEATURES = in_query(
    "include_features",
    "Show what the model has seen as well: `true` or `false`.",
    {"type": "boolean", "default": False},
)
_MOMENT: Schema = {
    "anyOf": [
        {"type": "string", "format": "date-time", "maxLength": 35},
        {"type": "string", "format": "date", "maxLength": 10},
    ],
}
_AS_OF = in_query(
    "as_of",
    "What was known at that moment: the newest prediction made by then. RFC 3339 with an offset, or a date.",
    _MOMENT,
)
_CURSOR = r"^(-[0-9a-f]{1,13}|[0-9a-f]{1,14})\.[0-9a-f]{1,15}$"


class PredictionBatch(msgspec.Struct, frozen=True):
    """The newest predictions by symbol, and those symbols that have none."""

    predictions: Annotated[dict[Symbol, PredictionAnswer], msgspec.Meta(max_length=MAX_SYMBOLS)]
    missing: Annotated[list[Symbol], msgspec.Meta(max_length=MAX_SYMBOLS)]


class PredictionPage(msgspec.Struct, frozen=True):
    """A page of the history; `next` goes into `cursor` for the page after it."""

    data: Annotated[list[PredictionAnswer], msgspec.Meta(max_length=1000)]
    has_more: bool
    next: Annotated[str, msgspec.Meta(max_length=34, pattern=_CURSOR)] | None


# drf-spectacular takes whatever `list` answers for a list.
set_override(PredictionBatch, "many", False)
set_override(SymbolPage, "many", False)

extend_schema_view(
    retrieve=extend_schema(
        operation_id="getPrediction",
        tags=_TAGS,
        summary="Read the newest prediction of a symbol",
        description="`age_seconds` and `stale` tell how fresh it is. The newest value is served from memory; "
        "while Redis is away, from the record.",
        parameters=[IN_PATH, _AS_OF, _FEATURES, IF_NONE_MATCH],
        responses={200: OpenApiResponse(PredictionAnswer, "The newest prediction."), 304: UNCHANGED},
        extensions=codes("INVALID_SYMBOL", "UNKNOWN_SYMBOL", "STORE_UNAVAILABLE"),
    ),
    list=extend_schema(
        operation_id="listPredictions",
        tags=_TAGS,
        summary=f"Read the newest predictions of up to {MAX_SYMBOLS} symbols",
        description="One call and, unless the gateway is set up otherwise, one of the quota. Symbols "
        "without a prediction are in `missing`; one that is named twice is answered once.",
        parameters=[
            in_query(
                "symbols",
                "Separated by commas, or named several times.",
                {
                    "type": "array",
                    "items": _PLAIN,
                    "minItems": 1,
                    "maxItems": MAX_SYMBOLS,
                    "examples": [["AAPL", "MSFT"]],
                },
                required=True,
                style="form",
                explode=False,
            ),
            _AS_OF,
            _FEATURES,
            IF_NONE_MATCH,
        ],
        responses={200: OpenApiResponse(PredictionBatch, "Found, and missing."), 304: UNCHANGED},
        extensions=codes("INVALID_SYMBOL", "INVALID_SYMBOLS", "STORE_UNAVAILABLE"),
    ),
)(PredictionViewSet)

extend_schema(
    operation_id="listPredictionHistory",
    tags=_TAGS,
    summary="Read the predictions of a symbol, newest first",
    description="A page at a time: as long as `has_more`, `next` goes into `cursor`. The range holds for "
    "the time of the prediction, both ends included.",
    parameters=[
        IN_PATH,
        in_query(
            "from", "Not before; RFC 3339 with an offset, or a date, which is its midnight UTC.", _MOMENT
        ),
        in_query("to", "Not after; as `from`, and not before it.", _MOMENT),
        page_size("predictions", 1000, 100),
        in_query(
            "cursor",
            "The `next` of the page before.",
            {"type": "string", "minLength": 3, "maxLength": 34, "pattern": _CURSOR},
        ),
        in_query(
            "include_outcome",
            "Tell what came of each, where it is known: `true` or `false`.",
            {"type": "boolean", "default": False},
        ),
        _FEATURES,
        IF_NONE_MATCH,
    ],
    responses={200: OpenApiResponse(PredictionPage, "A page."), 304: UNCHANGED},
    extensions=codes("INVALID_SYMBOL", "UNKNOWN_SYMBOL", "STORE_UNAVAILABLE"),
)(PredictionViewSet.history)

extend_schema(
    operation_id="getAccuracy",
    tags=_TAGS,
    summary="Read how good the predictions of a symbol were",
    description="By model version and together, against the forecast that the price stays as it was. What "
    "has no outcome yet is not counted; null is what cannot be known. The window goes back from the newest "
    "market time, in whole UTC days.",
    parameters=[
        IN_PATH,
        in_query(
            "window",
            "A length of time as in `30d`, `12w` or `P90D`, or `all`.",
            {
                "type": "string",
                "minLength": 2,
                "maxLength": 64,
                "pattern": "^(all|[0-9].*|P.*)$",
                "default": "90d",
            },
        ),
        IF_NONE_MATCH,
    ],
    responses={200: OpenApiResponse(AccuracyAnswer, "The track record."), 304: UNCHANGED},
    extensions=codes("INVALID_SYMBOL", "UNKNOWN_SYMBOL", "STORE_UNAVAILABLE"),
)(PredictionViewSet.accuracy)

extend_schema_view(
    list=extend_schema(
        operation_id="listSymbols",
        tags=_TAGS,
        summary="List the symbols that have predictions",
        description="A page at a time, in their order: as long as `has_more`, `next` goes into `after`.",
        parameters=[
            page_size("symbols", 1000, 100),
            in_query(
                "after",
                "The `next` of the page before.",
                _PLAIN,
            ),
            IF_NONE_MATCH,
        ],
        responses={200: OpenApiResponse(SymbolPage, "A page."), 304: UNCHANGED},
        extensions=codes("INVALID_SYMBOL"),
    )
)(SymbolViewSet)
