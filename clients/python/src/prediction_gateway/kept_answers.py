"""The last answers that had an ETag, for conditional reads: bounded by number and by bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from prediction_gateway.answers import Answer

MOST_BYTES = 16 * 1024 * 1024
"""All bodies together; one of more than an eighth of it is not kept."""


@dataclass(frozen=True)
class Kept:
    """An answer as it came, and when: `received_s` by the client's clock."""

    etag: str
    answer: Answer
    received_s: float


class KeptAnswers:
    """At most `most` answers by what was asked; who was not asked for longest goes first."""

    def __init__(self, most: int, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        # A client may be used by several threads.
        self._lock = threading.Lock()

    def find(self, asked: str) -> Kept | None:
        """The last answer to `asked`."""
        with self._lock:
            kept = self._kept.get(asked)
            if kept is not None:
                self._kept.move_to_end(asked)
            return kept

    def keep(self, asked: str, kept: Kept) -> None:
        """Remember an answer in place of the last one to `asked`."""
        with self._lock:
            self._forget(asked)
            if len(kept.answer.body) > self._most_bytes // 8:
                return
            self._kept[asked] = kept
            self._bytes += len(kept.answer.body)
            while len(self._kept) > self._most or self._bytes > self._most_bytes:
                self._forget(next(iter(self._kept)))

    def _forget(self, asked: str) -> None:
        gone = self._kept.pop(asked, None)
        if gone is not None:
            self._bytes -= len(gone.answer.body)
