"""Finished explanations, as the stores hold them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import msgspec

from events.explanations import Depth
from explanations import documents
from explanations.documents import ExplanationDocument
from tests.explanations.ends import CURRENT, PREDICTED, explanation
from tests.explanations.orderers import NOW


def document(
    *, at: datetime = NOW, generated_at: datetime = NOW, depth: Depth = "fast", **changes: Any
) -> ExplanationDocument:
    """An explanation of a prediction that was made `at`."""
    prediction: dict[str, Any] = {
        "symbol": "AAPL",
        "timestamp": at,
        "current_price": CURRENT,
        "predicted_price": PREDICTED,
        "confidence": 0.5,
        "horizon": "1d",
        "model_version": "m",
        "as_of": at,
        "seq": 1,
        "epoch": "e",
        **changes,
    }
    return documents.make(
        job_id=uuid.uuid4(),
        generated_at=generated_at,
        result=msgspec.to_builtins(explanation(depth)),
        prediction=prediction,
    )
