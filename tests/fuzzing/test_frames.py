"""Mutated WebSocket frames over raw connections to a running gateway; ``FRAMES`` sets how many.

By RFC 6455 and by the protocol above it: whatever they are, the process lives, tells only what it declares,
keeps its size, and serves everybody else.
"""

from __future__ import annotations

import asyncio
import os
import time
from random import Random

from benchmarks.side_by_side.processes import Meter
from tests.fuzzing.conftest import Target
from tests.fuzzing.flood import Flood
from tests.fuzzing.levels import Level, in_short, level_of
from tests.fuzzing.scripts import Scripts
from tests.fuzzing.witness import witnessing

FRAMES = int(os.environ.get("FRAMES", "20000"))
AT_ONCE = 128
# Beyond what a process has after the first tenth, when its pools and memories have been filled once.
MOST_GROWTH_MB = 12
MOST_FURTHER_FILES = 8


def test_a_gateway_outlives_mutated_frames_and_serves_everybody_else(
    target: Target, seed: int, tell: list[str]
) -> None:
    stack, web = target.stack, target.processes["web"]
    scripts = Scripts(Random(f"frames {seed}"), stack.key)
    levels: list[Level] = []

    async def run() -> Flood:
        flood = Flood(stack.socket_url, stack.key, scripts.make, at_once=AT_ONCE)
        async with witnessing(stack, "WITNS"):
            for tenth in range(1, 11):
                await flood.run(FRAMES * tenth // 10)
                assert web.poll() is None
                target.log.check()
                levels.append(level_of(web))
        return flood

    begun = time.monotonic()
    meter = Meter({"web": web.pid})
    heard = asyncio.run(run()).heard
    cpu = {role: f"{used:.0f} s" for role, used in meter.used_s().items()}
    tell += [
        f"{heard.frames:,} frames on {heard.connections:,} connections in {time.monotonic() - begun:.0f} s",
        f"  answers: {dict(heard.answers.most_common())}",
        f"  ends: {dict(heard.ends.most_common())}",
        f"  web after each tenth: {in_short(levels)}",
        f"  CPU: {cpu}",
        f"  lines of the log: {dict(target.log.told)}",
    ]
    assert heard.frames >= FRAMES
    assert levels[-1].resident_mb - levels[0].resident_mb < MOST_GROWTH_MB, levels
    assert levels[-1].files - levels[0].files < MOST_FURTHER_FILES, levels
