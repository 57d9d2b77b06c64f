"""How each fault is begun and ended on a ground."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from tests.faults.matrix.ground import Ground
from tests.lines import Latency, LimitData, Timeout, Toxic

LATENCY = Latency(500)
# Enough for the greeting, and for a few answers more.
MID_REPLY = {"redis": LimitData(bytes=500), "": LimitData(bytes=3_000)}
HALF_OPEN = Timeout()
_REFILL_S = 0.2


class Fault:
    """A fault of one kind on the victim of `ground`; `begin` it, and `end` it."""

    def __init__(self, ground: Ground, kind: str) -> None:
        self._ground = ground
        self._victim = ground.victim
        ground.stopped = None
        self._begin, self._end = self._kinds()[kind]
        self._over = threading.Event()
        self._filling = threading.Thread(target=self._keep_full, daemon=True)

    def begin(self) -> None:
        """From now on it holds."""
        self._begin()

    def end(self) -> None:
        """It is over; what it has killed is there again, or on its way."""
        self._end()

    def _kinds(self) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
        return {
            "kill": (self._kill, self._come_back),
            "freeze": (self._freeze, self._thaw),
            "latency": (lambda: self._poison(LATENCY), self._heal),
            "reset": (lambda: self._poison(MID_REPLY.get(self._victim, MID_REPLY[""])), self._heal),
            "half_open": (lambda: self._poison(HALF_OPEN), self._heal),
            "disk_full": (self._fill, self._clear),
            "clock_step": (lambda: self._ground.step_clock(1), lambda: self._ground.step_clock(0)),
        }

    def _kill(self) -> None:
        ground = self._ground
        if self._victim in ground.servers:
            ground.servers[self._victim].kill()
            for line in ground.lines_of(self._victim):
                line.disable()
        else:
            ground.signal(signal.SIGKILL)

    def _come_back(self) -> None:
        ground = self._ground
        if self._victim in ground.servers:
            ground.servers[self._victim].start()
            for line in ground.lines_of(self._victim):
                line.enable()
        elif self._victim != "web":  # its launcher has started another one long ago
            ground.processes[self._victim].wait(timeout=60)
            ground.again(self._victim)

    def _freeze(self) -> None:
        ground = self._ground
        if self._victim in ground.servers:
            ground.servers[self._victim].freeze()
        else:
            ground.signal(signal.SIGSTOP)

    def _thaw(self) -> None:
        ground = self._ground
        if self._victim in ground.servers:
            ground.servers[self._victim].thaw()
        else:
            ground.signal(signal.SIGCONT)

    def _poison(self, toxic: Toxic) -> None:
        for line in self._ground.lines_of(self._victim):
            line.add(toxic)

    def _heal(self) -> None:
        for line in self._ground.lines_of(self._victim):
            line.mend()

    def _fill(self) -> None:
        self._filling.start()

    def _keep_full(self) -> None:
        while not self._over.wait(_REFILL_S):
            self._ground.fill_disk()

    def _clear(self) -> None:
        """There is room again; a server that has ended over it is started, as a service manager would."""
        self._over.set()
        self._filling.join(timeout=60)
        self._ground.clear_disk()
        server = self._ground.servers.get(self._victim)
        if server is None:
            return
        if server.is_running() and self._victim == "nats":
            server.stop()  # it keeps JetStream shut after a failed write, until it starts again
        if not server.is_running():
            server.start()
