"""A page of the history of a symbol: what is asked for, and how it is shown. Both ways of a read call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec

from predictions import answers, cursors, record, track_record
from predictions.answers import Shown
from predictions.documents import PredictionDocument


class PredictionPage(msgspec.Struct, frozen=True):
    """A page of the history, each a `PredictionAnswer`; `next` goes into `cursor` for the page after it."""

    data: list[msgspec.Raw]
    has_more: bool
    next: str | None


class Wanted(NamedTuple):
    """Up to `limit` predictions of `symbol` made from `start` to `end`, after the place `before`."""

    symbol: str
    start: datetime | None
    end: datetime | None
    before: tuple[datetime, int] | None
    limit: int
    include_features: bool
    include_outcome: bool


class Page(NamedTuple):
    """The validator of a page, and what makes its body."""

    tag: str
    make: Callable[[], PredictionPage]


def wanted(symbol: str, query: Mapping[str, Any]) -> Wanted:
    """What the parameters of a `HistoryQuery` ask for, once they are validated."""
    return Wanted(
        symbol,
        query.get("from"),
        query.get("to"),
        query.get("cursor"),
        query["limit"],
        query["include_features"],
        query["include_outcome"],
    )


def read(asked: Wanted, *, now_us: int, stale_after_s: float) -> Page | None:
    """The page, newest first; None for a symbol that was never predicted.

    One query, and one more for outcomes or for a page without predictions. Raises Django's `DatabaseError`
    family.
    """
    page = record.history(
        asked.symbol,
        start=asked.start,
        end=asked.end,
        before=asked.before,
        limit=asked.limit + 1,
        with_features=asked.include_features,
    )
    if not page and not record.exists(asked.symbol):
        return None
    has_more = len(page) > asked.limit
    page = page[: asked.limit]
    after = cursors.encode(page[-1].timestamp, page[-1].seq or 0) if has_more else None
    shown = [Shown(document, include_features=asked.include_features) for document in page]
    outcomes = _outcomes(asked.symbol, page) if asked.include_outcome else []

    def make() -> PredictionPage:
        return PredictionPage(
            [
                msgspec.Raw(
                    answers.with_outcome(one.body(now_us=now_us, stale_after_s=stale_after_s), outcome)
                )
                for one, outcome in zip_longest(shown, outcomes)
            ],
            has_more,
            after,
        )

    tags = [one.etag(now_us=now_us, stale_after_s=stale_after_s) for one in shown]
    return Page(answers.combined_etag([*tags, *outcomes, after or "end"]), make)


def _outcomes(symbol: str, page: Sequence[PredictionDocument]) -> list[str]:
    """The JSON of what came of each prediction of a page of the history, newest first."""
    if not page:
        return []
    known = track_record.read_outcomes(symbol, oldest=page[-1].timestamp, newest=page[0].timestamp)
    return [
        msgspec.json.encode(known.get((document.timestamp, document.model_version))).decode()
        for document in page
    ]
