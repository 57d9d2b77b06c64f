"""The parent of several servers on one port: starts, watches, renews and ends them; serves nothing itself.

1. Each worker listens on a socket of its own that shares the port, so that the kernel spreads connections.
2. A worker says on its lifeline when it listens, and then that its event loop turns. One that is silent for
   too long is killed; whatever dies is started again.
3. SIGHUP renews the workers one by one. The new one takes over the listening socket itself, with what waits
   in its queue: nobody is refused meanwhile. If it does not get ready, the old one goes on.
4. The launcher closes its copy of a socket when its worker has died or is to end, also when somebody else has
   told it to: the kernel then gives new connections to the others.
5. SIGTERM and SIGINT end all workers at the same time; a second one kills them.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Sequence
from dataclasses import dataclass

from gateway_project import server, supervisor
from gateway_project.supervisor import Supervisor
from gateway_project.worker import Worker
from observability import shared_metrics, tasks

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """How often a worker says that it lives, and after how long a silence it counts as dead.

    A burst to thousands of sockets may hold an event loop for seconds; that must not kill it.
    """

    beat_s: float = 5.0
    silent_s: float = 30.0


class Launcher:
    """`count` workers on the port of `reserved` (see `server.reserve`).

    `command` starts a worker; it gets what it inherits as ``--listener FD --lifeline FD --beat SECONDS``.
    """

    def __init__(
        self, command: Sequence[str], reserved: socket.socket, count: int, timing: Timing | None = None
    ) -> None:
        self._command = command
        self._reserved = reserved
        self._names = [f"worker {number}" for number in range(1, count + 1)]
        self._timing = timing or Timing()
        self._supervisor = Supervisor(logger.warning)
        # All that run: more than there are names, while one is renewed.
        self._running: set[Worker] = set()
        self._attending: set[asyncio.Task[None]] = set()
        self._renewal_wanted = asyncio.Event()
        self._stop_wanted = asyncio.Event()
        self._is_killed = False

    async def run(self) -> bool:
        """Launch, and return after SIGTERM or SIGINT; False when a second one has cut the end short."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number)
        loop.add_signal_handler(signal.SIGHUP, self.renew)
        for name in self._names:
            await self._supervisor.keep(name, functools.partial(self._start_serving, name))
        watching = asyncio.create_task(self._watch())
        renewing = asyncio.create_task(self._renew_when_wanted())
        await self._stop_wanted.wait()
        for worker in self._running:
            worker.leave_socket()
        await asyncio.gather(self._supervisor.stop(together=True), renewing)
        await asyncio.gather(*self._attending)
        await tasks.end([watching])
        logger.info("all workers have ended")
        return not self._is_killed

    def stop(self, number: signal.Signals) -> None:
        """End all workers; kill them when they are ending already."""
        if self._stop_wanted.is_set():
            logger.warning("%s again: killing the workers", number.name)
            self._is_killed = True
            for worker in self._running:
                worker.kill()
            return
        logger.info("%s: ending %s; connections have %d s", number.name, self._counted(), server.GRACE_S)
        self._stop_wanted.set()
        self._renewal_wanted.set()

    def renew(self) -> None:
        """Renew all workers; asked for during a renewal, it is one more after that."""
        self._renewal_wanted.set()

    async def _start_serving(self, name: str) -> Process:
        worker = await self._start(name, server.share(self._reserved))
        return worker.process

    async def _start(self, name: str, listener: socket.socket) -> Worker:
        worker = await Worker.start(name, self._command, listener, beat_s=self._timing.beat_s)
        self._running.add(worker)
        attending = asyncio.create_task(self._attend(worker))
        self._attending.add(attending)
        attending.add_done_callback(self._attending.discard)
        return worker

    async def _attend(self, worker: Worker) -> None:
        if await worker.gets_ready():
            logger.info("%s is ready", worker)
        ending = asyncio.create_task(self._let_end(worker))
        await worker.process.wait()
        await tasks.end([ending])
        shared_metrics.forget(worker.process.pid)
        self._running.discard(worker)
        worker.close()

    async def _let_end(self, worker: Worker) -> None:
        """When `worker` is to end, whoever wants it: leave its socket to it alone, unless it is renewed."""
        await worker.pulse.ending.wait()
        is_last = not any(
            other is not worker and other.name == worker.name and other.pulse.ready.is_set()
            for other in self._running
        )
        if is_last:
            worker.leave_socket()
        worker.pulse.answer(is_last=is_last)

    async def _watch(self) -> None:
        """Kill who is silent for too long."""
        loop = asyncio.get_running_loop()
        every_s = min(1.0, self._timing.silent_s / 10)
        while True:
            due_at = loop.time() + every_s
            await asyncio.sleep(every_s)
            # Who has stopped the launcher (a container that is paused) may have stopped the workers as well.
            late_s = loop.time() - due_at
            for worker in self._running:
                worker.pulse.forgive(late_s)
                if worker.pulse.silent_for_s() > self._timing.silent_s:
                    worker.abort()

    async def _renew_when_wanted(self) -> None:
        while True:
            await self._renewal_wanted.wait()
            self._renewal_wanted.clear()
            if self._stop_wanted.is_set():
                return
            logger.info("SIGHUP: renewing %s, one after the other", self._counted())
            if await self._renew_all():
                logger.info("all workers are renewed")

    async def _renew_all(self) -> bool:
        for name in self._names:
            if self._stop_wanted.is_set() or not await self._renew_one(name):
                return False
        return True

    async def _renew_one(self, name: str) -> bool:
        """Put a new worker in the place of `name`; False when it does not get ready, or all are to end."""
        try:
            fresh = await self._start(name, self._take_over(name))
        except OSError as error:  # no memory, no process left
            logger.error("no new process for %s can be started: %s. The renewal ends here", name, error)
            return False
        is_ready = await fresh.gets_ready(unless=self._stop_wanted)
        if not is_ready or self._stop_wanted.is_set():
            if not self._stop_wanted.is_set():
                logger.error(
                    "%s did not get ready; its own lines above should say why. The renewal ends here; "
                    "those that served before go on",
                    fresh,
                )
            await supervisor.end(fresh.process, str(fresh), logger.warning)
            return False
        before = await self._supervisor.replace(name, fresh.process)
        logger.info("%s has taken over from pid %d", fresh, before.pid)
        return True

    def _take_over(self, name: str) -> socket.socket:
        """The socket on which `name` listens; another one when nobody listens there right now."""
        for worker in self._running:
            if worker.name == name and worker.pulse.ready.is_set() and not worker.pulse.ending.is_set():
                return worker.listener.dup()
        return server.share(self._reserved)

    def _counted(self) -> str:
        count = len(self._names)
        return f"{count} workers" if count > 1 else "1 worker"
