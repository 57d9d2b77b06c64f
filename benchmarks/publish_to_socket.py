"""How long from the publish call to the frame in a subscribed client, and to the same value over REST.

Run it against a gateway that `make run` has started: ``.venv/bin/python -m benchmarks.publish_to_socket``.
Publishes single events (an idle machine's latency), from the process that also reads, and no faster than a
socket is given frames: what waits for its turn there would be counted otherwise.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import urllib.request
import uuid
from datetime import UTC, datetime
from pathlib import Path

from websockets.asyncio.client import connect

from benchmarks.running import run
from benchmarks.side_by_side.figures import percentile
from events import connection, prediction_updated, publishing, streams
from events.prediction_updated import PredictionUpdated

SYMBOL = "BENCH"


def read_price(url: str, key: str) -> float:
    """The newest price over REST."""
    request = urllib.request.Request(f"{url}/api/prediction/{SYMBOL}", headers={"X-API-Key": key})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return float(json.load(answer)["predicted_price"])


async def measure(folder: Path, count: int) -> str:
    """Publish `count` events one by one; returns the result as text."""
    endpoints = json.loads((folder / "endpoints.json").read_text())
    key = (folder / "demo_key").read_text().strip()
    opened = await connection.connect(endpoints["nats"], name="benchmark")
    delays: list[float] = []
    behind = 0
    url = endpoints["http"].replace("http://", "ws://") + "/ws/predictions"
    async with connect(url, additional_headers={"X-API-Key": key}) as socket:
        limits = json.loads(await socket.recv())["limits"]
        await socket.send(json.dumps({"action": "subscribe", "symbols": [SYMBOL], "snapshot": False}))
        await socket.recv()
        for number in range(count):
            event = PredictionUpdated(
                symbol=SYMBOL,
                timestamp=datetime.now(UTC),
                current_price=100.0,
                predicted_price=100.0 + number,
                confidence=0.5,
                horizon="1d",
                model_version="benchmark",
            )
            begun = time.perf_counter()
            await publishing.publish_once(
                opened.jetstream,
                streams.PREDICTION_UPDATED,
                prediction_updated.encode(event),
                msg_id=uuid.uuid4().hex,
            )
            frame = json.loads(await socket.recv())
            delays.append((time.perf_counter() - begun) * 1000)
            price = await asyncio.to_thread(read_price, endpoints["http"], key)
            behind += price != frame["predicted_price"]
            await asyncio.sleep(1 / limits["frames_per_s"])
    await opened.drain()
    return (
        f"publish to socket, {count} events: median {statistics.median(delays):.1f} ms, "
        f"p99 {percentile(delays, 0.99):.1f} ms, max {max(delays):.1f} ms\n"
        f"REST behind the frame just received: {behind} of {count}"
    )


if __name__ == "__main__":
    run(measure, description=__doc__, count=300)
