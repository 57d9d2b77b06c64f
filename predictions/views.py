"""The REST routes of predictions: decode the query, read, encode the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict

import msgspec
from django.conf import settings
from django.utils import timezone
from rest_framework import serializers, status, viewsets
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from predictions import accuracy, answers, history, reads, symbols, track_record
from predictions.accuracy import AccuracyAnswer
from predictions.answers import Shown
from predictions.documents import PredictionDocument, epoch_micros
from predictions.serializers import AccuracyQuery, HistoryQuery, NewestQuery

# One for all requests: each of its own would copy every field, and nothing of a request is kept in it.
_NEWEST_QUERY = NewestQuery()
_HISTORY_QUERY = HistoryQuery()
_ACCURACY_QUERY = AccuracyQuery()


class InvalidSymbol(ParseError):
    """400: the symbol in the path or query is malformed."""

    default_code = "invalid_symbol"


class InvalidSymbols(ParseError):
    """400: no symbol, or too many of them."""

    default_code = "invalid_symbols"


class UnknownSymbol(NotFound):
    """404: well-formed, but never predicted."""

    default_code = "unknown_symbol"


class StoreUnavailable(APIException):
    """503: neither Redis nor the database can answer."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "store_unavailable"
    default_detail = "The prediction stores cannot be reached right now; try again in a moment."
    retry_after_s = 2


class _Freshness(TypedDict):
    now_us: int
    stale_after_s: float


class PredictionViewSet(viewsets.ViewSet):
    """Newest predictions of one or many symbols, the history of one, and how good it was."""

    def retrieve(self, request: Request, symbol: str) -> Response:
        """The newest prediction of `symbol`, now or at the moment ``as_of``."""
        symbol = checked_symbol(symbol)
        query = checked_query(request, _NEWEST_QUERY)
        moment = query.get("as_of")
        document = _newest([symbol], "prediction", moment).get(symbol)
        if document is None:
            when = "" if moment is None else f" that was made by {moment.isoformat()}"
            raise UnknownSymbol(f"There is no prediction for {symbol}{when}.")
        shown = Shown(document, include_features=query["include_features"])
        at = _freshness(moment)
        return cached(request, shown.etag(**at), lambda: msgspec.Raw(shown.body(**at)))

    def list(self, request: Request) -> Response:
        """The newest predictions of up to 100 symbols; those without one are in ``missing``."""
        try:
            wanted = symbols.split_symbols(
                # Generated clients name the parameter once for each symbol, whatever the document says.
                ",".join(request.query_params.getlist("symbols")),
                settings.GATEWAY.compiled_symbol_pattern,
            )
        except symbols.MalformedSymbol as error:
            raise InvalidSymbol(str(error)) from None
        except symbols.BadSymbolCount as error:
            raise InvalidSymbols(str(error)) from None
        query = checked_query(request, _NEWEST_QUERY)
        found = {
            symbol: Shown(document, include_features=query["include_features"])
            for symbol, document in _newest(wanted, "predictions", query.get("as_of")).items()
        }
        return cached(request, *answers.batch(wanted, found, **_freshness(query.get("as_of"))))

    def history(self, request: Request, symbol: str) -> Response:
        """Predictions of `symbol`, newest first, a page at a time."""
        symbol = checked_symbol(symbol)
        wanted = history.wanted(symbol, checked_query(request, _HISTORY_QUERY))
        page = history.read(wanted, **_freshness())
        if page is None:
            raise UnknownSymbol(f"There is no prediction for {symbol}.")
        return cached(request, page.tag, page.make)

    def accuracy(self, request: Request, symbol: str) -> Response:
        """How good the predictions of `symbol` were, by model version and together."""
        symbol = checked_symbol(symbol)
        window = checked_query(request, _ACCURACY_QUERY)["window"]
        track = track_record.read_track(symbol, window=window, now=timezone.now())
        if track is None:
            raise UnknownSymbol(f"There is no prediction for {symbol}.")
        answer = AccuracyAnswer(
            symbol=symbol,
            from_=accuracy.first_moment(track.newest_as_of, window),
            to=track.newest_as_of,
            total=accuracy.measure(track.sums),
            models=[accuracy.measure_model(sums) for sums in track.sums],
        )
        body = msgspec.json.encode(answer)
        return cached(request, answers.combined_etag([body.decode()]), lambda: msgspec.Raw(body))


def checked_symbol(text: str) -> str:
    try:
        return symbols.check_symbol(text, settings.GATEWAY.compiled_symbol_pattern)
    except symbols.MalformedSymbol as error:
        raise InvalidSymbol(str(error)) from None


def _newest(wanted: list[str], asked_by: str, moment: datetime | None) -> dict[str, PredictionDocument]:
    """The newest of each symbol, or what was it at `moment`, which only the record knows."""
    try:
        if moment is not None:
            return reads.predictions_at(wanted, moment, asked_by=asked_by)
        return reads.newest_predictions(wanted, asked_by=asked_by)
    except reads.NoStoreReachable as error:
        raise StoreUnavailable from error.__cause__


def checked_query(request: Request, query: serializers.Serializer[Any]) -> dict[str, Any]:
    """The query parameters as `query` has them; 400 where they are malformed or empty."""
    checked: dict[str, Any] = query.run_validation(dict(request.query_params.items()))
    return checked


def _freshness(moment: datetime | None = None) -> _Freshness:
    """This moment or an earlier `moment`, and when a prediction is stale, as `Shown` asks for them."""
    now = timezone.now()
    at = now if moment is None else min(moment, now)
    return {"now_us": epoch_micros(at), "stale_after_s": settings.GATEWAY.stale_after_s}


def cached(request: Request, tag: str, render: Callable[[], Any]) -> Response:
    """200 with the body, or 304 where the caller already has this version."""
    headers = answers.validators(tag, max_age_s=settings.GATEWAY.cache_max_age_s)
    known = request.headers.get("If-None-Match")
    if known is not None and answers.matches(known, tag):
        return Response(status=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(render(), headers=headers)
