"""The client for threads: one method a call, over one pool of connections."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar, cast

import httpx

from prediction_gateway import calls, explaining, models
from prediction_gateway.answers import Answer
from prediction_gateway.bodies import Body
from prediction_gateway.calls import Call, Moment
from prediction_gateway.exchange import Again, Done, Exchange, OnResponse
from prediction_gateway.kept_answers import KeptAnswers
from prediction_gateway.paging import Pages
from prediction_gateway.settings import Settings, make_settings
from prediction_gateway.stream import Stream
from prediction_gateway.stream_state import Mode, StreamState, Terms

T = TypeVar("T")


class Client:
    """A gateway, for threads; several may share it.

    `url` is by default ``PGW_URL`` or http://127.0.0.1:8000, `api_key` by default ``PGW_API_KEY``.
    `timeout_s` is how long each attempt may take, to the last byte of its answer. A call that nobody
    answered, and 429, 502, 503 and 504, is tried `retries` times again, after the ``Retry-After`` of the
    answer, or exponential backoff with jitter; a wait of more than `max_wait_s` raises at once. The last
    `cache_size` answers are kept and asked for with ``If-None-Match``; 0 switches that off. `on_response` is
    called with each answer. `transport` replaces httpx's own, for tests or special networks. Raises
    ValueError for what cannot be meant.

    Every method raises a subclass of `GatewayError`: `ConnectionFailedError`, or the `ApiError` that the
    gateway answered.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 10.0,
        retries: int = 3,
        max_wait_s: float = 60.0,
        cache_size: int = 256,
        on_response: OnResponse | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = make_settings(
            url, api_key, timeout_s=timeout_s, retries=retries, max_wait_s=max_wait_s, cache_size=cache_size
        )
        self._kept = KeptAnswers(cache_size)
        self._on_response = on_response
        self._http = httpx.Client(transport=transport)
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._sleep: Callable[[float], None] = time.sleep

    @property
    def settings(self) -> Settings:
        """What this client was made with."""
        return self._settings

    def prediction(
        self, symbol: str, *, include_features: bool = False, as_of: Moment | None = None
    ) -> models.Prediction:
        """The newest prediction of `symbol`; with `as_of` the newest one made by that moment.

        `as_of` is a datetime with a time zone, a date (its midnight UTC), or the text of one.
        """
        return self._call(calls.prediction(symbol, include_features=include_features, as_of=as_of))

    def predictions(
        self, symbols: Iterable[str], *, include_features: bool = False, as_of: Moment | None = None
    ) -> models.Predictions:
        """The newest predictions of 1 to 100 symbols, in one call."""
        return self._call(calls.predictions(symbols, include_features=include_features, as_of=as_of))

    def history(
        self,
        symbol: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int | None = None,
        page_size: int = calls.MOST_A_PAGE,
        include_features: bool = False,
        include_outcome: bool = False,
    ) -> Iterator[models.Prediction]:
        """The predictions of `symbol` from `start` to `end`, newest first, `limit` at most.

        Pages of `page_size` are read as they are needed; each is a call.
        """
        ask = calls.history_pages(
            symbol,
            start=start,
            end=end,
            include_features=include_features,
            include_outcome=include_outcome,
        )
        return self._turn(Pages(ask, limit=limit, page_size=page_size))

    def accuracy(self, symbol: str, *, window: str = "90d") -> models.Accuracy:
        """How good predictions of `symbol` were in a window of market time (``30d``, ``12w``, ``all``)."""
        return self._call(calls.accuracy(symbol, window=window))

    def symbols(self, *, page_size: int = calls.MOST_A_PAGE) -> Iterator[str]:
        """Every symbol that was ever predicted, in order; pages are read as they are needed."""
        return self._turn(Pages(calls.symbol_page, limit=None, page_size=page_size))

    def order_explanation(
        self, symbol: str, depth: str = "fast", *, idempotency_key: str | None = None, wait_s: int = 0
    ) -> models.Job:
        """Order the explanation of the newest prediction: `depth` is ``fast``, ``medium`` or ``deep``.

        The client makes an idempotency key for the call; give one to repeat an order across calls. The
        gateway holds its answer back for up to `wait_s` seconds (0 to 30); a job that is done by then has
        its explanation.
        """
        return self._call(calls.order(symbol, depth, idempotency_key=idempotency_key, wait_s=wait_s))

    def job(self, job_id: str) -> models.Job:
        """How a job stands. Raises `JobFailedError`, and `NotFoundError` also for one that was cancelled."""
        return self._call(calls.job(job_id))

    def cancel_job(self, job_id: str) -> None:
        """End a job that nobody needs any more. Raises `ConflictError` when it was done."""
        self._call(calls.cancel(job_id))

    def explanation(self, symbol: str, depth: str | None = None) -> models.Explanation:
        """The newest finished explanation of `symbol`, of any depth unless one is given."""
        return self._call(calls.explanation(symbol, depth))

    def explain(
        self,
        symbol: str,
        depth: str = "fast",
        *,
        on_progress: Callable[[models.Job], None] | None = None,
        idempotency_key: str | None = None,
        wait_s: float = 300.0,
    ) -> models.Explanation:
        """Order an explanation and wait for it; `on_progress` gets the job each time it was asked for.

        Raises `JobFailedError`, and `JobTimeoutError` after `wait_s` seconds.
        """
        started_s = time.monotonic()
        order_wait_s = explaining.order_wait_s(wait_s)
        job = self.order_explanation(symbol, depth, idempotency_key=idempotency_key, wait_s=order_wait_s)
        while True:
            if on_progress is not None:
                on_progress(job)
            if job.explanation is not None:
                return job.explanation
            self._sleep(explaining.pause_s(job, wait_s=wait_s, waited_s=time.monotonic() - started_s))
            job = self.job(job.job_id)

    def profile(self, *, days: int = 7) -> models.Profile:
        """Who you are, your limits and what is left of them, and your usage of the last `days` (1 to 90)."""
        return self._call(calls.profile(days))

    def version(self) -> models.Version:
        """What runs there; needs no key."""
        return self._call(calls.version())

    def stream(  # noqa: PLR0913 - the fields of a subscription
        self,
        symbols: Iterable[str],
        *,
        mode: Mode = "all",
        interval_ms: int | None = None,
        snapshot: bool = True,
        min_confidence: float = 0.0,
        min_move_pct: float = 0.0,
        timing: bool = False,
        explanations: bool = False,
        give_up_after_s: float | None = None,
    ) -> Stream:
        """Live messages of up to 100 symbols, with reconnects; it opens when the first is asked for.

        `mode` is ``all`` (every update as it comes), ``latest`` (the newest of each symbol every
        `interval_ms`) or ``batch`` (every update, packed on the way). `snapshot`: the newest values first.
        Updates of less confidence, or a smaller predicted move in per cent, are left out. `timing` adds
        three times to each update, `explanations` the progress and results of explanations. A stream that
        is away for `give_up_after_s` seconds raises `ConnectionFailedError`; without it, it goes on trying.
        Raises ValueError without an API key.
        """
        self._settings.check_stream()
        terms = Terms(mode, interval_ms, min_confidence, min_move_pct, timing, explanations)
        state = StreamState(symbols, terms, snapshot=snapshot, give_up_after_s=give_up_after_s)
        stream = Stream(self._settings, state)
        self._streams.add(stream)
        return stream

    def close(self) -> None:
        """Close every connection, those of its streams as well."""
        for stream in list(self._streams):
            stream.close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _turn(self, pages: Pages[T]) -> Iterator[T]:
        while (call := pages.next_call()) is not None:
            yield from pages.take(self._call(call))

    def _call(self, call: Call[T]) -> T:
        exchange = Exchange(call, self._settings, self._kept, self._on_response)
        while True:
            step = self._attempt(exchange)
            if isinstance(step, Done):
                return step.value
            self._sleep(step.after_s)

    def _attempt(self, exchange: Exchange[T]) -> Done[T] | Again:
        call = exchange.call
        asking = self._http.stream(
            call.method,
            self._settings.url + call.target,
            headers=exchange.headers,
            content=call.body,
            timeout=exchange.timeout_s,
        )
        until_s = time.monotonic() + exchange.timeout_s
        try:
            with asking as response:
                answer = _read(response, until_s=until_s)
        except httpx.RequestError as error:
            return exchange.failed(error)
        return exchange.answered(answer)


def _read(response: httpx.Response, *, until_s: float) -> Answer:
    """The whole answer; the timeout of httpx is one for each read, and a server may send byte by byte."""
    headers = dict(response.headers)
    body = Body(response.status_code, headers)
    for piece in cast(httpx.SyncByteStream, response.stream):  # as it came: `Body` unpacks it
        body.add(piece)
        if time.monotonic() > until_s:
            raise httpx.ReadTimeout("the whole answer took too long")
    return Answer(response.status_code, headers, body.end())
