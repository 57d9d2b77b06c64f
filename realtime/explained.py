"""The bridge's second freight: what workers say about explanations, into jobs, Redis, and to every hub."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from events import explanations, streams
from events.explanations import ExplanationCompleted, ExplanationFailed, ExplanationProgress
from events.prediction_updated import PayloadRefused
from events.pulling import Pulled
from explanations import results, store
from explanations.models import Computation
from explanations.store import StoreUnavailable
from observability import tracing
from observability.retries import until_it_works
from realtime import news
from realtime.bridge import Layer
from realtime.courier import InThread, Recorded
from realtime.news import News

logger = logging.getLogger(__name__)

Event = ExplanationProgress | ExplanationCompleted | ExplanationFailed

_KINDS: dict[str, type[ExplanationProgress] | type[ExplanationCompleted] | type[ExplanationFailed]] = {
    streams.EXPLANATION_PROGRESS: ExplanationProgress,
    streams.EXPLANATION_COMPLETED: ExplanationCompleted,
    streams.EXPLANATION_FAILED: ExplanationFailed,
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What a worker says, and the trace that it belongs to."""

    event: Event
    trace: str


@dataclass(frozen=True, slots=True)
class Told:
    """A computation that has changed, and the trace to go on from."""

    computation: Computation
    trace: str


class Explanations:
    """``event.explanation.*``: into the jobs, then Redis and channel layer."""

    stream = streams.EXPLANATIONS
    durable = "gateway-explanations"

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def decode(self, pulled: Pulled) -> Heard:
        """The event of a message that fits; raises `PayloadRefused`."""
        kind = _KINDS.get(pulled.message.subject)
        if kind is None:
            raise PayloadRefused(f"nothing is expected on {pulled.message.subject}")
        # Of progress there is too much to trace it.
        is_end = kind is not ExplanationProgress
        trace = tracing.carried_in(pulled.message.headers) if is_end else ""
        return Heard(explanations.decode(pulled.message.data, kind), trace)

    def record(self, batch: Sequence[Heard]) -> Recorded[Told]:
        """Apply what changes something; what is late, or comes a second time, does not."""
        spans = {one.event.job_id: tracing.follow("record", one.trace) for one in batch}
        changed = results.apply([one.event for one in batch], now=timezone.now())
        for span in spans.values():
            span.end()
        return Recorded([Told(one, spans[one.pk].carried) for one in changed], {})

    async def tell(self, told: Sequence[Told], in_thread: InThread) -> None:
        """Finished explanations to Redis, all news to every hub."""
        spans = [tracing.follow("tell", one.trace, kind="PRODUCER") for one in told]
        done = [one.computation for one in told if one.computation.state == Computation.State.DONE]
        if done:
            await until_it_works(  # the store logs its own outages
                lambda: in_thread(store.put, done), StoreUnavailable
            )
        fresh = [
            replace(news_of(one.computation), trace=span.carried)
            for one, span in zip(told, spans, strict=True)
        ]
        await self._layer.send(news.GROUP, news.encode(fresh))
        for one, span in zip(told, spans, strict=True):
            span.end()
            _log(one.computation)


def _log(told: Computation) -> None:
    level = logging.DEBUG if told.state in Computation.UNFINISHED else logging.INFO
    logger.log(
        level,
        "job %s: %s is recorded and told",
        told.pk,
        told.state,
        extra={"request_id": told.request_id, "job_id": str(told.pk), "attempt": told.attempts},
    )


def current_news(computation_id: uuid.UUID) -> News:
    """How the computation stands now. One query."""
    return news_of(Computation.objects.get(pk=computation_id))


def news_of(computation: Computation) -> News:
    """What is told of `computation` as it stands."""
    id_, symbol = str(computation.pk), computation.symbol
    if computation.state == Computation.State.DONE:
        return news.news_of(
            id_,
            symbol,
            "explanation_completed",
            symbol=symbol,
            depth=computation.depth,
            generated_at=computation.finished_at,
            explanation=computation.result,
            prediction=computation.prediction,
        )
    if computation.state in Computation.UNFINISHED:
        return news.news_of(
            id_,
            symbol,
            "explanation_progress",
            symbol=symbol,
            depth=computation.depth,
            status=computation.state,
            progress=computation.progress,
            stage=computation.stage,
        )
    reason = computation.reason or "The job was cancelled."
    return news.news_of(
        id_, symbol, "explanation_failed", symbol=symbol, depth=computation.depth, reason=reason
    )
