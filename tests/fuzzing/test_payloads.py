"""Mutated messages through a real NATS to a running bridge and worker; ``PAYLOADS`` sets how many.

Predictions, orders of explanations and what workers say of them: whatever they are, the processes live, what
does not fit becomes a dead letter within the bounds of that stream, nothing is swallowed, and everybody else
is served.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections import Counter
from dataclasses import astuple, dataclass
from random import Random

import httpx
from nats.js.api import StreamState

from benchmarks.side_by_side.processes import Meter
from events import streams
from tests.explained import add_job
from tests.fuzzing.conftest import Target
from tests.fuzzing.courier import Courier, carrying
from tests.fuzzing.levels import Level, in_short, level_of
from tests.fuzzing.payloads import Payloads
from tests.fuzzing.witness import witnessing
from tests.integration.test_metrics import total
from tests.people import Key, add_account, add_key
from tests.stack import Stack, eventually

PAYLOADS = int(os.environ.get("PAYLOADS", "5000"))
JOBS = 50
MOST_GROWTH_MB = {"web": 48, "bridge": 48, "worker": 48}
MOST_GROWTH_OF_CHILDREN_MB = 24
MOST_FURTHER_FILES = 8


def test_bridge_and_worker_outlive_mutated_messages_and_serve_everybody_else(
    target: Target, seed: int, tell: list[str]
) -> None:
    stack = target.stack
    account = add_account(stack, "enterprise")
    random = Random(f"payloads {seed}")
    jobs = [add_job(stack, account) for _ in range(JOBS)]
    known = [row[0] for row in stack.rows("SELECT computation_id FROM explanations_explanationjob")]
    payloads = Payloads(random, known)
    levels: list[dict[str, Level]] = []

    async def run() -> tuple[Courier, Counts, StreamState]:
        async with carrying(stack.nats.url) as courier:
            before = await count(target, courier)
            async with witnessing(stack, "WITNP") as witness:
                for tenth in range(1, 11):
                    await courier.run(payloads.make, PAYLOADS * tenth // 10)
                    await courier.tell_to_leave(random.randbytes(tenth))
                    target.log.check()
                    levels.append({role: level_of(one) for role, one in target.processes.items()})
            await courier.until_orders_have_ended()
            made = await count(target, courier) - before
            assert made.arrived == courier.sent[streams.PREDICTION_UPDATED] + len(witness.published)
            return courier, made, await courier.state_of(streams.DEAD_LETTERS)

    begun = time.monotonic()
    meter = Meter({role: one.pid for role, one in target.processes.items()})
    courier, made, letters = asyncio.run(run())
    cpu = {role: f"{used:.0f} s" for role, used in meter.used_s().items()}
    tell += [
        f"{courier.sent.total():,} messages in {time.monotonic() - begun:.0f} s: {dict(courier.sent)}",
        f"  dead letters: {letters.messages:,} kept in {letters.bytes >> 20} MiB of {letters.last_seq:,}",
        f"  came of it: {made}, refused {dict(courier.ledger.refused)}",
        *(f"  {role} after each tenth: {in_short([one[role] for one in levels])}" for role in levels[0]),
        f"  CPU: {cpu}",
        f"  lines of the log: {dict(target.log.told)}",
    ]
    assert 0 < letters.bytes <= streams.DEAD_LETTERS.max_bytes
    check_nothing_is_swallowed(made, courier.ledger.refused.total())
    check_ends(stack, courier.ledger.ended.intersection(known))
    check_sizes(levels)
    check_reads(stack, add_key(stack, "enterprise", account=account), jobs)
    check_explains(stack)


@dataclass(frozen=True, slots=True)
class Counts:
    """What ever came of messages, by counters that no bound of a stream or a table takes back."""

    arrived: int
    """Predictions that JetStream has stored."""
    rows: int
    repeated: int
    redelivered: int
    dead: int
    """Letters of all subjects, each message once."""

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(now - then for now, then in zip(astuple(self), astuple(other), strict=True)))


async def count(target: Target, courier: Courier) -> Counts:
    """How they stand now."""
    return Counts(
        arrived=(await courier.state_of(streams.PREDICTIONS)).last_seq,
        rows=int(target.stack.rows("SELECT count(*) FROM predictions_prediction")[0][0]),
        repeated=int(total(target.bridge_url, "pgw_bridge_events_total", outcome="repeated")),
        redelivered=int(total(target.bridge_url, "pgw_bridge_redeliveries_total")),
        dead=(await courier.state_of(streams.DEAD_LETTERS)).last_seq,
    )


def check_nothing_is_swallowed(made: Counts, refused: int) -> None:
    """Each prediction is in the record, a repetition, or a dead letter, and so is all else that was refused.

    A message that came twice may have been counted as a repetition twice.
    """
    told = made.rows + made.repeated + made.dead - refused
    assert made.arrived <= told <= made.arrived + made.redelivered, (made, refused)


def check_ends(stack: Stack, told: set[uuid.UUID]) -> None:
    """What a worker says of the end of a job ends it."""
    assert told
    query = "SELECT id FROM explanations_computation WHERE state IN ('done', 'failed')"
    assert told <= {row[0] for row in stack.rows(query)}


def check_sizes(levels: list[dict[str, Level]]) -> None:
    """No process grows, nor does a child: the greatest counts, for one that is new is small."""
    assert all(one["worker"].children_mb for one in levels)
    for role, most in MOST_GROWTH_MB.items():
        first, last = levels[0][role], levels[-1][role]
        children_mb = max(one[role].children_mb for one in levels)
        assert last.resident_mb - first.resident_mb < most, (role, levels)
        assert children_mb - first.children_mb < MOST_GROWTH_OF_CHILDREN_MB, (role, levels)
        assert last.files - first.files < MOST_FURTHER_FILES, (role, levels)


def check_reads(stack: Stack, key: Key, jobs: list[uuid.UUID]) -> None:
    """Whatever was said of the jobs, their owner reads how they stand; most have ended."""
    with httpx.Client(base_url=stack.base_url, headers=key.header, timeout=60) as client:
        statuses = Counter(client.get(f"/api/explanation/job/{job}").status_code for job in jobs)
    assert set(statuses) <= {200, 202, 500}, statuses  # done, on its way, failed with the reason
    assert statuses[200] + statuses[500] > 0, statuses


def check_explains(stack: Stack) -> None:
    """An order goes its whole way."""
    key = {"X-API-Key": stack.key}
    url = f"{stack.base_url}/api/explanation/WITNP"
    ordered = httpx.post(url, json={"depth": "fast"}, headers=key, timeout=60)
    assert ordered.status_code == 202, ordered.text
    job = f"/api/explanation/job/{ordered.json()['job_id']}"
    eventually(lambda: stack.get(job).json()["status"] == "done")
