"""The REST routes of predictions: decode the query, read, encode the answer."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.utils import timezone
from rest_framework import status, viewsets
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from predictions import answers, cursors, reads, record, symbols
from predictions.documents import PredictionDocument
from predictions.serializers import FeaturesQuery, HistoryQuery


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


class PredictionPage(msgspec.Struct, frozen=True):
    """A page of the history; `next` goes into `cursor` to get the page after it."""

    data: list[answers.PredictionAnswer]
    has_more: bool
    next: str | None


class PredictionBatch(msgspec.Struct, frozen=True):
    """The newest predictions by symbol, and those symbols that have none."""

    predictions: dict[str, answers.PredictionAnswer]
    missing: list[str]


class PredictionViewSet(viewsets.ViewSet):
    """Newest predictions of one or many symbols, and the history of one."""

    required_scope = "predictions:read"

    def retrieve(self, request: Request, symbol: str) -> Response:
        """The newest prediction of `symbol`."""
        symbol = _checked_symbol(symbol)
        show, tag = _freshness(request, FeaturesQuery(data=request.query_params))
        document = _newest([symbol]).get(symbol)
        if document is None:
            raise UnknownSymbol(f"There is no prediction for {symbol}.")
        return _answer(request, tag(document), lambda: show(document))

    def list(self, request: Request) -> Response:
        """The newest predictions of up to 100 symbols; those without one are in ``missing``."""
        try:
            wanted = symbols.split_symbols(
                request.query_params.get("symbols", ""), settings.GATEWAY.compiled_symbol_pattern
            )
        except symbols.MalformedSymbol as error:
            raise InvalidSymbol(str(error)) from None
        except symbols.BadSymbolCount as error:
            raise InvalidSymbols(str(error)) from None
        show, tag = _freshness(request, FeaturesQuery(data=request.query_params))
        newest = _newest(wanted)
        found = {symbol: newest[symbol] for symbol in wanted if symbol in newest}
        missing = [symbol for symbol in wanted if symbol not in found]
        return _answer(
            request,
            answers.combined_etag([*(tag(document) for document in found.values()), *missing]),
            lambda: PredictionBatch({s: show(document) for s, document in found.items()}, missing),
        )

    def history(self, request: Request, symbol: str) -> Response:
        """Predictions of `symbol`, newest first, a page at a time."""
        symbol = _checked_symbol(symbol)
        query = HistoryQuery(data=request.query_params)
        show, tag = _freshness(request, query)
        wanted = query.validated_data
        page = record.history(
            symbol,
            start=wanted.get("from"),
            end=wanted.get("to"),
            before=wanted.get("cursor"),
            limit=wanted["limit"] + 1,
        )
        if not page and not record.exists(symbol):
            raise UnknownSymbol(f"There is no prediction for {symbol}.")
        has_more = len(page) > wanted["limit"]
        page = page[: wanted["limit"]]
        after = cursors.encode(page[-1].timestamp, page[-1].seq or 0) if has_more else None
        return _answer(
            request,
            answers.combined_etag([*(tag(document) for document in page), after or "end"]),
            lambda: PredictionPage([show(document) for document in page], has_more, after),
        )


def _checked_symbol(text: str) -> str:
    try:
        return symbols.check_symbol(text, settings.GATEWAY.compiled_symbol_pattern)
    except symbols.MalformedSymbol as error:
        raise InvalidSymbol(str(error)) from None


def _newest(wanted: list[str]) -> dict[str, PredictionDocument]:
    try:
        return reads.newest_predictions(wanted)
    except reads.NoStoreReachable as error:
        raise StoreUnavailable from error.__cause__


def _freshness(request: Request, query: FeaturesQuery) -> tuple[Any, Any]:
    """`answers.show` and `answers.etag` for this moment and the variant that the valid query asks for."""
    query.is_valid(raise_exception=True)
    now: datetime = timezone.now()
    options = {
        "now": now,
        "stale_after_s": settings.GATEWAY.stale_after_s,
        "include_features": query.validated_data["include_features"],
    }
    return functools.partial(answers.show, **options), functools.partial(answers.etag, **options)


def _answer(request: Request, tag: str, render: Any) -> Response:
    """200 with the body, or 304 where the caller already has this version."""
    headers = {
        "ETag": tag,
        "Cache-Control": f"private, max-age={settings.GATEWAY.cache_max_age_s}",
        "Vary": answers.VARY,
    }
    known = request.headers.get("If-None-Match")
    if known is not None and answers.matches(known, tag):
        return Response(status=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(render(), headers=headers)
