"""What counting jobs in flight costs by the plan that a connection keeps since its first orders."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection

from accounts.callers import Caller
from explanations.models import Computation, ExplanationJob
from tests.explanations.orderers import order, orderer, predict
from tests.explanations.orders import make_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("newest_store")]

FINISHED = 2_000
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_plan_of_the_first_orders_serves_thousands() -> None:
    predict()
    caller = orderer()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for _ in range(10):  # the driver prepares a statement that comes again and again
            order(caller)
        finish_many(caller)
        counting = "SELECT COUNT(*)%cancelled_at%state%"
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE %s", [counting])
        names = [name for (name,) in cursor.fetchall()]
        assert len(names) == 1
        arguments = f"{caller.account_id}, 'queued', 'running'"
        cursor.execute(f'EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "{names[0]}" ({arguments})')
        [(explained,)] = cursor.fetchall()
    assert sum(rows_of(explained[0]["Plan"])) < 10 * FINISHED


def finish_many(caller: Caller) -> None:
    """Jobs of the caller that are done."""
    computations = [
        Computation(
            symbol="AAPL",
            depth="fast",
            prediction_timestamp=BEGUN + timedelta(seconds=number),
            model_version="m",
            prediction=msgspec.to_builtins(make_order().prediction),
            state=Computation.State.DONE,
            created_at=BEGUN,
            heard_at=BEGUN,
            finished_at=BEGUN,
        )
        for number in range(FINISHED)
    ]
    Computation.objects.bulk_create(computations)
    ExplanationJob.objects.bulk_create(
        ExplanationJob(
            id=uuid.uuid4(),
            computation=one,
            account_id=caller.account_id or 0,
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
