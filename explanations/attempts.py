"""What becomes of an order once its explainer is through with it, and what a caller is told. Pure.

`explanations.worker` carries the decisions out.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

import msgspec

from events import explanations
from events.explanations import MAX_EXPLANATION_BYTES, ExplainOrder, Explanation
from events.prediction_updated import PayloadRefused
from explanations import frames

_PATH = re.compile(r"""(?<!\w)(?:[A-Za-z]:)?[\\/][^\s'":,;)]{2,}|\w+(?:[\\/]\w+)*\.py\b""")


@dataclass(frozen=True, slots=True)
class Explained:
    """The explainer gave an explanation that fits."""

    explanation: Explanation
    took_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The explainer raised, ran out of time or memory, died, or gave what does not fit."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Nobody wants the explanation any more."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """This worker ends; the order is as good as new."""


Outcome = Explained | Failed | Cancelled | Interrupted


@dataclass(frozen=True, slots=True)
class Complete:
    """Publish the explanation, then acknowledge."""

    explanation: Explanation
    took_s: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Let the order come again after `delay_s`, to any worker."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Publish the failure, move the order to the dead letters, then acknowledge."""

    reason: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Acknowledge, and tell nobody."""


Action = Complete | Retry | GiveUp | Drop


@dataclass(frozen=True, slots=True)
class Policy:
    """How often an order is tried, and how long it rests between: three times longer each time."""

    tries: int
    first_delay_s: float = 1.0
    most_delay_s: float = 60.0

    def delay_s(self, delivery: int) -> float:
        """Seconds until the order comes again after its `delivery`-th delivery, from 1 on, has failed."""
        return min(self.most_delay_s, self.first_delay_s * 3.0 ** min(delivery - 1, 20))


def decide(outcome: Outcome, *, delivery: int, policy: Policy) -> Action:
    """What to do with an order after its `delivery`-th delivery. An explanation is welcome however late."""
    match outcome:
        case Explained(explanation, took_s):
            return Complete(explanation, took_s)
        case Cancelled():
            return Drop()
        case Interrupted():
            return Retry(0.0)
        case Failed(reason):
            if delivery >= policy.tries:
                return GiveUp(clean_reason(reason))
            return Retry(policy.delay_s(delivery))


def judge(body: bytes, order: ExplainOrder) -> Explanation:
    """Read what an explainer gave for `order`; raises `PayloadRefused` with what does not fit."""
    if len(body) > MAX_EXPLANATION_BYTES:
        raise PayloadRefused(f"it has {len(body)} bytes; at most {MAX_EXPLANATION_BYTES}")
    try:
        explanation = msgspec.json.decode(body, type=Explanation)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise PayloadRefused(str(error)) from None
    explanations.check_explanation(explanation, depth=order.depth, move=order.prediction.move)
    # Numbers may be longer in our spelling than in the explainer's.
    size = len(explanations.encode(explanation))
    if size > MAX_EXPLANATION_BYTES:
        raise PayloadRefused(f"it has {size} bytes; at most {MAX_EXPLANATION_BYTES}")
    return explanation


def clean_reason(text: str) -> str:
    """`text` for the eyes of a caller: one line without the paths of files."""
    return frames.as_line(_PATH.sub("(path)", text))


class RecentIds:
    """The newest `most` ids that were added."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ids: dict[uuid.UUID, None] = {}

    def __contains__(self, one: object) -> bool:
        return one in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, one: uuid.UUID) -> None:
        """Remember `one`, and forget the oldest where there are too many."""
        self._ids.pop(one, None)
        self._ids[one] = None
        if len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]
