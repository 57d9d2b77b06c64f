"""What orders and reads look up costs the same however much there is, by the plans of the first of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

from explanations import reads
from explanations.models import Computation, ExplanationJob
from tests.explanations.orderers import order, orderer, predict
from tests.explanations.orders import make_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("newest_store")]

MANY = 2_000
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
OTHERS = 1_000_000


def test_what_is_looked_up_costs_the_same_beside_many() -> None:
    document, caller = predict(), orderer()
    with connection.cursor() as cursor:
        # What a connection keeps that has planned while the tables were nearly empty.
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for _ in range(10):  # the driver prepares a statement that comes again and again
            order(caller)
            assert reads.newest_explanation("AAPL", "deep") is None
        add_jobs(MANY, account_id=caller.account_id or 0, is_done=True)
        add_jobs(MANY, account_id=OTHERS, is_done=False)
        in_flight = rows_looked_at(cursor, "SELECT COUNT(%ended_at%", str(caller.account_id))
        thing = f"'fast', '{document.model_version}', '{document.timestamp}', 'AAPL'"
        same = rows_looked_at(cursor, "SELECT%prediction_timestamp%FOR UPDATE", thing)
        newest = rows_looked_at(cursor, "SELECT%ORDER BY%prediction_timestamp%", "'deep', 'AAPL'")
    assert 1 <= in_flight < 50
    assert 1 <= same < 50
    assert newest < 50


def rows_looked_at(cursor: CursorWrapper, pattern: str, arguments: str) -> float:
    """By the one prepared statement that fits `pattern`, with `arguments`."""
    cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE %s", [pattern])
    [(name,)] = cursor.fetchall()
    cursor.execute(f'EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "{name}" ({arguments})')
    [(explained,)] = cursor.fetchall()
    return sum(rows_of(explained[0]["Plan"]))


def add_jobs(count: int, *, account_id: int, is_done: bool) -> None:
    """Jobs of the account, each with a computation of its own, of the symbol that all order."""
    end = BEGUN if is_done else None
    computations = [
        Computation(
            symbol="AAPL",
            depth="fast",
            prediction_timestamp=BEGUN + timedelta(seconds=number),
            model_version=f"account {account_id}",
            prediction=msgspec.to_builtins(make_order().prediction),
            state=Computation.State.DONE if is_done else Computation.State.QUEUED,
            result={} if is_done else None,
            created_at=BEGUN,
            heard_at=BEGUN,
            finished_at=end,
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
            ended_at=end,
        )
        for one in computations
    )


def rows_of(plan: dict[str, Any]) -> Iterator[float]:
    """Rows that each step of the plan has looked at."""
    removed = (plan.get(f"Rows Removed by {kind}", 0) for kind in ("Filter", "Join Filter", "Index Recheck"))
    yield (plan["Actual Rows"] + sum(removed)) * plan["Actual Loops"]
    for step in plan.get("Plans", ()):
        yield from rows_of(step)
