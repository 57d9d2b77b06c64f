"""Requests to the letter, also those that no client library sends."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.stack import Stack

# So that each is read by itself.
_APART_S = 0.5
_WITHIN_S = 60.0


class Answer(NamedTuple):
    """The first answer on a connection, and what came after it (in `body`, where no length is told)."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes


def ask(stack: Stack, *pieces: bytes, silent_s: float = 2.0) -> Answer:
    """Send `pieces` as they are, half a second apart; what comes until the connection is closed, or silent.

    Status 0 for nothing.
    """
    place = urlsplit(stack.base_url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=silent_s) as opened:
        with contextlib.suppress(OSError):
            for number, piece in enumerate(pieces):
                time.sleep(_APART_S if number else 0)
                opened.sendall(piece)
        received = b""
        with contextlib.suppress(OSError):
            while chunk := opened.recv(65_536):
                received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    if not head:
        return Answer(0, {}, b"", b"")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", len(rest)))
    return Answer(int(first.split()[1]), headers, rest[:length], rest[length:])


def get(
    stack: Stack, target: bytes, *lines: bytes, method: bytes = b"GET", host: bytes = b"localhost"
) -> Answer:
    """One request for `target` with `lines` as headers, on a connection of its own."""
    head = [b"%b %b HTTP/1.1" % (method, target), b"Host: " + host, *lines, b"Connection: close"]
    return ask(stack, b"\r\n".join(head) + b"\r\n\r\n")


@contextlib.contextmanager
def opened(stack: Stack, said: bytes, count: int) -> Iterator[list[socket.socket]]:
    """`count` connections, on each of which `said` was sent."""
    place = urlsplit(stack.base_url)
    with contextlib.ExitStack() as held:
        found = []
        for _ in range(count):
            one = socket.create_connection((place.hostname or "", place.port or 0), timeout=_WITHIN_S)
            found.append(held.enter_context(one))
            one.sendall(said)
        yield found
