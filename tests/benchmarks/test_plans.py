"""What is read from a plan, and what of it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from benchmarks.plans import looking
from benchmarks.plans.__main__ import _shown
from benchmarks.plans.filling import Filled
from benchmarks.plans.looking import LEAST_RUNS, NotOneStatement, Seen, WholeTableRead
from benchmarks.plans.questions import Question

pytestmark = pytest.mark.django_db


def filled(*tables: str) -> Filled:
    """A database in which `tables` grow."""
    return Filled(rows=1, symbols=[], keys=[], jobs=[], busiest_account=1, sizes=dict.fromkeys(tables, 1))


def question(*queries: str) -> Question:
    """Sends `queries`, each with the number of the run."""

    def ask(_: Filled, n: int) -> Any:
        with connection.cursor() as cursor:
            for query in queries:
                cursor.execute(query, [n])
            return cursor.fetchall()

    return Question("a question", "nobody", ask)


BY_INDEX = "SELECT id, %s::int8 FROM accounts_tier WHERE name = 'pro'"
WHOLE = "SELECT id, %s::int8 + 0 FROM accounts_tier"


def test_what_is_looked_at_is_the_prepared_statement_with_its_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    seen = looking.look(question(BY_INDEX), filled("accounts_tier"), LEAST_RUNS)
    assert len(seen.indexes) == 1
    assert "accounts_tier" in seen.indexes[0]
    assert any(line.startswith("Execution Time") for line in seen.plan)
    assert 0 < seen.round_trip_ms <= seen.call_ms


def test_a_plan_that_reads_all_of_a_growing_table_is_an_error_and_of_another_one_is_none() -> None:
    with pytest.raises(WholeTableRead, match="reads all of accounts_tier:"):
        looking.look(question(WHOLE), filled("accounts_tier"), LEAST_RUNS)
    assert looking.look(question(f"{WHOLE} "), filled("api_keys"), LEAST_RUNS).indexes == []


def test_a_question_is_one_statement_that_finds_something() -> None:
    with pytest.raises(NotOneStatement, match="20 statements by 10 calls"):
        looking.look(question(BY_INDEX, WHOLE), filled(), LEAST_RUNS)
    with pytest.raises(NotOneStatement, match="nothing was found"):
        looking.look(question("SELECT %s::int8 WHERE false"), filled(), LEAST_RUNS)


def shown(*plan: str) -> str:
    """What the document has of a plan."""
    return _shown(Seen(question(), list(plan), [], 1.0, 1.0, is_generic=True))


def test_a_short_plan_is_shown_whole_and_a_long_one_by_its_beginning_and_its_end() -> None:
    assert shown("Limit", "  -> Scan") == "-- planned once for all values\nLimit\n  -> Scan"
    lines = shown(
        *(f"-> {n}" for n in range(100)), "Planning Time: 1 ms", "Execution Time: 2 ms"
    ).splitlines()
    assert lines[1] == "-> 0"
    assert lines[-3:] == ["... (79 lines more of the same)", "Planning Time: 1 ms", "Execution Time: 2 ms"]
    assert shown("x" * 200).endswith(f"{'x' * 150} ...")
