"""The REST route that lists symbols, for whoever does not know them yet, such as the dashboard."""

from __future__ import annotations

from typing import Annotated

import msgspec
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from predictions import answers, known_symbols
from predictions.answers import Symbol
from predictions.serializers import SymbolsQuery
from predictions.views import cached, checked_query, checked_symbol

_QUERY = SymbolsQuery()


class SymbolPage(msgspec.Struct, frozen=True):
    """A page of symbols in their order; `next` goes into `after` for the page after it."""

    data: Annotated[list[Symbol], msgspec.Meta(max_length=1000)]
    has_more: bool
    next: Symbol | None


class SymbolViewSet(viewsets.ViewSet):
    """The symbols that were ever predicted."""

    def list(self, request: Request) -> Response:
        """A page of them. The caller keeps it as long as predictions: new symbols are rare."""
        query = checked_query(request, _QUERY)
        start = checked_symbol(query["after"]) if "after" in query else ""
        found = known_symbols.after(start, limit=query["limit"] + 1)
        page = found[: query["limit"]]
        has_more = len(found) > len(page)
        after = page[-1] if has_more else None
        tag = answers.combined_etag([*page, after or "end"])
        return cached(request, tag, lambda: SymbolPage(page, has_more, after))
