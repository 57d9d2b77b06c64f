"""One server process under a launcher: how it is started, when it is ready, how it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Sequence

from gateway_project import last_callers, supervisor
from gateway_project.lifeline import Pulse
from observability import tasks

logger = logging.getLogger(__name__)

_TRACE_WITHIN_S = 1.0


class Worker:
    """A process that serves at `listener`, of which this is the launcher's copy."""

    def __init__(
        self,
        name: str,
        process: Process,
        listener: socket.socket,
        pulse: Pulse,
        lifeline: asyncio.BaseTransport,
    ) -> None:
        self.name = name
        self.process = process
        self.listener = listener
        self.pulse = pulse
        self._lifeline = lifeline

    @classmethod
    async def start(
        cls, name: str, command: Sequence[str], listener: socket.socket, *, beat_s: float
    ) -> Worker:
        """Start `command`, which inherits `listener` and a lifeline; raises OSError."""
        ours, theirs = socket.socketpair()
        inherited = (listener.fileno(), theirs.fileno())
        options = ["--listener", f"{inherited[0]}", "--lifeline", f"{inherited[1]}", "--beat", f"{beat_s:g}"]
        try:
            with theirs:
                process = await supervisor.spawn([*command, *options], os.environ, inherited)
        except OSError:
            ours.close()
            listener.close()
            raise
        lifeline, pulse = await asyncio.get_running_loop().create_unix_connection(Pulse, sock=ours)
        return cls(name, process, listener, pulse, lifeline)

    def __str__(self) -> str:
        return f"{self.name} (pid {self.process.pid})"

    async def gets_ready(self, *, unless: asyncio.Event | None = None) -> bool:
        """True once it listens; False when it ends before that, or when `unless` is set."""
        ready = asyncio.create_task(self.pulse.ready.wait())
        others = [asyncio.create_task(self.process.wait())]
        if unless is not None:
            others.append(asyncio.create_task(unless.wait()))
        await asyncio.wait([ready, *others], return_when=asyncio.FIRST_COMPLETED)
        await tasks.end([ready, *others])
        return self.pulse.ready.is_set() and self.process.returncode is None

    def abort(self) -> None:
        """Kill it because it is silent; what it was doing is written to its log, if it still can."""
        silent_s = self.pulse.silent_for_s()
        told = "has said nothing" if self.pulse.ready.is_set() else "does not get ready: nothing was heard"
        logger.error("%s %s for %.0f s; it is killed", self, told, silent_s)
        self.pulse.forgive(silent_s)
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGABRT)
        asyncio.get_running_loop().call_later(_TRACE_WITHIN_S, self.kill)

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def leave_socket(self) -> None:
        """Close the launcher's copy: who is queued there is the worker's, and nobody comes any more."""
        last_callers.let_nobody_begin(self.listener)
        self.listener.close()

    def close(self) -> None:
        """Let go of what belongs to a process that has ended."""
        self.listener.close()
        self._lifeline.close()
