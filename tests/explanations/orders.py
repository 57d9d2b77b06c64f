"""Orders as the gateway gives them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from events.explanations import Depth, ExplainOrder, PinnedPrediction

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)


def make_order(
    behaviour: str = "good", *, depth: Depth = "fast", features: dict[str, str] | None = None
) -> ExplainOrder:
    """An order of a prediction by the model `behaviour`."""
    return ExplainOrder(
        job_id=uuid.uuid4(),
        depth=depth,
        prediction=PinnedPrediction(
            symbol="AAPL",
            timestamp=NOW,
            current_price=187.25,
            predicted_price=188.1,
            confidence=0.62,
            horizon="1d",
            model_version=behaviour,
            as_of=NOW,
            seq=7,
            epoch="19",
            features=dict(features) if features else None,
        ),
        ordered_at=NOW,
    )
