"""Keeps child processes running: restarts what dies, with backoff, and takes all of them down together.

A child gets its own session, so that Ctrl-C reaches the supervisor alone and the order of the end is
ours; on Linux the kernel ends a child whose supervisor was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence

from observability import backoff

STOP_TIMEOUT_S = 15.0
_STABLE_AFTER_S = 30.0
_PR_SET_PDEATHSIG = 1

Say = Callable[[str], None]


class Supervisor:
    """A set of children, each started once and then kept running until `stop`."""

    def __init__(self, say: Say) -> None:
        self._say = say
        # In the order of their start, which is turned around at the end.
        self._children: dict[str, _Child] = {}

    async def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start `command` as child `name` and keep it running."""
        await self.keep(name, functools.partial(spawn, command, environ))

    async def keep(self, name: str, start: Callable[[], Awaitable[Process]]) -> None:
        """Keep child `name` running; `start` is called now and each time after it has died."""
        child = _Child(name, start, await start())
        self._children[name] = child
        child.keeping = asyncio.create_task(self._keep(child))

    async def replace(self, name: str, process: Process) -> Process:
        """From now on `process` is child `name`; returns the one before when it has ended."""
        child = self._children[name]
        async with child.changing:
            before = child.process
            child.runs(process)
        await end(before, name, self._say)
        return before

    async def stop(self, *, together: bool = False) -> None:
        """End every child with `end`: the last started first, or all of them `together`."""
        children = [*reversed(self._children.values())]
        for child in children:
            await child.let_go()
        if together:
            await asyncio.gather(*(end(child.process, child.name, self._say) for child in children))
            return
        for child in children:
            await end(child.process, child.name, self._say)

    async def _keep(self, child: _Child) -> None:
        failures = 0
        while True:
            process = child.process
            code = await process.wait()
            if child.process is not process:  # replaced
                continue
            failures = 1 if time.monotonic() - child.started_at > _STABLE_AFTER_S else failures + 1
            wait_s = backoff.delay_s(failures, first_s=0.5, most_s=30.0)
            self._say(f"{child.name} ended ({_explain(code)}); starting it again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)
            await self._start_again(child, process)

    async def _start_again(self, child: _Child, dead: Process) -> None:
        async with child.changing:
            if child.process is not dead:
                return
            try:
                child.runs(await child.start())
            except OSError as error:  # no memory, no process left: the next try may find some
                self._say(f"{child.name} cannot be started: {error}")


class _Child:
    """A name, how it is started, and the process that runs under it."""

    def __init__(self, name: str, start: Callable[[], Awaitable[Process]], process: Process) -> None:
        self.name = name
        self.start = start
        self.keeping: asyncio.Task[None] | None = None
        # A child that is just being started is neither replaced nor let go: its process would be lost.
        self.changing = asyncio.Lock()
        self.runs(process)

    def runs(self, process: Process) -> None:
        """`process` has just been started as this child."""
        self.process = process
        self.started_at = time.monotonic()

    async def let_go(self) -> None:
        """Do not start it again."""
        if self.keeping is not None:
            async with self.changing:
                self.keeping.cancel()
            await asyncio.gather(self.keeping, return_exceptions=True)


async def spawn(command: Sequence[str], environ: Mapping[str, str], inherited: Sequence[int] = ()) -> Process:
    """Start `command` in a session of its own, with the file descriptors `inherited`; raises OSError."""
    return await asyncio.create_subprocess_exec(
        *command,
        env=dict(environ),
        stdin=DEVNULL,
        pass_fds=inherited,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )


async def end(process: Process, name: str, say: Say) -> None:
    """SIGTERM, and SIGKILL after `STOP_TIMEOUT_S`; returns when `process` has ended."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        say(f"{name} did not stop in {STOP_TIMEOUT_S:.0f} s and is killed")
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    # A signal to the whole group is meant for the supervisor, also while a child has not set up its own.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _explain(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
