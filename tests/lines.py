"""A line between a client and a server that a test can cut: what a network does to a socket."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

RESET = struct.pack("ii", 1, 0)


class Line:
    """Takes connections at `url` and carries their bytes to the server of `target` and back."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._is_down = False
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Reset every connection, and each new one until `mend`; returns how many were open."""
        with self._lock:
            self._is_down = True
            ends, self._open = self._open, set()
        for end in ends:
            _reset(end)
        return len(ends) // 2

    def mend(self) -> None:
        """Carry again."""
        self._is_down = False

    def close(self) -> None:
        """The end of the line."""
        self.cut()
        # A thread that waits in accept() is woken by a shutdown, not by a close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target, timeout=60)
        except OSError:
            _reset(near)
            return
        far.settimeout(None)
        with self._lock:
            if not self._is_down:
                self._open |= {near, far}
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()
                return
        _reset(near)
        far.close()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def _reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    # Wakes the thread that reads from it, which a close does not.
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RD)
    end.close()


@contextlib.contextmanager
def line_to(target: str) -> Iterator[Line]:
    """A line to the server of `target`, until the test is over."""
    line = Line(target)
    try:
        yield line
    finally:
        line.close()
