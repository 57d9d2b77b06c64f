"""What waits for a socket that cannot take it now: bounded, the oldest update goes first. Pure."""

from __future__ import annotations

from collections import deque


class Outbox:
    """Control frames are kept in order and never dropped for updates; updates are at most `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._control: deque[str] = deque()
        self._updates: deque[str] = deque()
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._control) + len(self._updates)

    @property
    def overflowing(self) -> bool:
        """True when even the answers to its own requests pile up: the reader is given up."""
        return len(self._control) > self._capacity

    def put_control(self, frame: str) -> None:
        """Queue an answer or a warning."""
        self._control.append(frame)

    def put_update(self, frame: str) -> None:
        """Queue an update; the oldest waiting one is dropped and counted when there is no room."""
        if len(self._updates) >= self._capacity:
            self._updates.popleft()
            self._dropped += 1
        self._updates.append(frame)

    def take(self) -> str | None:
        """The next frame to send, or None."""
        if self._control:
            return self._control.popleft()
        if self._updates:
            return self._updates.popleft()
        return None

    def take_dropped(self) -> int:
        """How many updates were dropped since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped
