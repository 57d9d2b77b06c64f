"""What somebody publishes on the subjects that the gateway consumes: payloads that chance has changed.

Pure. Some of it still fits, and is then served as anything else is; the rest belongs to the dead letters.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from events import explanations, streams
from events.prediction_updated import MAX_PAYLOAD_BYTES
from tests.explanations.ends import completed, failed, progress
from tests.explanations.orders import make_order
from tests.fuzzing.mutations import Mutator
from tests.stack import event

SYMBOLS = tuple(f"FZ{letter}" for letter in "ABCDEFGHIJKLMNOPQRST")
_FEATURES = {"momentum_21d": 0.04, "regime": "calm", "gap": None, "split": False, "volume": 19_730_300}
_ODD_HEADERS = (
    {"Status": "503"},
    {"Status": "100", "Description": "Idle Heartbeat"},
    {"Nats-Pending-Messages": "-1"},
    {"X-Request-ID": "x" * 9_000},
    {"X-Request-ID": "\u202e%0a"},
    {"traceparent": "00-ff-ff-ff"},
    {"X-Dead-Letter-Reason": "none", "X-Dead-Letter-Bytes": "-5"},
)


@dataclass(frozen=True, slots=True)
class Published:
    """A message for NATS."""

    subject: str
    payload: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Payloads:
    """Makes messages by the chance of `random`; `jobs` are computations that events may speak of."""

    def __init__(self, random: Random, jobs: Sequence[uuid.UUID]) -> None:
        self._random = random
        self._mutator = Mutator(random)
        self._jobs = jobs
        self._previous = b"{}"

    def make(self) -> Published:
        """The next message."""
        random = self._random
        subject, document = self._document()
        text = json.dumps(document).encode()
        dice = random.random()
        if dice < 0.35:
            payload = self._mutator.restyle_json(document)
        elif dice < 0.75:
            payload = self._mutator.change_json(document)
        elif dice < 0.90:
            payload = self._mutator.change_bytes(text, most=2)
        elif dice < 0.96:
            payload = self._mutator.splice(text, self._previous)
        elif dice < 0.9995:
            payload = random.randbytes(random.randint(0, 400))
        else:
            payload = text.ljust(random.choice((0, 1)) + MAX_PAYLOAD_BYTES)
        self._previous = text
        odd = random.random() < 0.02
        return Published(subject, payload, dict(random.choice(_ODD_HEADERS)) if odd else {})

    def _document(self) -> tuple[str, Any]:
        """A subject, and what fits it or another one."""
        dice = self._random.random()
        subject = self._subject(dice)
        return subject, self._fitting(
            self._subject(self._random.random()) if dice % 0.02 < 0.001 else subject
        )

    def _subject(self, dice: float) -> str:
        if dice < 0.60:
            return streams.PREDICTION_UPDATED
        if dice < 0.70:
            return streams.EXPLAIN
        if dice < 0.82:
            return streams.EXPLANATION_PROGRESS
        return streams.EXPLANATION_COMPLETED if dice < 0.94 else streams.EXPLANATION_FAILED

    def _fitting(self, subject: str) -> Any:
        random = self._random
        known = self._jobs[random.randrange(len(self._jobs))]
        job_id = known if random.random() < 0.5 else uuid.UUID(int=random.getrandbits(128), version=4)
        if subject == streams.PREDICTION_UPDATED:
            more: dict[str, Any] = {"as_of": "2026-01-05"} if random.random() < 0.3 else {}
            if random.random() < 0.3:
                more["features"] = _FEATURES
            return event(random.choice(SYMBOLS), predicted_price=100 * (1 + random.random()), **more)
        if subject == streams.EXPLAIN:
            return json.loads(explanations.encode(make_order(features={"a": "b"})))
        if subject == streams.EXPLANATION_PROGRESS:
            told = progress(job_id, random.random(), attempt=random.randint(1, 5))
            return json.loads(explanations.encode(told))
        if subject == streams.EXPLANATION_COMPLETED:
            return json.loads(explanations.encode(completed(job_id)))
        return json.loads(explanations.encode(failed(job_id)))
