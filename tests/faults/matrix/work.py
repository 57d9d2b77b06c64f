"""Steady work while a gateway is broken: reads, orders, events, a socket, probes, and what came of it."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx

from tests.faults.matrix.ground import Ground
from tests.faults.matrix.pipeline import SYMBOLS, Pipeline
from tests.stack import eventually

OLD = "OLDER"
"""The symbol whose only prediction is an hour old."""
_PAUSE_S = 0.2
# A caller whose network is broken gives up; any other waits for what hangs.
_PATIENCE_S = {"web": 3.0}
_PROBE_S = 5.0
READS = {
    "known": f"/api/prediction/{SYMBOLS[0]}",
    "old": f"/api/prediction/{OLD}",
    "unknown": "/api/prediction/ZZZZZ",
    "batch": f"/api/predictions?symbols={','.join(SYMBOLS)},{OLD},ZZZZZ",
    "history": f"/api/prediction/{SYMBOLS[1]}/history?limit=3",
    "limited": f"/api/prediction/{SYMBOLS[2]}",
    "conditional": f"/api/prediction/{SYMBOLS[0]}",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to; status 0 is a connection that broke or gave no answer, told in `detail`."""

    at: float
    came_at: float
    kind: str
    status: int
    retry_after: str = ""
    detail: str = ""
    predictions: tuple[tuple[float, bool], ...] = ()
    """Age in seconds, and whether it is marked stale, of each that was read."""

    @property
    def is_good(self) -> bool:
        """The caller has what was asked for, or knows that it is not there."""
        return self.status in (200, 202, 304, 404)


@dataclass
class Account:
    """All that the work has seen, in the order in which it came."""

    answers: list[Answer] = field(default_factory=list)
    probes: list[tuple[float, str, str, int]] = field(default_factory=list)
    """When, role, path, status."""
    jobs: dict[str, set[str]] = field(default_factory=dict)
    """Of each order, by its key, the jobs that it was told."""

    def accepted(self) -> list[str]:
        """The jobs that were accepted."""
        return [job for jobs in self.jobs.values() for job in jobs]


class Work:
    """The work, each kind in a thread of its own, from `__enter__` to `__exit__`."""

    def __init__(self, ground: Ground, *, pause_s: float = _PAUSE_S) -> None:
        self._ground = ground
        self._pause_s = pause_s
        self.account = Account()
        self.pipeline = Pipeline(ground.stack, ground.prices, has_to_ping=ground.victim == "web")
        self._enough = threading.Event()
        self._patience_s = _PATIENCE_S.get(ground.victim, 60.0)
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Work:
        self.pipeline.publish_once(OLD, hours_ago=1)
        self.pipeline.__enter__()
        with contextlib.closing(Caller(self._ground, self._patience_s)) as caller:
            eventually(lambda: caller.status(READS["known"]) == caller.status(READS["old"]) == 200)
        for kind, path in READS.items():
            self._begin(self._read_on, kind, path)
        self._begin(self._order_on)
        for role in self._ground.urls:
            self._begin(self._probe_on, role)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.pipeline.__exit__()

    def stop(self) -> None:
        """Call and publish no more; the socket follows on."""
        self._enough.set()
        for thread in self._threads:
            thread.join(timeout=180)
        self.pipeline.stop_publishing()

    def _begin(self, run: Callable[..., None], *arguments: str) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read_on(self, kind: str, path: str) -> None:
        caller = Caller(self._ground, self._patience_s, "limited" if kind == "limited" else "unlimited")
        tag = ""
        with contextlib.closing(caller):
            while not self._enough.wait(self._pause_s):
                headers = {"If-None-Match": tag} if kind == "conditional" and tag else {}
                answer, response = caller.call(kind, "GET", path, headers)
                tag = (response.headers.get("etag") or tag) if response else tag
                self.account.answers.append(answer)

    def _order_on(self) -> None:
        caller = Caller(self._ground, self._patience_s)
        with contextlib.closing(caller):
            for number in itertools.count():
                if self._enough.is_set():
                    return
                self._order(caller, number)

    def _order(self, caller: Caller, number: int) -> None:
        """One order, again and again with its key until it is accepted, and once more after that."""
        key = uuid.uuid4().hex
        jobs = self.account.jobs.setdefault(key, set())
        path = f"/api/explanation/{SYMBOLS[number % len(SYMBOLS)]}"
        again = 1 if number % 3 == 0 else 0
        while not self._enough.wait(self._pause_s):
            body = {"depth": ("fast", "medium")[number % 2]}
            answer, response = caller.call("order", "POST", path, {"Idempotency-Key": key}, body)
            self.account.answers.append(answer)
            if response is not None and response.status_code == 202:
                jobs.add(response.json()["job_id"])
                if not again:
                    return
                again -= 1

    def _probe_on(self, role: str) -> None:
        with prober(self._ground.urls[role]) as client:
            while not self._enough.wait(self._pause_s):
                for path in ("/health/live", "/health/ready"):
                    began = time.monotonic()
                    self.account.probes.append((began, role, path, probe(client, path)))


def prober(url: str) -> httpx.Client:
    """A client that opens a connection for each call, as kubelet does."""
    return httpx.Client(base_url=url, timeout=_PROBE_S, limits=httpx.Limits(max_keepalive_connections=0))


def probe(client: httpx.Client, path: str) -> int:
    """The status of a probe; 0 without an answer."""
    try:
        return client.get(path).status_code
    except httpx.HTTPError:
        return 0


class Caller:
    """A client that keeps its connection, as a program would."""

    def __init__(self, ground: Ground, patience_s: float, key: str = "unlimited") -> None:
        self._client = httpx.Client(
            base_url=ground.stack.base_url, headers={"X-API-Key": ground.keys[key]}, timeout=patience_s
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def status(self, path: str) -> int:
        """What GET of `path` is answered with."""
        return self.call("", "GET", path)[0].status

    def call(
        self,
        kind: str,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: dict[str, str] | None = None,
    ) -> tuple[Answer, httpx.Response | None]:
        """One call; no response where there was none."""
        began = time.monotonic()
        try:
            response = self._client.request(method, path, headers=headers or {}, json=body)
        except httpx.HTTPError as error:
            return Answer(began, time.monotonic(), kind, 0, detail=repr(error)), None
        came_at = time.monotonic()
        detail = response.text[:300] if response.status_code >= 500 else ""
        told = tuple(_ages(response)) if response.status_code == 200 else ()
        retry_after = response.headers.get("retry-after", "")
        return Answer(began, came_at, kind, response.status_code, retry_after, detail, told), response


def _ages(response: httpx.Response) -> Iterator[tuple[float, bool]]:
    body = response.json()
    for told in (body, *body.get("predictions", {}).values()):
        if "age_seconds" in told:
            yield told["age_seconds"], told["stale"]
