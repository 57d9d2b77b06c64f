"""What must have come of messages: nothing that was published may be gone without a trace."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field

from events import explanations, streams
from events.explanations import (
    ExplainOrder,
    ExplanationCompleted,
    ExplanationFailed,
    ExplanationProgress,
)
from events.prediction_updated import PayloadRefused

_KINDS: dict[str, type[ExplainOrder | ExplanationProgress | ExplanationCompleted | ExplanationFailed]] = {
    streams.EXPLAIN: ExplainOrder,
    streams.EXPLANATION_PROGRESS: ExplanationProgress,
    streams.EXPLANATION_COMPLETED: ExplanationCompleted,
    streams.EXPLANATION_FAILED: ExplanationFailed,
}


@dataclass(slots=True)
class Ledger:
    """Orders and what workers say, as the contract reads them. Predictions are the bridge's to count."""

    refused: Counter[str] = field(default_factory=Counter)
    """What does not fit its subject: as many dead letters."""
    ordered: set[uuid.UUID] = field(default_factory=set)
    """Jobs that a worker must end."""
    ended: set[uuid.UUID] = field(default_factory=set)
    """Jobs of which an end was told."""

    def note(self, subject: str, payload: bytes) -> None:
        """Enter a message."""
        kind = _KINDS.get(subject)
        if kind is None:
            return
        try:
            told = explanations.decode(payload, kind)
        except PayloadRefused:
            self.refused[subject] += 1
            return
        if isinstance(told, ExplainOrder):
            self.ordered.add(told.job_id)
        elif not isinstance(told, ExplanationProgress):
            self.ended.add(told.job_id)
