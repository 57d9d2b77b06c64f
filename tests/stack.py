"""A running gateway for tests: its own database, real web and bridge processes, real servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import psycopg
from nats.js.errors import NotFoundError
from websockets.sync.client import ClientConnection, connect

from events import connection, publishing, streams
from gateway_project import embedded
from realtime import bridge
from tests import people, preloaded
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent
# A migrated database on each Postgres of this process's stacks.
TEMPLATE = f"template_{uuid.uuid4().hex[:12]}"
T = TypeVar("T")


def eventually(check: Callable[[], T | None], *, timeout_s: float = 60.0) -> T:
    """Call `check` until it returns something true; AssertionError with its last value otherwise."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s; last: {value!r}"
        time.sleep(0.05)


def event(symbol: str = "AAPL", **changes: Any) -> dict[str, Any]:
    """A valid payload of ``event.prediction.updated``, with `changes`."""
    return {
        "symbol": symbol,
        "timestamp": datetime.now(UTC).isoformat(),
        "current_price": 187.25,
        "predicted_price": 188.1,
        "confidence": 0.62,
        "horizon": "1d",
        "model_version": "test-1",
        **changes,
    }


def numbered(symbol: str, count: int) -> list[dict[str, Any]]:
    """`count` payloads of one symbol, a second apart, oldest first, told apart by their price."""
    start = datetime.now(UTC) - timedelta(seconds=count)
    return [
        event(symbol, timestamp=(start + timedelta(seconds=n)).isoformat(), predicted_price=1.0 + n)
        for n in range(count)
    ]


def run_apart(call: Coroutine[Any, Any, T]) -> T:
    """What `call` gives, on a loop in a thread of its own: a browser has a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, call).result()


async def _publish(url: str, payloads: Sequence[dict[str, Any] | bytes]) -> list[int]:
    async with _connected(url) as opened:
        await connection.ensure_stream(opened.jetstream, streams.PREDICTIONS)
        acks: list[int] = []
        for start in range(0, len(payloads), 500):
            pending = [
                publishing.publish_once(
                    opened.jetstream,
                    streams.PREDICTION_UPDATED,
                    payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
                    msg_id=uuid.uuid4().hex,
                )
                for payload in payloads[start : start + 500]
            ]
            acks += await asyncio.gather(*pending)
        return acks


async def _dead_letters(url: str) -> dict[bytes, str]:
    async with _connected(url) as opened:
        await connection.ensure_stream(opened.jetstream, streams.DEAD_LETTERS)
        info = await opened.jetstream.stream_info(streams.DEAD_LETTERS.name)
        found = {}
        for seq in range(
            max(1, info.state.first_seq), info.state.last_seq + 1
        ):  # both are 0 before the first
            message = await opened.jetstream.get_msg(streams.DEAD_LETTERS.name, seq)
            reason = (message.headers or {})[streams.DEAD_LETTER_REASON_HEADER]
            found[message.data or b""] = reason
        return found


async def _count_waiting(url: str) -> int:
    """How many pull requests are open at the server."""
    async with _connected(url) as opened:
        try:
            info = await opened.jetstream.consumer_info(streams.PREDICTIONS.name, bridge.DURABLE)
        except NotFoundError:
            return 0
        return info.num_waiting or 0


async def _is_idle(url: str) -> bool:
    async with _connected(url) as opened:
        info = await opened.jetstream.consumer_info(streams.PREDICTIONS.name, bridge.DURABLE)
        return bool(info.num_pending == 0 and info.num_ack_pending == 0)


async def _count_unacknowledged(url: str) -> int:
    async with _connected(url) as opened:
        info = await opened.jetstream.consumer_info(streams.PREDICTIONS.name, bridge.DURABLE)
        return info.num_ack_pending or 0


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[connection.Connection]:
    opened = await connection.connect(url, name="tests")
    try:
        yield opened
    finally:
        await opened.drain()


@dataclass
class Stack:
    """Processes of one gateway. `database_url` is migrated; servers may be killed by the test."""

    database_url: str
    redis: Server
    nats: Server
    environ: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    log_path: Path | None = None
    base_url: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        self.environ = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis.url,
            "NATS_URL": self.nats.url,
            "BRIDGE_ACK_WAIT_S": "2",
            "CORS_ORIGINS": "https://dashboard.example",
            # What a failing test shows is more than a line for each of its requests.
            "ACCESS_LOG": "false",
            **self.environ,
        }

    def manage(self, *arguments: str) -> str:
        """Run a command to its end; returns what it printed."""
        status, output, errors = preloaded.run(arguments, self.environ)
        assert status == 0, errors
        return output

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command that runs until it is ended."""
        with contextlib.ExitStack() as held:
            log = held.enter_context(self.log_path.open("ab")).fileno() if self.log_path else 2
            process = preloaded.start(arguments, self.environ, stderr=log)
        self.processes.append(process)
        return process

    def start_bridge(self) -> subprocess.Popen[bytes]:
        """One more bridge; returns when it asks the server for messages."""
        before = run_apart(_count_waiting(self.nats.url))
        process = self.start_bridge_at_once()
        eventually(lambda: run_apart(_count_waiting(self.nats.url)) > before)
        return process

    def start_bridge_at_once(self) -> subprocess.Popen[bytes]:
        """One more bridge, whether its servers are up or not."""
        return self.start("nats_bridge")

    def start_worker(self) -> subprocess.Popen[bytes]:
        """One more worker for explanations."""
        return self.start("explain_worker")

    def start_web(self) -> subprocess.Popen[bytes]:
        """The web server, and a key to call it with."""
        port = embedded.free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        process = self.start("serve", "--port", str(port))
        self.key = self.key or people.add_key(self, "enterprise").secret
        assert embedded.wait_until_listening(port, timeout_s=60)
        return process

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET with the stack's key."""
        return httpx.get(self.base_url + path, headers={"X-API-Key": self.key, **headers}, timeout=60)

    def publish(self, *payloads: dict[str, Any] | bytes) -> list[int]:
        """Publish from a synchronous test."""
        return run_apart(_publish(self.nats.url, payloads))

    def dead_letters(self) -> dict[bytes, str]:
        """Payload and reason of every dead letter."""
        return run_apart(_dead_letters(self.nats.url))

    def is_idle(self) -> bool:
        """True once the bridge has acknowledged everything that was published."""
        return run_apart(_is_idle(self.nats.url))

    def count_unacknowledged(self) -> int:
        """Messages that were delivered to a bridge and not acknowledged."""
        return run_apart(_count_unacknowledged(self.nats.url))

    def read(self, symbol: str) -> dict[str, Any]:
        """The newest prediction of `symbol` over REST; empty unless it is a 200."""
        response = self.get(f"/api/prediction/{symbol}")
        answer: dict[str, Any] = response.json() if response.status_code == 200 else {}
        return answer

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with psycopg.connect(self.database_url) as database:
            return database.execute(query, parameters).fetchall()

    def execute(self, statement: str, *parameters: Any) -> None:
        """Change the database behind the gateway's back."""
        with psycopg.connect(self.database_url) as database:
            database.execute(statement, parameters)

    def count_rows(self, symbol: str) -> int:
        """How many predictions of `symbol` the record holds."""
        return int(self.rows("SELECT count(*) FROM predictions_prediction WHERE symbol = %s", symbol)[0][0])

    @property
    def socket_url(self) -> str:
        """Where predictions are streamed."""
        return self.base_url.replace("http://", "ws://") + "/ws/predictions"

    @contextlib.contextmanager
    def socket(self, *symbols: str, **terms: Any) -> Iterator[ClientConnection]:
        """A WebSocket that was welcomed and has subscribed to `symbols` on `terms`, without snapshots."""
        with connect(self.socket_url, additional_headers={"X-API-Key": self.key}, close_timeout=1) as opened:
            assert receive(opened)["type"] == "welcome"
            if symbols:
                send(opened, action="subscribe", symbols=list(symbols), snapshot=False, **terms)
                assert receive(opened)["symbols"] == list(symbols)
            yield opened

    def end(self) -> None:
        """End every process in good order."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(timeout=60)


def _copy_of_template(server: psycopg.Connection[Any], server_url: str, name: str) -> None:
    """Make the database `name`, migrated: a copy takes a tenth of the time of migrating anew."""
    if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
        server.execute(f'CREATE DATABASE "{TEMPLATE}"')
        status, _, errors = preloaded.run(
            ["migrate"], {**os.environ, "DATABASE_URL": _url_of(server_url, TEMPLATE)}
        )
        assert status == 0, errors
    server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')


def _url_of(server_url: str, name: str) -> str:
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


@contextlib.contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """A new, migrated database on the server of `server_url`, dropped at the end."""
    name = f"stack_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as server:
        _copy_of_template(server, server_url, name)
    try:
        yield _url_of(server_url, name)
    finally:
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def receive(opened: ClientConnection, *, timeout_s: float = 60.0) -> dict[str, Any]:
    """The next frame."""
    frame: dict[str, Any] = json.loads(opened.recv(timeout=timeout_s))
    return frame


def updates_of(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """The updates in a frame."""
    updates: list[dict[str, Any]] = frame["updates"] if frame["type"] == "batch" else [frame]
    assert {update["type"] for update in updates} == {"prediction_update"}
    return updates


def send(opened: ClientConnection, **request: Any) -> None:
    """Send a request."""
    opened.send(json.dumps(request))
