"""What was counted is written in a rhythm, whatever goes wrong once; what is too old goes every hour."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import DatabaseError, OperationalError, connection
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import failures, flushing, last_use, sessions, usage
from accounts.failures import Failure
from accounts.models import (
    AccessChange,
    Account,
    ApiKey,
    AuthenticationFailure,
    Tier,
    TokenFamily,
    UsageHour,
    User,
)
from accounts.models.records import NO_KEY
from observability import blocking
from observability.outages import Outage
from tests.stack import eventually

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _nothing_counted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, usage_flush_s=0.01, usage_retention_days=90)
    monkeypatch.setattr(flushing, "_outage", Outage("the database (usage)"))
    for counted in (usage._tallies, failures._counted, last_use._uses):
        counted.clear()
    yield
    for counted in (usage._tallies, failures._counted, last_use._uses):
        counted.clear()


def count(at: datetime = NOW) -> None:
    """A call."""
    usage.count(account_id=1, key_id=NO_KEY, route="prediction", status=200, latency_ms=1, bytes_out=1, at=at)


def make_key() -> ApiKey:
    """A key."""
    tier = Tier.objects.get(name="pro")
    account, _ = Account.objects.get_or_create(name="desk", defaults={"tier": tier})
    return ApiKey.objects.create(account=account, tier=tier, digest=uuid.uuid4().hex)


def count_everything() -> ApiKey:
    """A call, a refusal, and a use of the key that is returned."""
    key = make_key()
    count(datetime.now(UTC))  # not so old that it would be pruned at once
    failures.count(reason="unknown", key="", address="203.0.113.7")
    last_use.note(key.pk, at=NOW, address="203.0.113.7", agent="curl")
    return key


def written(key: ApiKey) -> tuple[list[int], list[int], datetime | None]:
    """Calls, refusals and the last use, as the database has them."""
    return (
        list(UsageHour.objects.values_list("calls", flat=True)),
        list(AuthenticationFailure.objects.values_list("count", flat=True)),
        ApiKey.objects.get(pk=key.pk).last_used_at,
    )


def test_a_flush_writes_all_that_was_counted_by_one_statement_each(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    key = count_everything()
    with django_assert_num_queries(3):
        flushing.flush()
    assert written(key) == ([1], [1], NOW)
    with django_assert_num_queries(0):
        flushing.flush()


def test_what_is_too_old_is_deleted_and_nothing_else() -> None:
    days_90 = timedelta(days=90)
    for at in (NOW - days_90, NOW - days_90 - timedelta(hours=1)):
        count(at)
    usage.flush()
    for at in (NOW - days_90, NOW - days_90 - SECOND):
        failures._add(Failure(at, "unknown", "", ""), 1)
    failures.flush()
    AccessChange.objects.all().delete()
    user = User.objects.create(username="ann", password="x", account=make_key().account)
    for ended in (NOW - timedelta(days=7), NOW - timedelta(days=7) - SECOND):
        sessions.log_in(user=user, now=NOW, agent="")
        TokenFamily.objects.filter(expires_at__gt=NOW).update(expires_at=ended)
    AccessChange.objects.all().delete()
    hour = timedelta(hours=1)
    for at in (NOW - hour, NOW - hour - SECOND):
        AccessChange.objects.create(at=at, kind="tier", subject="1")
    flushing.prune(NOW)
    assert list(UsageHour.objects.values_list("hour", flat=True)) == [NOW - days_90]
    assert list(AuthenticationFailure.objects.values_list("minute", flat=True)) == [NOW - days_90]
    assert list(TokenFamily.objects.values_list("expires_at", flat=True)) == [NOW - timedelta(days=7)]
    assert list(AccessChange.objects.filter(subject="1").values_list("at", flat=True)) == [NOW - hour]


def rename(old: str, new: str) -> None:
    """Take a table away, or put it back."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")


@contextlib.asynccontextmanager
async def running_flusher() -> AsyncIterator[asyncio.Task[None]]:
    """The flusher, ended as a server ends it."""
    task = asyncio.create_task(flushing.run_flusher())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until_written(key: ApiKey) -> None:
    """Returns when all that `count_everything` has counted is written."""

    def wait() -> None:
        try:
            eventually(lambda: written(key) == ([1], [1], NOW))
        finally:
            connection.close()

    await asyncio.to_thread(wait)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestWithRealTransactions:
    """The task that a server runs, which writes in threads."""

    @pytest.mark.parametrize("table", ["accounts_usagehour", "accounts_authenticationfailure", "api_keys"])
    def test_an_error_at_whichever_table_loses_nothing_and_counts_nothing_twice(self, table: str) -> None:
        key = count_everything()
        rename(table, "away")
        try:
            with pytest.raises(DatabaseError):
                flushing.flush()
        finally:
            rename("away", table)
        flushing.flush()
        assert written(key) == ([1], [1], NOW)

    async def test_it_writes_until_it_is_cancelled(self) -> None:
        key = await blocking.run(count_everything)
        async with running_flusher() as task:
            await until_written(key)
            assert not task.done()
        assert task.cancelled()

    async def test_it_goes_on_after_every_kind_of_error(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        flush, key = flushing.flush, await blocking.run(count_everything)
        errors: list[Exception] = [RuntimeError("odd"), OperationalError("gone"), TimeoutError()]

        def fail_first() -> None:
            if errors:
                raise errors.pop()
            flush()

        monkeypatch.setattr(flushing, "flush", fail_first)
        async with running_flusher():
            await until_written(key)
        lines = [record.getMessage() for record in caplog.records]
        assert [line.partition(":")[0] for line in lines] == [
            "the database (usage) is unavailable",
            "could not write usage",
            *[line for line in lines if "is back after" in line],
        ]

    async def test_the_database_itself_may_be_what_fails(self) -> None:
        key = await blocking.run(count_everything)
        await blocking.run(rename, "accounts_usagehour", "usage_away")
        async with running_flusher():
            try:
                await asyncio.to_thread(eventually, lambda: flushing._outage.ongoing)
            finally:
                await blocking.run(rename, "usage_away", "accounts_usagehour")
            await until_written(key)

    async def test_it_prunes_at_first_and_then_not_before_an_hour_has_gone_even_if_that_fails(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pruned: list[datetime] = []
        enough, flushes = asyncio.Event(), iter(range(10_000))
        loop = asyncio.get_running_loop()

        def prune(now: datetime) -> None:
            pruned.append(now)
            raise OperationalError("canceling statement due to statement timeout")

        def flush() -> None:
            if next(flushes) == 5:
                loop.call_soon_threadsafe(enough.set)

        monkeypatch.setattr(flushing, "prune", prune)
        monkeypatch.setattr(flushing, "flush", flush)
        async with running_flusher(), asyncio.timeout(20):
            await enough.wait()
        assert len(pruned) == 1
        assert abs(pruned[0] - datetime.now(UTC)) < timedelta(minutes=1)
