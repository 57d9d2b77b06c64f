"""The counted time of a load: begins when all users have come and are warm, and fills the ledger.

In the process of Locust, with the plan in the file that ``LOAD_PLAN`` names.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import msgspec
from locust import events
from locust.env import Environment

from loadtests.ledger import Ledger
from loadtests.plan import BEGUN, ENDED, WRITTEN, Plan

PLAN = msgspec.json.decode(Path(os.environ["LOAD_PLAN"]).read_bytes(), type=Plan)
# Answers to calls of the counted time are waited for this long after it.
_ANSWERED_WITHIN_S = 30.0


class Counting:
    """The ledger, open for the calls that begin within the counted time."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.is_open = False
        self.underway = 0

    def run(self, environment: Environment) -> None:
        """Open after the warm-up, close, wait for what is under way, write, and end the users."""
        gevent.sleep(PLAN.warm_up_s)
        self.is_open, begun = True, time.monotonic()
        _say(BEGUN)
        gevent.sleep(PLAN.seconds)
        self.is_open = False
        self.ledger.seconds = time.monotonic() - begun
        _say(ENDED)
        deadline = time.monotonic() + _ANSWERED_WITHIN_S
        while self.underway and time.monotonic() < deadline:
            gevent.sleep(0.05)
        for _ in range(self.underway):
            self.ledger.note("no answer in time", "error", _ANSWERED_WITHIN_S)
        Path(PLAN.ledger).write_bytes(msgspec.json.encode(self.ledger))
        _say(WRITTEN)
        if environment.runner is not None:
            environment.runner.quit()


COUNTING = Counting()


def _say(what: str) -> None:
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


def _count_once_all_have_come(environment: Environment, **_: Any) -> None:
    def begin(user_count: int, **_: Any) -> None:
        gevent.spawn(COUNTING.run, environment)

    environment.events.spawning_complete.add_listener(begin)  # type: ignore[no-untyped-call]


events.init.add_listener(_count_once_all_have_come)  # type: ignore[no-untyped-call]
