"""The load client: thousands of sockets in one process, and the tally of what they get."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.side_by_side.feeder import Fed
from benchmarks.sockets import frames
from benchmarks.sockets.client import Member, Refused
from benchmarks.sockets.tally import Tally, count_expected

# Handshakes that may be under way at once; below every contender's backlog.
AT_ONCE = 100
# A source address has 28,000 ports, and a closed socket holds its own for a minute.
_SOURCES = [f"127.0.0.{number}" for number in range(1, 9)]
_OPENED_WITHIN_S = 30.0
_QUIET_AFTER_S = 3.0


class Audience:
    """Sockets to one server, and the tally of what they get."""

    def __init__(
        self, port: int, headers: Mapping[str, str], symbols: Sequence[str], sent_ns: memoryview[int]
    ) -> None:
        self._port = port
        self._symbols = symbols
        self._sent_ns = sent_ns
        self._members: list[Member] = []
        self._joined = 0
        # Those who come back count what was sent while they were away.
        self.tally = Tally(sent_ns, len(symbols), begun_ns=0)
        lines = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.upgrade = f"GET /ws/predictions HTTP/1.1\r\n{head}\r\n".encode()

    def count_anew(self) -> Tally:
        """Begin a phase, which counts what is sent from now on; returns its tally."""
        self.tally = Tally(self._sent_ns, len(self._symbols), begun_ns=time.monotonic_ns())
        return self.tally

    async def seat(self, count: int, **wanted: Any) -> list[float]:
        """`count` sockets that subscribe to one symbol each, in turn; seconds each took to be subscribed."""
        frames_ = [_subscription([symbol], wanted) for symbol in self._symbols]
        return await self._seat_all(frames_[place % len(frames_)] for place in range(count))

    async def seat_wide(self, count: int, **wanted: Any) -> list[float]:
        """`count` sockets that subscribe to all symbols each."""
        frame = _subscription(self._symbols, wanted)
        return await self._seat_all(frame for _ in range(count))

    async def _seat_all(self, subscriptions: Iterable[bytes]) -> list[float]:
        following = iter(subscriptions)
        took: list[float] = []

        async def seat_some() -> None:
            for subscription in following:
                begun = time.perf_counter()
                self._members.append(await self.join(subscription))
                took.append(time.perf_counter() - begun)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(seat_some())
        # The client's own garbage collector must not walk all these sockets in the middle of a measurement.
        gc.collect()
        gc.freeze()
        return took

    async def join(self, subscription: bytes) -> Member:
        """One socket, once it is subscribed; raises `Refused`."""
        self._joined += 1
        source = (_SOURCES[self._joined % len(_SOURCES)], 0)
        member = Member(self, subscription)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: member, "127.0.0.1", self._port, local_addr=source)
        async with asyncio.timeout(_OPENED_WITHIN_S):
            await member.ready
        return member

    async def churn(self, rate: float, seconds: float, stay_s: float) -> tuple[int, int]:
        """`rate` sockets a second come, stay `stay_s` and go; how many were let in, and how many were not."""
        subscriptions = [_subscription([symbol], {}) for symbol in self._symbols]
        results: list[asyncio.Task[bool]] = []

        async def visit(subscription: bytes) -> bool:
            try:
                member = await self.join(subscription)
            except (Refused, OSError, TimeoutError) as error:
                self.tally.notice(f"{type(error).__name__}: {error}")
                return False
            await asyncio.sleep(stay_s)
            member.leave()
            return True

        begun = time.monotonic()
        for number in range(int(rate * seconds)):
            results.append(asyncio.create_task(visit(subscriptions[number % len(subscriptions)])))
            await asyncio.sleep(begun + (number + 1) / rate - time.monotonic())
        let_in = sum(await asyncio.gather(*results))
        return let_in, len(results) - let_in

    async def receive_all(self, fed: Fed) -> int:
        """Wait for what was fed, or until nothing has come for three seconds; how many updates are missing.

        For audiences of `seat`, whose tally began before what was fed.
        """
        count = len(self._symbols)
        places = (place % count for place in range(len(self._members)))
        return await self.receive(count_expected(fed.first, fed.last, places, count))

    async def receive(self, expected: int) -> int:
        """Wait for `expected` updates, or until none has come for three seconds; how many are missing."""
        tally, before, quiet_since = self.tally, -1, time.monotonic()
        while tally.delivered < expected and time.monotonic() - quiet_since < _QUIET_AFTER_S:
            if tally.delivered != before:
                before, quiet_since = tally.delivered, time.monotonic()
            await asyncio.sleep(0.02)
        return expected - tally.delivered

    def vanish(self) -> None:
        """Cut every connection, and say what else than updates the last phase has brought."""
        for text in (
            *self.tally.notices,
            *(f"closed with {code}: {n}" for code, n in self.tally.closed.items()),
        ):
            sys.stderr.write(f"  {text}\n")
        for member in self._members:
            member.vanish()


def _subscription(symbols: Sequence[str], wanted: Mapping[str, Any]) -> bytes:
    request = {"action": "subscribe", "symbols": list(symbols), "snapshot": False, **wanted}
    return frames.client_frame(frames.TEXT, json.dumps(request).encode())
