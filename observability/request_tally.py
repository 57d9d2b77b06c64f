"""Answers over HTTP, counted in plain numbers and handed to Prometheus' metrics once a second.

`count` costs a microsecond; the library's own counters and histograms would cost ten. Only the event loop's
thread counts.
"""

from __future__ import annotations

from bisect import bisect_left

from observability import metrics

_UNAUTHORIZED = 401
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Tally:
    """What is counted of a method and route."""

    __slots__ = ("answered", "bytes_in", "bytes_out", "durations", "seconds", "sizes_in", "sizes_out")

    def __init__(self) -> None:
        self.answered: dict[int, int] = {}
        self.durations = [0] * (len(metrics.DURATIONS_S) + 1)
        self.seconds = 0.0
        self.sizes_in = [0] * (len(metrics.SIZES_BYTES) + 1)
        self.bytes_in = 0
        self.sizes_out = [0] * (len(metrics.SIZES_BYTES) + 1)
        self.bytes_out = 0


_tallies: dict[tuple[str, str], _Tally] = {}
_brought: dict[tuple[str, bool], int] = {}
_reads: dict[tuple[str, str], int] = {}


def failed(method: str, route: str) -> None:
    """The answer that is counted says that the gateway has failed."""
    metrics.http_errors.labels(method if method in _METHODS else metrics.OTHER, route).inc()


def count(
    method: str, route: str, status: int, *, kind: str, seconds: float, bytes_in: int, bytes_out: int
) -> None:
    """Count one answer.

    `route` is a name of the URL configuration, `kind` what the caller has brought (key, person, none); the
    sizes are of bodies.
    """
    brought = (kind, status == _UNAUTHORIZED)
    _brought[brought] = _brought.get(brought, 0) + 1
    tally = _tallies.get((method, route)) or _begin(method, route)
    tally.answered[status] = tally.answered.get(status, 0) + 1
    tally.durations[bisect_left(metrics.DURATIONS_S, seconds)] += 1
    tally.seconds += seconds
    tally.sizes_in[bisect_left(metrics.SIZES_BYTES, bytes_in)] += 1
    tally.bytes_in += bytes_in
    tally.sizes_out[bisect_left(metrics.SIZES_BYTES, bytes_out)] += 1
    tally.bytes_out += bytes_out


def read(route: str, source: str) -> None:
    """Count one read of newest values; `source` is where they came from: board, redis, record or none."""
    _reads[route, source] = _reads.get((route, source), 0) + 1


def flush() -> None:
    """Hand over what was counted."""
    while _reads:
        (route, source), number = _reads.popitem()
        metrics.reads.labels(route, source).inc(number)
    while _brought:
        (kind, is_refused), number = _brought.popitem()
        metrics.authentications.labels(kind, "refused" if is_refused else "accepted").inc(number)
    for (method, route), tally in list(_tallies.items()):
        if not tally.answered:
            continue
        _tallies[method, route] = _Tally()
        for status, answered in tally.answered.items():
            metrics.http_requests.labels(method, route, str(status)).inc(answered)
        durations = metrics.http_request_duration.labels(method, route)
        metrics.add_to(durations, tally.durations, tally.seconds)
        metrics.add_to(metrics.http_request_size.labels(route), tally.sizes_in, tally.bytes_in)
        metrics.add_to(metrics.http_response_size.labels(route), tally.sizes_out, tally.bytes_out)


def _begin(method: str, route: str) -> _Tally:
    # A method is whatever the caller has written.
    return _tallies.setdefault((method if method in _METHODS else metrics.OTHER, route), _Tally())
