"""The processes that explain: started, fed, listened to, and killed when they break a rule.

The order of a slot is lost with its process, never the worker: whatever comes out of one is bounded in
size, number and time. What runs inside is `explanations.sandbox`; whether an explanation fits,
`explanations.attempts` judges.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, SubprocessStreamProtocol
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from events import explanations
from events.explanations import MAX_EXPLANATION_BYTES, ExplainOrder
from explanations import frames
from explanations.frames import Failure, FrameRefused, Head, Kind, Report
from observability import backoff

logger = logging.getLogger(__name__)

OnReport = Callable[[Report], Awaitable[None]]

_ROOT = Path(__file__).resolve().parent.parent
_READY_WITHIN_S = 60.0
_AGAIN_WITHIN_S = 5.0
_DEAD_WITHIN_S = 0.5
_LAST_WORDS_S = 0.5
_STARTS = 3
# The sandbox sends five reports a second; who sends many more has found its way around it.
_FREE_FRAMES = 20
_FRAMES_PER_S = 10
_OUTPUT_LINES = 100
_OUTPUT_CHUNK = 16_384
_OUTPUT_PAUSE_S = 0.01


class ExplainerFailed(Exception):
    """There is no explanation of this order; `str` of it is one line, the trace is for the log."""

    def __init__(self, reason: str, trace: str = "") -> None:
        super().__init__(reason)
        self.trace = trace

    @property
    def story(self) -> str:
        """The reason, and the trace where there is one: for the log."""
        return f"{self}\n{self.trace}".rstrip()


class ExplainerUnusable(Exception):
    """The explainer does not even start."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What runs in a child, and what it may use."""

    explainer: str
    timeout_s: float
    memory_mb: int


class _Pipes(SubprocessStreamProtocol):
    """The streams of a process. They end with it, whoever else may hold the other ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_OUTPUT_CHUNK, loop=loop)
        self._own_loop = loop
        # `Process.wait` also waits for pipes that nobody reads any more.
        self.exited = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._process_transport = cast("asyncio.SubprocessTransport", transport)

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()
        self._own_loop.call_later(_LAST_WORDS_S, self._close)

    def _close(self) -> None:
        for descriptor in (1, 2):
            pipe = self._process_transport.get_pipe_transport(descriptor)
            if pipe is not None:
                pipe.close()


class Child:
    """One process with one explainer in it. One order at a time; of no use after it has failed one."""

    def __init__(self, transport: asyncio.SubprocessTransport, pipes: _Pipes, limits: Limits) -> None:
        if pipes.stdin is None or pipes.stdout is None or pipes.stderr is None:
            raise RuntimeError("the process was started without its pipes")
        self.pid = transport.get_pid()
        self._orders, self._frames, self._output = pipes.stdin, pipes.stdout, pipes.stderr
        self._exited = pipes.exited
        self._transport = transport
        self._limits = limits
        self._turn = 0
        self._turn_began_at = time.monotonic()
        self._frames_of_turn = 0
        self._lines_left = _OUTPUT_LINES
        self._relaying = asyncio.create_task(self._relay_output())

    @classmethod
    async def start(cls, limits: Limits) -> Child:
        """A child that is ready for an order; raises `ExplainerFailed`."""
        loop = asyncio.get_running_loop()
        command = [sys.executable, "-m", "explanations.sandbox", limits.explainer]
        transport, pipes = await loop.subprocess_exec(
            lambda: _Pipes(loop),
            *[*command, str(os.getpid()), str(limits.memory_mb)],
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=_ROOT,
            # A group of its own: killed as one, and not reached by Ctrl-C.
            start_new_session=True,
        )
        child = cls(transport, pipes, limits)
        try:
            await child._become_ready(_READY_WITHIN_S)
        except BaseException:
            await child.end()
            raise
        return child

    async def is_ready(self) -> bool:
        """True once it takes another order; False when it has ended instead, or takes too long."""
        try:
            await self._become_ready(_AGAIN_WITHIN_S)
        except ExplainerFailed:
            return False
        return True

    async def explain(self, order: ExplainOrder, on_report: OnReport) -> bytes:
        """What the explainer gave, unjudged; raises `ExplainerFailed`."""
        self._turn += 1
        self._turn_began_at = time.monotonic()
        self._frames_of_turn = 0
        self._lines_left = _OUTPUT_LINES
        frame = frames.encode(Kind.ORDER, self._turn, explanations.encode(order))
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await self._exchange(frame, on_report)
        except TimeoutError:
            raise ExplainerFailed(f"the explainer took longer than {self._limits.timeout_s:g} s") from None

    def kill(self) -> None:
        """End it at once, with what it has started in its group."""
        # Where the group has emptied before, its number may belong to others one day, not in this moment.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.kill()
        await self._exited.wait()
        await asyncio.wait({self._relaying}, timeout=_LAST_WORDS_S)
        self._relaying.cancel()
        await asyncio.gather(self._relaying, return_exceptions=True)
        self._transport.close()

    async def _become_ready(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while await self._listen() is not None:
                    pass
        except TimeoutError:
            raise ExplainerFailed(f"the explainer was not ready within {within_s:g} s") from None

    async def _exchange(self, frame: bytes, on_report: OnReport) -> bytes:
        with contextlib.suppress(ConnectionError):  # gone already: reading tells how
            self._orders.write(frame)
            await self._orders.drain()
        while True:
            heard = await self._listen()
            if isinstance(heard, Report):
                await on_report(heard)
            elif isinstance(heard, bytes):
                return heard

    async def _listen(self) -> Report | bytes | None:
        """The next frame of this turn: a report, an explanation, or None for "ready"."""
        try:
            while True:
                head = frames.decode_head(await self._frames.readexactly(frames.HEAD_BYTES))
                body = await self._frames.readexactly(head.size)
                self._count_frame()
                if head.turn == self._turn:
                    return _understand(head, body)
        except FrameRefused as refused:
            raise ExplainerFailed(f"the explainer's process broke the protocol: {refused}") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ExplainerFailed(await self._tell_end()) from None

    def _count_frame(self) -> None:
        self._frames_of_turn += 1
        elapsed_s = time.monotonic() - self._turn_began_at
        if self._frames_of_turn > _FREE_FRAMES + _FRAMES_PER_S * elapsed_s:
            raise FrameRefused("too many frames")

    async def _tell_end(self) -> str:
        try:
            await asyncio.wait_for(self._exited.wait(), _DEAD_WITHIN_S)
        except TimeoutError:
            return "the explainer's process closed its pipes"
        code = self._transport.get_returncode() or 0
        if code < 0:
            return f"the explainer's process was ended by {_name_signal(-code)}"
        return f"the explainer's process ended with exit status {code}"

    async def _relay_output(self) -> None:
        """Log what the explainer prints, so many lines an order; slow down who prints on and on."""
        rest = b""
        while chunk := await self._output.read(_OUTPUT_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) >= _OUTPUT_CHUNK:
                lines, rest = [*lines, rest], b""
            for line in lines[: max(0, self._lines_left)]:
                logger.info("explainer %d: %s", self.pid, frames.as_line(line.decode(errors="replace")))
            if self._lines_left >= 0 > self._lines_left - len(lines):
                logger.warning("explainer %d prints more than %d lines", self.pid, _OUTPUT_LINES)
            self._lines_left -= len(lines)
            if self._lines_left < 0:
                await asyncio.sleep(_OUTPUT_PAUSE_S)


def _understand(head: Head, body: bytes) -> Report | bytes | None:
    match head.kind:
        case Kind.READY:
            return None
        case Kind.PROGRESS:
            return frames.decode_body(body, Report)
        case Kind.FAILURE:
            failure = frames.decode_body(body, Failure)
            raise ExplainerFailed(failure.reason, failure.trace)
        case Kind.EXPLANATION if head.size <= MAX_EXPLANATION_BYTES:
            return body
    raise FrameRefused(f"{head.kind.name} of {head.size} bytes")


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Slot:
    """Room for one order at a time. A child that has failed an order is replaced by a new one."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: Child | None = None
        self._spoilt = False

    async def prepare(self) -> None:
        """Return when an order can be taken; raises `ExplainerUnusable` where no child starts."""
        if self._child is not None and (self._spoilt or not await self._child.is_ready()):
            await self.close()
        attempt = 0
        while self._child is None:
            attempt += 1
            try:
                self._child = await Child.start(self._limits)
                self._spoilt = False
            except ExplainerFailed as failed:
                logger.error("the explainer does not start: %s", failed.story)
                if attempt == _STARTS:
                    raise ExplainerUnusable(f"{self._limits.explainer} does not start: {failed}") from None
                await asyncio.sleep(backoff.delay_s(attempt, first_s=0.5))

    async def explain(self, order: ExplainOrder, on_report: OnReport) -> bytes:
        """What the explainer gave, unjudged; raises `ExplainerFailed`. Cancelled, it kills the child."""
        if self._child is None:
            raise RuntimeError("the slot was not prepared")
        try:
            return await self._child.explain(order, on_report)
        except BaseException:
            self._spoilt = True
            self._child.kill()
            raise

    async def close(self) -> None:
        """Leave no process behind."""
        if self._child is not None:
            await self._child.end()
            self._child = None
