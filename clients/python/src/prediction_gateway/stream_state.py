"""A stream without its socket: what to send, what a frame means, when to come back. Pure.

The shells open connections, pass frames in and messages out, and wait as long as they are told.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from prediction_gateway import frames
from prediction_gateway.answers import UNREADABLE
from prediction_gateway.closing import CLOSING_ERRORS, USELESS, Backoff
from prediction_gateway.errors import (
    ConnectionFailedError,
    GatewayError,
    InvalidRequestError,
    StreamClosedError,
)
from prediction_gateway.messages import (
    Connected,
    Disconnected,
    ExplanationCompleted,
    ExplanationProgress,
    Gap,
    Message,
    Notice,
    Update,
)
from prediction_gateway.places import Places, Position
from prediction_gateway.retrying import Uniform

Mode = Literal["all", "latest", "batch"]
MOST_SYMBOLS = 1000


@dataclass(frozen=True)
class Terms:
    """What is asked of the gateway: the fields of `subscribe`."""

    mode: Mode = "all"
    interval_ms: int | None = None
    min_confidence: float = 0.0
    min_move_pct: float = 0.0
    timing: bool = False
    explanations: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("all", "latest", "batch"):
            raise ValueError("mode must be all, latest or batch")
        if self.interval_ms is not None and not 10 <= self.interval_ms <= 60_000:
            raise ValueError("interval_ms must be from 10 to 60000")
        if not 0 <= self.min_confidence <= 1:
            raise ValueError("min_confidence must be from 0 to 1")
        if not 0 <= self.min_move_pct <= 1000:
            raise ValueError("min_move_pct must be from 0 to 1000")

    @property
    def fields(self) -> dict[str, Any]:
        """Those that are not what the gateway takes anyway."""
        asked = {
            "mode": self.mode if self.mode != "all" else None,
            "interval_ms": self.interval_ms,
            "min_confidence": self.min_confidence or None,
            "min_move_pct": self.min_move_pct or None,
            "timing": self.timing or None,
            "explanations": self.explanations or None,
        }
        return {name: value for name, value in asked.items() if value is not None}


class StreamState:
    """The state of one stream of `symbols`, over all its connections.

    `snapshot` says whether the newest values at the first subscription are given. They are asked for in any
    case: they tell the place from which to go on after a drop.
    """

    def __init__(
        self,
        symbols: Iterable[str],
        terms: Terms,
        *,
        snapshot: bool = True,
        give_up_after_s: float | None = None,
        uniform: Uniform = random.uniform,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(symbols, str):
            raise TypeError("symbols is a list of symbols: one of them alone is [symbol]")
        self._symbols = list(dict.fromkeys(symbols))
        if not 1 <= len(self._symbols) <= MOST_SYMBOLS:
            raise ValueError(f"a stream has from 1 to {MOST_SYMBOLS} symbols")
        self._terms = terms
        self._snapshot = snapshot
        self._give_up_after_s = give_up_after_s
        self._clock = clock
        self._places = Places(self._symbols)
        self._backoff = Backoff(uniform)
        self._last_error = ("", "")
        self._away_since_s = clock()
        self._connections = 0
        self._rejected: dict[str, str] = {}
        self._hides_snapshots = False
        self.connected = False

    @property
    def positions(self) -> dict[str, Position]:
        """The last update of each symbol that was given."""
        return self._places.positions

    @property
    def was_connected(self) -> bool:
        """True once the gateway has welcomed this stream."""
        return self._connections > 0

    def requests(self) -> list[str]:
        """The frames to send on a new connection; the gateway answers them in order."""
        self._last_error = ("", "")
        self._rejected = {}
        self._hides_snapshots = not self._snapshot and not self._places.has_subscribed
        return [
            json.dumps({"action": "subscribe", **asked, **self._terms.fields})
            for asked in self._places.subscriptions()
        ]

    def received(self, data: str | bytes) -> Iterator[Message]:
        """What a frame gives.

        Raises `GatewayError` if it is not of the protocol, `InvalidRequestError` if no symbol is good.
        """
        try:
            frame = frames.decode_frame(data)
        except UNREADABLE as error:
            raise GatewayError(f"a frame of the stream is not of the protocol: {error}") from error
        yield from self._read(frame)

    def _read(self, frame: frames.Known | None) -> Iterator[Message]:
        match frame:
            case Update():
                yield from self._updated(frame)
            case frames.Batch(updates=updates):
                for update in updates:
                    yield from self._updated(update)
            case Gap():
                self._places.skip(frame)
                yield frame
            case ExplanationProgress() | ExplanationCompleted():
                yield frame
            case frames.Welcome():
                yield self._welcomed(frame)
            case frames.Subscribed():
                yield from self._subscribed(frame)
            case frames.Warned():
                yield Notice(code=frame.code, dropped=frame.dropped, expires_at=frame.expires_at)
            case frames.Failed():
                yield from self._failed(frame)

    def ended(self, code: int | None, reason: str) -> Disconnected:
        """The connection has ended, or did not come about (`code` None). Raises if it is not to come back.

        Raises `StreamClosedError` where that is useless, `ConnectionFailedError` when the time to give up
        has come.
        """
        now_s = self._clock()
        if self.connected:
            self._away_since_s = now_s
        self.connected = False
        told, detail = self._last_error
        reason = reason or told
        if code in USELESS:
            raise StreamClosedError(code, reason, detail if reason == told else "")
        retry_in_s = self._backoff.pause_s(code)
        if self._give_up_after_s is not None:
            away_s = now_s - self._away_since_s
            if away_s >= self._give_up_after_s:
                raise ConnectionFailedError(f"the stream did not come back within {away_s:.0f} s: {reason}")
            retry_in_s = min(retry_in_s, self._give_up_after_s - away_s)
        return Disconnected(code=code, reason=reason, retry_in_s=retry_in_s)

    def _welcomed(self, frame: frames.Welcome) -> Connected:
        self.connected = True
        self._connections += 1
        return Connected(connection_id=frame.connection_id, resumed=self._connections > 1)

    def _subscribed(self, frame: frames.Subscribed) -> Iterator[Message]:
        self._places.has_subscribed = True
        self._rejected |= {one.symbol: one.error for one in frame.rejected}
        if len(self._rejected) >= len(self._symbols):
            raise _refusal(self._rejected)
        for one in frame.rejected:
            yield Notice(code=one.error, symbol=one.symbol)

    def _updated(self, update: Update) -> Iterator[Update]:
        self._backoff.reset()
        if self._places.take(update) and not (update.snapshot and self._hides_snapshots):
            yield update

    def _failed(self, frame: frames.Failed) -> Iterator[Notice]:
        """What closes the connection is told when it is closed; before a welcome that is every error."""
        self._last_error = (frame.code, frame.detail)
        if self.connected and frame.code not in CLOSING_ERRORS:
            yield Notice(code=frame.code, detail=frame.detail)


def _refusal(rejected: dict[str, str]) -> InvalidRequestError:
    """As the calls over HTTP refuse the same symbols."""
    code = next(iter(rejected.values()))
    said = ", ".join(f"{symbol}: {error}" for symbol, error in rejected.items())
    return InvalidRequestError(
        status=400,
        title="Malformed symbol",
        code=code,
        detail=f"no symbol was accepted ({said})",
        type=f"/errors/{code}",
    )
