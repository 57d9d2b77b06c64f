"""The users, for Locust: programs with keys, people who log in, one who renews a key, one in a hurry.

Locust runs this file in a process of its own (it replaces parts of the standard library there), with the plan
in the file that ``LOAD_PLAN`` names. Every user has one connection and an address of its own, which it tells
as a proxy would.
"""

from __future__ import annotations

import itertools
import random
import time
import uuid
from collections.abc import Collection
from typing import Any

import gevent
import msgspec
from locust import FastHttpUser, constant, task
from locust.env import Environment

from loadtests.counting import COUNTING, PLAN
from loadtests.ledger import judge
from loadtests.plan import address_of

_MOST_POLLS = 30
# An access token lasts for 10 minutes unless somebody says otherwise.
_TOKEN_GOOD_S = 300.0
_OK = (200,)


_numbers = itertools.count()
_programs = itertools.cycle(PLAN.programs)
_people = itertools.cycle(PLAN.people)


class Caller(FastHttpUser):
    """A user with an address, who is counted."""

    abstract = True
    network_timeout = 30.0
    connection_timeout = 30.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.credential: dict[str, str] = {}
        self.address = {"X-Forwarded-For": address_of(next(_numbers))}
        self.seen: dict[str, str] = {}

    def wait_time(self) -> float:
        """How long the user thinks."""
        return random.uniform(PLAN.think_from_s, PLAN.think_to_s)

    def call(
        self, name: str, method: str, path: str, *, expected: Collection[int] = _OK, **options: Any
    ) -> Any:
        """The response, whose `status_code` is 0 where there was none."""
        headers = self.address | self.credential | options.pop("headers", {})
        counts = COUNTING.is_open
        COUNTING.underway += counts
        try:
            with self.client.request(
                method, path, name=name, headers=headers, catch_response=True, **options
            ) as response:
                outcome = judge(response.status_code, expected)
                if outcome == "error":
                    response.failure(f"status {response.status_code}")
                else:
                    response.success()
        finally:
            COUNTING.underway -= counts
        if counts:
            COUNTING.ledger.note(name, outcome, response.request_meta["response_time"] / 1000)
            if outcome == "error":
                COUNTING.ledger.notice(f"{name}: {response.status_code} {response.error} {response.text}")
        return response

    def read(self) -> None:
        """One prediction."""
        symbol = random.choice(PLAN.symbols)
        response = self.call("read", "GET", f"/api/prediction/{symbol}")
        if response.status_code == 200:
            self.seen = {symbol: response.headers["etag"]}

    def read_again(self) -> None:
        """The one that was read last, unless it is still the same."""
        if not self.seen:
            self.read()
            return
        symbol = next(reversed(self.seen))
        conditions = {"If-None-Match": self.seen[symbol]}
        response = self.call("read again", "GET", f"/api/prediction/{symbol}", headers=conditions)
        if response.status_code == 200:
            self.seen[symbol] = response.headers["etag"]

    def read_batch(self) -> None:
        """Ten to fifty predictions."""
        count = min(random.randint(10, 50), len(PLAN.symbols))
        symbols = ",".join(random.sample(PLAN.symbols, count))
        self.call("batch", "GET", f"/api/predictions?symbols={symbols}")

    def read_history(self) -> None:
        """A page, and the next."""
        symbol = random.choice(PLAN.symbols)
        page = f"/api/prediction/{symbol}/history?limit=10"
        response = self.call("history", "GET", page)
        if response.status_code == 200 and (place := response.json()["next"]):
            self.call("history", "GET", f"{page}&cursor={place}")

    def explain(self) -> None:
        """Order an explanation, and ask after it as the answer says."""
        response = self.call(
            "order explanation",
            "POST",
            f"/api/explanation/{random.choice(PLAN.symbols)}",
            expected=(200, 202),
            json={"depth": random.choice(("fast", "medium"))},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
        status_url = response.json()["status_url"] if response.status_code == 202 else ""
        for _ in range(_MOST_POLLS):
            if response.status_code != 202:
                return
            gevent.sleep(float(response.headers.get("retry-after") or 1))
            response = self.call("ask for explanation", "GET", status_url, expected=(200, 202))
        COUNTING.ledger.notice(f"{status_url} is not done after {_MOST_POLLS} questions")
        COUNTING.ledger.note("explanation not done in time", "error", 0.0)


class Program(Caller):
    """A program with a key, or without one: then it may only read."""

    weight = max(1, round(1000 * (1 - PLAN.people_share)))

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.take_key()

    def take_key(self) -> None:
        """The next of the plan's."""
        key = next(_programs).key
        self.credential = {"X-API-Key": key} if key else {}

    @task
    def work(self) -> None:
        """One of the calls, by their share of all."""
        if PLAN.changes_key:
            self.take_key()
        if PLAN.mix == "light":
            (act,) = random.choices((self.read, self.read_batch, self.read_history), (80, 10, 10))
        else:
            acts = (self.read, self.read_again, self.read_batch, self.read_history, self.explain)
            (act,) = random.choices(acts, (45, 25, 15, 13, 2))
            if act == self.explain and not self.credential:
                act = self.read
        act()


class LoggedIn(Caller):
    """Somebody with a login. Locust takes the tasks of all base classes: it has none."""

    abstract = True

    def on_start(self) -> None:
        """Log in."""
        self.person = next(_people)
        self.refresh_token = ""
        self.log_in()

    def log_in(self) -> None:
        """With the password; whoever is in logs out first."""
        if self.refresh_token:
            left = {"refresh_token": self.refresh_token}
            self.call("log out", "POST", "/auth/logout", expected=(204,), json=left)
        self.credential = {}
        self.take_pair("log in", "/auth/login", msgspec.to_builtins(self.person))

    def refresh(self) -> None:
        """The next pair of tokens."""
        self.take_pair("refresh", "/auth/refresh", {"refresh_token": self.refresh_token})

    def take_pair(self, name: str, path: str, body: dict[str, str]) -> None:
        """Tokens, for as long as they are good."""
        response = self.call(name, "POST", path, json=body)
        if response.status_code == 200:
            pair = response.json()
            self.refresh_token = pair["refresh_token"]
            self.credential = {"Authorization": f"Bearer {pair['access_token']}"}


class Person(LoggedIn):
    """Somebody who works with the token, refreshes it, and logs in anew about every 5 minutes."""

    weight = max(1, round(1000 * PLAN.people_share))

    def look_at_profile(self) -> None:
        """What the account has used."""
        self.call("profile", "GET", "/auth/profile")

    @task
    def work(self) -> None:
        """One of the calls, by their share of all."""
        if not self.credential:
            self.log_in()
            return
        acts = (
            self.read,
            self.read_again,
            self.read_history,
            self.look_at_profile,
            self.refresh,
            self.log_in,
        )
        (act,) = random.choices(acts, (70, 40, 20, 12, 7, 1))
        act()


class Rotator(LoggedIn):
    """Somebody who registers a key, lets a program read with it, and renews it, again and again."""

    weight = 1
    fixed_count = PLAN.rotators

    def on_start(self) -> None:
        """Log in, and make the key."""
        super().on_start()
        self.keep_token()
        self.key_id, self.key = "", ""

    def keep_token(self) -> None:
        """For as long as it is good."""
        self.own, self.good_until = dict(self.credential), time.monotonic() + _TOKEN_GOOD_S

    @task
    def work(self) -> None:
        """Read with the key; in one of twenty turns another one takes its place at once."""
        if not self.key:
            self.take_key("register key", "/auth/register", {"name": "rotated"})
        elif random.random() < 0.05:
            self.take_key("rotate key", "/auth/rotate-key", {"key": self.key_id, "overlap": "0"})
        else:
            self.credential = {"X-API-Key": self.key}
            self.read()

    def take_key(self, name: str, path: str, body: dict[str, str]) -> None:
        """What the person gets for a token."""
        if random.random() < 0.3 or time.monotonic() > self.good_until:
            self.refresh()
            self.keep_token()
        self.credential = dict(self.own)
        response = self.call(name, "POST", path, expected=(201,), json=body)
        if response.status_code == 201:
            self.key_id, self.key = response.json()["id"], response.json()["key"]


class Hurried(Caller):
    """A program that thinks no time at all: what the generator can do at the most."""

    weight = 1
    wait_time = constant(0)

    @task
    def work(self) -> None:
        """Read."""
        self.read()
