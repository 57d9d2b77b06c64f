"""What the hub of this process has to say to Prometheus."""

from __future__ import annotations

from observability import exposition, metrics
from observability.per_loop import PerLoop
from realtime import hub
from realtime.hub import Hub

# Looking at ten thousand sockets takes some milliseconds of the event loop.
_LOOK_EVERY = 5


class _Watch:
    """Turns totals of a hub into steps of counters. Lives beside one hub."""

    def __init__(self, watched: Hub) -> None:
        self._hub = watched
        self._turn = 0
        self._told = [0] * len(watched.lag.counts)
        self._sum_us = 0
        self._dropped = 0

    def sample(self) -> None:
        """Bring the metrics up to date."""
        watched = self._hub
        metrics.sockets.set(len(watched.connections))
        metrics.subscriptions.set(watched.count_subscriptions())
        metrics.hub_is_current.set(watched.is_current())
        self._sample_lag()
        self._turn = (self._turn + 1) % _LOOK_EVERY
        if self._turn == 1:
            self._sample_buffers()

    def _sample_lag(self) -> None:
        lag = self._hub.lag
        counts = [now - told for now, told in zip(lag.counts, self._told, strict=True)]
        metrics.add_to(metrics.publish_to_send, counts, (lag.sum_us - self._sum_us) / 1e6)
        metrics.socket_updates_sent.inc(sum(counts))
        self._told, self._sum_us = list(lag.counts), lag.sum_us

    def _sample_buffers(self) -> None:
        waiting, dropped = 0, self._hub.dropped_by_those_gone
        for connection in self._hub.connections.values():
            waiting += connection.waiting
            dropped += connection.dropped
        metrics.socket_updates_waiting.set(waiting)
        metrics.socket_updates_dropped.inc(max(0, dropped - self._dropped))
        self._dropped = max(dropped, self._dropped)


_watches: PerLoop[_Watch] = PerLoop()


def sample() -> None:
    """Bring the metrics of the running event loop's hub up to date."""
    _watches.current(lambda: _Watch(hub.current())).sample()


def begin() -> None:
    """From now on they are sampled."""
    exposition.register(sample)
