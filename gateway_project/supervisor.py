"""Keeps child processes running: restarts what dies, with backoff, and takes all of them down together.

A child gets its own session, so that Ctrl-C reaches the supervisor alone and the order of the end is
ours; on Linux the kernel ends a child whose supervisor was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from observability import backoff

STOP_TIMEOUT_S = 15.0
_STABLE_AFTER_S = 30.0
_PR_SET_PDEATHSIG = 1


class Supervisor:
    """A set of children, each started once and then kept running until `stop`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._stopping = False
        # In the order of their start, which is turned around at the end.
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start `command` as child `name` and keep it running."""
        self._running[name] = await _spawn(command, environ)
        self._keeping[name] = asyncio.create_task(self._keep(name, command, environ))

    async def stop(self) -> None:
        """End every child, the last started first: SIGTERM, and SIGKILL after `STOP_TIMEOUT_S`."""
        self._stopping = True
        for name in reversed(list(self._keeping)):
            await self._end(name)

    async def _end(self, name: str) -> None:
        process = self._running[name]
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._say(f"{name} did not stop in {STOP_TIMEOUT_S:.0f} s and is killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        self._keeping[name].cancel()
        await asyncio.gather(self._keeping[name], return_exceptions=True)

    async def _keep(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        failures = 0
        while True:
            started_at = time.monotonic()
            code = await self._running[name].wait()
            if self._stopping:
                return
            failures = 1 if time.monotonic() - started_at > _STABLE_AFTER_S else failures + 1
            wait_s = backoff.delay_s(failures, first_s=0.5, most_s=30.0)
            self._say(f"{name} ended ({_explain(code)}); starting it again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)
            self._running[name] = await _spawn(command, environ)


async def _spawn(command: Sequence[str], environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _explain(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
