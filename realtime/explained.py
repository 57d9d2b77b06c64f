"""The bridge's second freight: what workers say about explanations, into jobs, Redis, and to every hub."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.utils import timezone

from events import explanations, streams
from events.explanations import ExplanationCompleted, ExplanationFailed, ExplanationProgress
from events.prediction_updated import PayloadRefused
from events.pulling import Pulled
from explanations import results, store
from explanations.models import Computation
from explanations.store import StoreUnavailable
from observability.retries import until_it_works
from realtime import news
from realtime.bridge import Layer
from realtime.courier import InThread, Recorded
from realtime.news import News

Event = ExplanationProgress | ExplanationCompleted | ExplanationFailed

_KINDS: dict[str, type[ExplanationProgress] | type[ExplanationCompleted] | type[ExplanationFailed]] = {
    streams.EXPLANATION_PROGRESS: ExplanationProgress,
    streams.EXPLANATION_COMPLETED: ExplanationCompleted,
    streams.EXPLANATION_FAILED: ExplanationFailed,
}


class Explanations:
    """``event.explanation.*``: into the jobs, then Redis and channel layer."""

    stream = streams.EXPLANATIONS
    durable = "gateway-explanations"

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def decode(self, pulled: Pulled) -> Event:
        """The event of a message that fits; raises `PayloadRefused`."""
        kind = _KINDS.get(pulled.message.subject)
        if kind is None:
            raise PayloadRefused(f"nothing is expected on {pulled.message.subject}")
        return explanations.decode(pulled.message.data, kind)

    def record(self, batch: Sequence[Event]) -> Recorded[Computation]:
        """Apply what changes something; what is late, or comes a second time, does not."""
        return Recorded(results.apply(batch, now=timezone.now()), {})

    async def tell(self, told: Sequence[Computation], in_thread: InThread) -> None:
        """Finished explanations to Redis, all news to every hub."""
        done = [one for one in told if one.state == Computation.State.DONE]
        if done:
            await until_it_works(  # the store logs its own outages
                lambda: in_thread(store.put, done), StoreUnavailable
            )
        await self._layer.send(news.GROUP, news.encode(map(news_of, told)))


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
