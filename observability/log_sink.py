"""Where the lines of all logs of this process go: stderr, without ever waiting for it.

The standard handler writes in whoever logs, and holds a lock meanwhile. Where nobody reads the pipe behind
stderr, the event loop would stand still at the first line that does not fit, and with it every request. Here
a pipe that has room is written to at once; everything else is left to a thread. What waits for it is bounded,
and what goes beyond that is dropped.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections import deque

# Written in one piece, so much is not mixed with what other processes write to the same pipe.
PIPE_BUF = select.PIPE_BUF

_MOST_WAITING_BYTES = 4 << 20
_MOST_A_WRITE = 256 * 1024
_EXIT_WITHIN_S = 2.0


class Sink:
    """Takes whole lines from any thread, and writes them to a descriptor in their order."""

    def __init__(self, descriptor: int, *, most_bytes: int = _MOST_WAITING_BYTES) -> None:
        self._descriptor = descriptor
        self._unblocking = _reopen_pipe(descriptor)
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        # With what is being written.
        self._waiting_bytes = 0
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._begin_anew)

    @property
    def has_room(self) -> bool:
        """False while lines are not taken."""
        return self._waiting_bytes < self._most_bytes

    def put(self, lines: bytes) -> bool:
        """Write `lines` soon; False where they are not taken, since too much waits."""
        with self._changed:
            if not self.has_room:
                return False
            if not self._waiting_bytes and self._write_at_once(lines):
                return True
            self._waiting.append(lines)
            self._waiting_bytes += len(lines)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_for_ever, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def flush(self, timeout_s: float = _EXIT_WITHIN_S) -> bool:
        """Wait until everything is written; False where that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting_bytes, timeout_s)

    def _write_at_once(self, lines: bytes) -> bool:
        """False where that could block; so much a pipe takes whole, or not at all."""
        if self._unblocking is None or len(lines) > PIPE_BUF:
            return False
        try:
            os.write(self._unblocking, lines)
        except OSError:
            return False
        return True

    def _write_for_ever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                taken = self._take(_most_a_write(self._descriptor))
            _write(self._descriptor, taken)
            with self._changed:
                self._waiting_bytes -= len(taken)
                self._changed.notify_all()

    def _take(self, most: int) -> bytes:
        taken = [self._waiting.popleft()]
        size = len(taken[0])
        while self._waiting and size + len(self._waiting[0]) <= most:
            taken.append(self._waiting.popleft())
            size += len(taken[-1])
        return b"".join(taken)

    def _begin_anew(self) -> None:
        """In a process that was forked: the thread has stayed behind, and so has what waits for it."""
        self._changed = threading.Condition()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._thread = None


def _reopen_pipe(descriptor: int) -> int | None:
    """A pipe once more, not to block: the flag of the one that we have is shared with other processes."""
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return None
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # not Linux, or a pipe of another user
        return None


def _most_a_write(descriptor: int) -> int:
    try:
        return PIPE_BUF if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else _MOST_A_WRITE
    except OSError:
        return PIPE_BUF


def _write(descriptor: int, lines: bytes) -> None:
    rest = memoryview(lines)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # somebody who shares it has made it so
            select.select([], [descriptor], [])
        except OSError:  # closed: there is nobody to tell
            return


STDERR = Sink(2)
