"""No accepted explanation job is lost and none has two effects, whatever is killed meanwhile.

``ORDERS`` sets how many are ordered (`make faults` orders 10,000). Effects are counted by a trigger in the
database, which sees every change of a computation's result.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import urlsplit

import nats.errors
import pytest

from tests.faults.effects import COUNT_EFFECTS
from tests.people import Key, add_key
from tests.stack import Stack, event, eventually

ORDERS = int(os.environ.get("ORDERS", "300"))
SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT", "FB")
CALLERS = 8


class Orders:
    """Callers that order without a pause and keep the id of every job that was accepted."""

    def __init__(self, stack: Stack, key: Key, total: int) -> None:
        self._stack = stack
        self._headers = {**key.header, "Content-Type": "application/json"}
        self._total = total
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.are_in = False
        self.accepted: list[str] = []
        self.refused: dict[int, int] = {}

    def have_come_to(self, number: int) -> bool:
        """True when so many were accepted, or all."""
        return self.are_in or len(self.accepted) >= number

    def __enter__(self) -> Orders:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=120)

    def wait(self) -> None:
        """Wait until enough were accepted."""
        self._thread.join(timeout=600)
        assert self.are_in

    def _run(self) -> None:
        with ThreadPoolExecutor(CALLERS) as callers:
            for done in [callers.submit(self._order_on) for _ in range(CALLERS)]:
                done.result()
        self.are_in = True

    def _order_on(self) -> None:
        place = urlsplit(self._stack.base_url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        while len(self.accepted) < self._total and not self._stop.is_set():
            number = next(self._numbers)
            try:
                connection.request(
                    "POST",
                    f"/api/explanation/{SYMBOLS[number % len(SYMBOLS)]}",
                    json.dumps({"depth": ("fast", "medium", "deep")[number % 3]}),
                    self._headers,
                )
                answer = connection.getresponse()
                body = json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                connection.close()
                continue
            with self._lock:
                if answer.status == 202:
                    self.accepted.append(body["job_id"])
                else:
                    self.refused[answer.status] = self.refused.get(answer.status, 0) + 1
        connection.close()


class Feed:
    """Predictions of every symbol without a pause, so that most orders are for one of their own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            stamp = datetime.now(UTC).isoformat()
            # NATS is killed meanwhile: a pipeline that is not connected goes on when it is.
            with contextlib.suppress(OSError, nats.errors.Error):
                self._stack.publish(*(event(symbol, timestamp=stamp) for symbol in SYMBOLS))


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(timeout=60)


def _kill_all_in_turn(stack: Stack, running: dict[str, subprocess.Popen[bytes]], orders: Orders) -> int:
    """Kill and restart one thing after the other until the orders are in; returns how many were killed."""
    starts = {"worker": stack.start_worker, "bridge": stack.start_bridge_at_once}
    victims = itertools.cycle(["worker", "bridge", "nats", "redis", "worker", "nats with its store"])
    for killed, victim in enumerate(victims):
        if killed >= 6 and orders.are_in:
            return killed
        if victim in starts:
            _kill(running[victim])
            running[victim] = starts[victim]()
        elif victim == "redis":
            stack.redis.kill()
            stack.redis.start()
        else:
            stack.nats.kill()
            if "store" in victim:
                stack.nats.wipe("jetstream")
            stack.nats.start()
        more = len(orders.accepted) + ORDERS // 20
        eventually(functools.partial(orders.have_come_to, more), timeout_s=120)
    raise AssertionError("cycles do not end")


@pytest.fixture
def explaining(own_stack: Stack) -> Stack:
    """A stack with room for every order."""
    own_stack.environ |= {"EXPLANATIONS_IN_FLIGHT": "1000000", "EXPLAIN_ACK_WAIT_S": "2"}
    own_stack.execute(COUNT_EFFECTS)
    return own_stack


def test_every_accepted_job_ends_and_has_one_effect_whatever_is_killed(explaining: Stack) -> None:
    stack = explaining
    running = {"bridge": stack.start_bridge(), "worker": stack.start_worker()}
    stack.start_web()
    key = add_key(stack, "enterprise")
    stack.publish(*(event(symbol) for symbol in SYMBOLS))
    eventually(lambda: all(stack.read(symbol) for symbol in SYMBOLS))
    with Feed(stack), Orders(stack, key, ORDERS) as orders:
        killed = _kill_all_in_turn(stack, running, orders)
        orders.wait()
    eventually(lambda: not _count_unfinished(stack), timeout_s=60 + ORDERS / 20)

    states = dict(
        stack.rows(
            "SELECT c.state, count(*) FROM explanations_explanationjob j "
            "JOIN explanations_computation c ON c.id = j.computation_id "
            "WHERE j.id = ANY(%s::uuid[]) GROUP BY 1",
            orders.accepted,
        )
    )
    computations = stack.rows("SELECT count(*) FROM explanations_computation")[0][0]
    effects = stack.rows("SELECT count(*), count(DISTINCT computation) FROM effects")[0]
    owed = stack.rows("SELECT count(*) FROM outbox")[0][0]
    sys.stdout.write(
        f"\n{len(orders.accepted)} orders accepted, {sum(orders.refused.values())} refused, {killed} kills; "
        f"jobs by state: {states}; {computations} computations, "
        f"{effects[0]} effects on {effects[1]} of them, {owed} messages still owed\n"
    )
    assert len(set(orders.accepted)) == len(orders.accepted) >= ORDERS
    assert states == {"done": len(orders.accepted)}
    assert effects == (computations, computations)
    assert owed == 0
    assert set(orders.refused) <= {503}


def _count_unfinished(stack: Stack) -> int:
    query = "SELECT count(*) FROM explanations_computation WHERE state IN ('queued', 'running')"
    return int(stack.rows(query)[0][0])


def test_orders_are_accepted_while_nats_is_away_and_done_when_it_is_back(explaining: Stack) -> None:
    stack = explaining
    stack.start_bridge()
    stack.start_worker()
    stack.start_web()
    stack.publish(*(event(symbol) for symbol in SYMBOLS))
    eventually(lambda: all(stack.read(symbol) for symbol in SYMBOLS))
    key = add_key(stack, "enterprise")
    stack.nats.kill()
    with Orders(stack, key, 20) as orders:
        orders.wait()
    assert orders.refused == {}
    assert _count_unfinished(stack) > 0
    stack.nats.start()
    eventually(lambda: not _count_unfinished(stack), timeout_s=60)
    states = {state for (state,) in stack.rows("SELECT state FROM explanations_computation")}
    assert states == {"done"}
