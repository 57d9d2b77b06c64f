"""What each method asks: path, query, headers, body, and what its answer is. Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

from prediction_gateway import models
from prediction_gateway.answers import Answer, decode, decode_job

T = TypeVar("T")
Moment = datetime | date | str
LONGEST_ORDER_WAIT_S = 30
MOST_A_PAGE = 1000


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call. `target` is path and query.

    `keeps` says whether its answer is worth keeping for a conditional read, `ages` whether its ages grow with
    time: those of a past moment do not. `extra_s` is what the gateway may take longer than usual.
    """

    method: str
    target: str
    decode: Callable[[Answer], T]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    keeps: bool = False
    ages: bool = False
    extra_s: float = 0.0

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


def prediction(symbol: str, *, include_features: bool, as_of: Moment | None) -> Call[models.Prediction]:
    """The newest prediction of a symbol, or the newest at a moment."""
    query = _query(include_features=include_features or None, as_of=as_of)
    path = f"/api/prediction/{_segment(symbol)}{query}"
    return Call("GET", path, _decoding(models.Prediction), keeps=True, ages=as_of is None)


def predictions(
    symbols: Iterable[str], *, include_features: bool, as_of: Moment | None
) -> Call[models.Predictions]:
    """The newest predictions of several symbols."""
    query = _query(symbols=_listed(symbols), include_features=include_features or None, as_of=as_of)
    return Call(
        "GET", f"/api/predictions{query}", _decoding(models.Predictions), keeps=True, ages=as_of is None
    )


def history_pages(
    symbol: str,
    *,
    start: Moment | None,
    end: Moment | None,
    include_features: bool,
    include_outcome: bool,
) -> Callable[[int, str | None], Call[models.Page[models.Prediction]]]:
    """The pages of a history: a function of size and cursor. Only the first is kept: none is turned twice."""
    path = f"/api/prediction/{_segment(symbol)}/history"
    span = {"from": start, "to": end}
    query = _pairs(**span, include_features=include_features or None, include_outcome=include_outcome or None)

    def ask(limit: int, cursor: str | None) -> Call[models.Page[models.Prediction]]:
        target = path + _joined([*query, *_pairs(limit=limit, cursor=cursor)])
        decoding = _decoding(models.Page[models.Prediction])
        return Call("GET", target, decoding, keeps=cursor is None, ages=True)

    return ask


def symbol_page(limit: int, after: str | None) -> Call[models.Page[str]]:
    """One page of the known symbols."""
    query = _query(limit=limit, after=after)
    return Call("GET", f"/api/symbols{query}", _decoding(models.Page[str]), keeps=True)


def accuracy(symbol: str, *, window: str) -> Call[models.Accuracy]:
    """The track record of a symbol."""
    path = f"/api/prediction/{_segment(symbol)}/accuracy{_query(window=window)}"
    return Call("GET", path, _decoding(models.Accuracy), keeps=True)


def order(symbol: str, depth: str, *, idempotency_key: str | None, wait_s: int) -> Call[models.Job]:
    """An order of an explanation. Its key is made here, once, so that all attempts have the same."""
    if not 0 <= wait_s <= LONGEST_ORDER_WAIT_S:
        raise ValueError(f"wait_s must be from 0 to {LONGEST_ORDER_WAIT_S}")
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()) if idempotency_key is None else _header(idempotency_key),
    }
    if wait_s:
        headers["Prefer"] = f"wait={wait_s}"
    path = f"/api/explanation/{_segment(symbol)}"
    body = json.dumps({"depth": depth}).encode()
    return Call("POST", path, decode_job, headers=headers, body=body, extra_s=wait_s)


def job(job_id: str) -> Call[models.Job]:
    """How a job stands."""
    return Call("GET", f"/api/explanation/job/{_segment(job_id)}", decode_job, keeps=True)


def cancel(job_id: str) -> Call[None]:
    """The end of a job."""
    return Call("DELETE", f"/api/explanation/job/{_segment(job_id)}", _nothing)


def explanation(symbol: str, depth: str | None) -> Call[models.Explanation]:
    """The newest finished explanation of a symbol."""
    path = f"/api/explanation/{_segment(symbol)}{_query(depth=depth)}"
    return Call("GET", path, _decoding(models.Explanation), keeps=True)


def profile(days: int) -> Call[models.Profile]:
    """Who calls, with limits and usage."""
    return Call("GET", f"/auth/profile{_query(days=days)}", _decoding(models.Profile))


def version() -> Call[models.Version]:
    """What runs there."""
    return Call("GET", "/version", _decoding(models.Version))


def _decoding(type_: type[T]) -> Callable[[Answer], T]:
    return partial(decode, type_=type_)


def _nothing(_: Answer) -> None:
    return None


def _segment(text: str) -> str:
    """One segment of a path, whatever is in it."""
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} is no symbol and no job")
    return quote(text, safe="")


def _header(text: str) -> str:
    """A value that fits into a header; what else the gateway asks of it, it says itself."""
    if not text.isascii() or not text.isprintable():
        raise ValueError("an idempotency key has printable ASCII characters alone")
    return text


def _listed(symbols: Iterable[str]) -> list[str]:
    if isinstance(symbols, str):
        raise TypeError("symbols is a list of symbols: one of them alone is [symbol]")
    return list(symbols)


def _query(**parameters: Moment | bool | int | list[str] | None) -> str:
    """The query of those parameters that are given."""
    return _joined(_pairs(**parameters))


def _pairs(**parameters: Moment | bool | int | list[str] | None) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, _text(one)) for one in values if one is not None]
    return pairs


def _joined(pairs: list[tuple[str, str]]) -> str:
    return f"?{urlencode(pairs)}" if pairs else ""


def _text(value: Moment | bool | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone: datetime(…, tzinfo=UTC)")
        return value.isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)
