"""No statement is longer than its deadline, and what follows has none."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection, transaction

from predictions.deadlines import DeadlinePassed, deadline

pytestmark = pytest.mark.django_db

_COUNT = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %s) SELECT MAX(n) FROM c"


def test_a_statement_that_is_too_long_is_ended_and_the_transaction_undone() -> None:
    with connection.cursor() as cursor:
        with pytest.raises(DeadlinePassed), transaction.atomic(), deadline(cursor, 0.05):
            cursor.execute(_COUNT, [10**9])
        cursor.execute(_COUNT, [10])
        assert cursor.fetchone() == (10,)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_after_it_statements_take_as_long_as_they_like() -> None:
    with connection.cursor() as cursor:
        with transaction.atomic(), deadline(cursor, 0.05):
            cursor.execute(_COUNT, [10])
        cursor.execute(_COUNT, [1_000_000])
        assert cursor.fetchone() == (1_000_000,)


def test_another_error_of_the_database_stays_what_it_is() -> None:
    with (
        pytest.raises(OperationalError, match="another"),
        transaction.atomic(),
        connection.cursor() as cursor,
        deadline(cursor, 1),
    ):
        raise OperationalError("another")
