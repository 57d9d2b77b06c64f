"""What an order looks up costs the same however many were finished, by the plans of the first orders."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

from explanations.models import Computation, ExplanationJob
from tests.explanations.orderers import order, orderer, predict
from tests.explanations.orders import make_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("newest_store")]

FINISHED = 2_000
ELSEWHERE = 200
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
OTHERS = 1_000_000


def test_what_has_ended_costs_an_order_nothing() -> None:
    predict()
    caller = orderer()
    with connection.cursor() as cursor:
        # What a connection keeps that has planned while the tables were nearly empty.
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for _ in range(10):  # the driver prepares a statement that comes again and again
            order(caller)
        add_jobs(FINISHED, account_id=caller.account_id or 0, state=Computation.State.DONE)
        add_jobs(ELSEWHERE, account_id=OTHERS, state=Computation.State.QUEUED)
        in_flight = rows_looked_at(
            cursor, "SELECT COALESCE(SUM((SELECT COUNT(%finished_at%", f"{caller.account_id}, 0"
        )
        same = rows_looked_at(
            cursor,
            "SELECT%prediction_timestamp%FOR UPDATE",
            f"'fast', 'm', '{BEGUN}', 'queued', 'running', 'done', 'AAPL'",
        )
    assert ELSEWHERE <= in_flight < 5 * ELSEWHERE
    assert 1 <= same < 10


def rows_looked_at(cursor: CursorWrapper, pattern: str, arguments: str) -> float:
    """By the one prepared statement that fits `pattern`, with `arguments`."""
    cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE %s", [pattern])
    [(name,)] = cursor.fetchall()
    cursor.execute(f'EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "{name}" ({arguments})')
    [(explained,)] = cursor.fetchall()
    return sum(rows_of(explained[0]["Plan"]))


def add_jobs(count: int, *, account_id: int, state: Computation.State) -> None:
    """Jobs of the account, each with a computation of its own."""
    computations = [
        Computation(
            symbol="AAPL",
            depth="fast",
            prediction_timestamp=BEGUN + timedelta(seconds=number),
            model_version=state.value,
            prediction=msgspec.to_builtins(make_order().prediction),
            state=state,
            created_at=BEGUN,
            heard_at=BEGUN,
            finished_at=None if state in Computation.UNFINISHED else BEGUN,
        )
        for number in range(count)
    ]
    Computation.objects.bulk_create(computations)
    ExplanationJob.objects.bulk_create(
        ExplanationJob(
            id=uuid.uuid4(),
            computation=one,
            account_id=account_id,
            created_at=BEGUN,
            ordered_by="tests",
        )
        for one in computations
    )


def rows_of(plan: dict[str, Any]) -> Iterator[float]:
    """Rows that each step of the plan has looked at."""
    removed = (plan.get(f"Rows Removed by {kind}", 0) for kind in ("Filter", "Join Filter", "Index Recheck"))
    yield (plan["Actual Rows"] + sum(removed)) * plan["Actual Loops"]
    for step in plan.get("Plans", ()):
        yield from rows_of(step)
