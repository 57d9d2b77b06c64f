"""The metrics as Prometheus reads them: of this process, or of all that its launcher runs.

Values that are looked up rather than counted (open sockets, the pool, the memory) are set by samplers: once a
second by `sample_for_ever`, and by whoever is about to render.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from observability import metrics, request_tally
from observability.version import COMMIT, VERSION

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder of the values that processes share; set before this is imported."""

_EVERY_S = 1.0
_STARTED_S = time.time()
_LOOK_EVERY_S = 0.1

logger = logging.getLogger(__name__)

Sampler = Callable[[], None]
_samplers: list[Sampler] = [request_tally.flush]


def register(sampler: Sampler) -> None:
    """`sampler` sets metrics; it is called in the event loop's thread, and must not block."""
    if sampler not in _samplers:
        _samplers.append(sampler)


def sample() -> None:
    """Bring every metric up to date."""
    metrics.build_info.labels(VERSION, COMMIT).set(1)
    metrics.resident_memory.set(_resident_bytes())
    metrics.open_files.set(_count_open_files())
    metrics.most_files.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    metrics.cpu_seconds.set(time.process_time())
    metrics.started.set(_STARTED_S)
    for sampler in _samplers:
        try:
            sampler()
        except Exception:
            logger.exception("a sampler of metrics failed")


async def sample_for_ever() -> None:
    """Sample once a second, and watch how late the event loop is."""
    loop = asyncio.get_running_loop()
    sampled_at = float("-inf")
    while True:
        due_at = loop.time() + _LOOK_EVERY_S
        await asyncio.sleep(_LOOK_EVERY_S)
        now = loop.time()
        metrics.event_loop_delay.observe(max(0.0, now - due_at))
        if now - sampled_at >= _EVERY_S:
            sampled_at = now
            sample()


def render() -> bytes:
    """The text that Prometheus reads; takes some milliseconds."""
    if SHARED_FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):  # not Linux: the most that it ever was
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()


def _count_open_files() -> int:
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0
