"""How long from ordering an explanation to its answer, with `Prefer: wait` and over the socket.

Run it against a gateway that `make run` has started: ``.venv/bin/python -m benchmarks.order_to_answer``. Each
order is for a prediction of its own, so that nothing is answered from an earlier computation: the newest real
prediction of AAPL, with its attribution, is published under the symbol BENCH before it is ordered.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import connect

from benchmarks.calling import Caller
from benchmarks.running import run
from benchmarks.side_by_side.figures import percentile
from events import connection, publishing, streams

REAL, SYMBOL = "AAPL", "BENCH"
# A bridge that is not there would be waited for without an end.
READABLE_WITHIN_S = 30.0
_PREDICTED = (
    "current_price",
    "predicted_price",
    "confidence",
    "horizon",
    "model_version",
    "as_of",
    "features",
)


async def publish_anew(opened: connection.Connection, caller: Caller) -> str:
    """Publish the newest prediction again, as of now; returns its time once it can be read."""
    newest = await caller.get(f"/api/prediction/{REAL}?include_features=true")
    stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    event = {name: newest[name] for name in _PREDICTED} | {"symbol": SYMBOL, "timestamp": stamp}
    await publishing.publish_once(
        opened.jetstream, streams.PREDICTION_UPDATED, msgspec.json.encode(event), msg_id=uuid.uuid4().hex
    )
    async with asyncio.timeout(READABLE_WITHIN_S):
        while True:
            status, newest = await caller.try_get(f"/api/prediction/{SYMBOL}")
            if status == 200 and newest["timestamp"] >= stamp:
                return stamp
            await asyncio.sleep(0.01)


async def order_and_wait(caller: Caller, depth: str) -> float:
    """Milliseconds from the order to its answer, in one call."""
    began = time.perf_counter()
    status, answer = await caller.post(f"/api/explanation/{SYMBOL}", {"depth": depth}, Prefer="wait=20")
    if status != 200:
        sys.exit(f"no answer in 20 s ({status}): {answer}")
    return (time.perf_counter() - began) * 1000


async def order_and_watch(caller: Caller, socket: Any, depth: str) -> float:
    """Milliseconds from the order to the frame that tells of its end."""
    began = time.perf_counter()
    _, job = await caller.post(f"/api/explanation/{SYMBOL}", {"depth": depth})
    await socket.send(json.dumps({"action": "watch", "job_id": job["job_id"]}))
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if frame["type"] in ("explanation_failed", "error"):
            sys.exit(f"no explanation: {frame}")
        if frame["type"] == "explanation_completed":
            return (time.perf_counter() - began) * 1000


async def measure(folder: Path, count: int) -> str:
    """Order `count` explanations of each depth, one after the other; returns the result as text."""
    endpoints = json.loads((folder / "endpoints.json").read_text())
    key = (folder / "demo_key").read_text().strip()
    opened = await connection.connect(endpoints["nats"], name="benchmark")
    lines = []
    url = endpoints["http"].replace("http://", "ws://") + "/ws/predictions"
    async with (
        Caller(endpoints["http"], key) as caller,
        connect(url, additional_headers={"X-API-Key": key}) as socket,
    ):
        await socket.recv()
        for depth in ("fast", "medium", "deep"):
            waited, watched = [], []
            for _ in range(count):
                await publish_anew(opened, caller)
                waited.append(await order_and_wait(caller, depth))
                await publish_anew(opened, caller)
                watched.append(await order_and_watch(caller, socket, depth))
            lines += [
                _line(f"{depth}, Prefer: wait", waited),
                _line(f"{depth}, watched over the socket", watched),
            ]
    await opened.drain()
    return "\n".join(lines)


def _line(what: str, times: list[float]) -> str:
    return (
        f"order to answer, {what}, {len(times)} orders: median {statistics.median(times):.1f} ms, "
        f"p99 {percentile(times, 0.99):.1f} ms, max {max(times):.1f} ms"
    )


if __name__ == "__main__":
    run(measure, description=__doc__, count=50)
