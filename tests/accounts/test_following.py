"""Changes reach the memory of a process: looked for by hand, then by the thread, with real transactions."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts import following
from accounts.actions import IssuedKey, issue_key_by_names
from accounts.directory import Directory
from accounts.following import LOOKBACK_S, Change, Follower
from accounts.models import AccessChange, ApiKey, Limit
from tests.stack import eventually

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_noted() -> None:
    """What the making of the tiers has noted is gone."""
    connection.check_constraints()
    AccessChange.objects.all().delete()


@pytest.fixture
def known() -> Directory:
    """An empty memory."""
    return Directory()


@pytest.fixture
def follower(known: Directory) -> Follower:
    """Its follower, which has not begun."""
    return Follower(known)


@pytest.fixture
def heard(follower: Follower) -> list[list[Change]]:
    """What a listener was told, look by look."""
    told: list[list[Change]] = []
    follower.add_listener(told.append)
    return told


def issue() -> IssuedKey:
    """A key."""
    return issue_key_by_names(account_name="desk", tier_name="pro", actor="test", now=NOW)


def note(subject: str, age_s: float) -> None:
    """A change that was noted `age_s` ago."""
    at = timezone.now() - timedelta(seconds=age_s)
    AccessChange.objects.create(at=at, kind="key", subject=subject)


def plain(changes: list[Change]) -> list[Change]:
    """Sorted, ids without dashes."""
    return sorted((kind, subject.replace("-", "")) for kind, subject in changes)


def remembers(known: Directory, issued: IssuedKey) -> bool:
    """True if the key would be let in without a query."""
    return known.remembered_key(issued.key.pk) is not None


def test_a_look_makes_memory_the_truth_and_takes_out_what_has_changed(
    known: Directory, follower: Follower, heard: list[list[Change]]
) -> None:
    changed, same = issue(), issue()
    for one in (changed, same):
        known.load_key(one.key.pk)
    assert not remembers(known, same)
    follower.look()
    assert remembers(known, changed)
    ApiKey.objects.filter(pk=changed.key.pk).update(revoked_at=NOW)
    assert remembers(known, changed)
    connection.check_constraints()
    follower.look()
    assert (remembers(known, changed), remembers(known, same)) == (False, True)
    assert plain(heard[-1]) == [("key", changed.key.pk.hex)]


def test_the_first_look_loads_the_tiers_and_a_change_of_a_limit_is_in_the_next(
    known: Directory, follower: Follower
) -> None:
    known_before = known.knows_tiers
    follower.look()
    assert (known_before, known.knows_tiers) == (False, True)
    Limit.objects.filter(tier__name="pro", name="hourly").update(quota=7)
    connection.check_constraints()
    follower.look()
    assert {rule.quota for rule in known.rules("pro", "prediction") if rule.name == "hourly"} == {7}


def test_nobody_is_told_of_nothing(follower: Follower, heard: list[list[Change]]) -> None:
    follower.look()
    assert heard == []


def test_changes_are_told_at_once_and_again_a_little_later_and_old_ones_not_at_all(
    follower: Follower, heard: list[list[Change]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=time.monotonic())
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: clock.now))
    recent, old = uuid.uuid4().hex, uuid.uuid4().hex
    note(recent, 1.0)
    note(recent, 0.9)
    note(old, LOOKBACK_S + 30)
    follower.look()
    assert heard == [[("key", recent)]]
    follower.look()
    assert len(heard) == 1
    for _ in range(3):
        clock.now += following.RETELL_AFTER_S
        follower.look()
    assert heard == [[("key", recent)], [("key", recent)]]


def test_changes_are_applied_at_every_look_of_the_lookback(follower: Follower, known: Directory) -> None:
    issued = issue()
    note(str(issued.key.pk), 1.0)
    for _ in range(2):
        known.load_key(issued.key.pk)
        follower.look()
        assert not remembers(known, issued)


def test_after_an_interruption_everything_since_the_last_look_is_read(
    follower: Follower, heard: list[list[Change]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=time.monotonic())
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: clock.now))
    meanwhile, before = uuid.uuid4().hex, uuid.uuid4().hex
    note(meanwhile, 55.0)
    note(before, 120.0)
    follower.look()
    assert heard == []
    clock.now += 60
    follower.look()
    assert heard == [[("key", meanwhile)]]
    follower.look()
    assert len(heard) == 1


def test_a_listener_that_fails_is_logged_and_keeps_nobody_from_hearing(
    follower: Follower, known: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    issued, told = issue(), list[list[Change]]()

    def fail(changes: list[Change]) -> None:
        raise RuntimeError("Event loop is closed")

    for listener in (fail, told.append):
        follower.add_listener(listener)
    ApiKey.objects.update(revoked_at=NOW)
    connection.check_constraints()
    follower.look()
    assert [plain(changes) for changes in told] == [[("key", issued.key.pk.hex)]]
    assert "a listener failed" in caplog.text
    known.load_key(issued.key.pk)
    assert remembers(known, issued)


def test_a_listener_that_was_removed_hears_no_more(follower: Follower, heard: list[list[Change]]) -> None:
    note(uuid.uuid4().hex, 0)
    follower.remove_listener(heard.append)
    follower.look()
    assert heard == []


def test_a_look_does_not_hide_the_errors_of_the_database(follower: Follower, known: Directory) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE access_changes RENAME TO access_changes_away")
        with pytest.raises(DatabaseError), transaction.atomic():
            follower.look()
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestWithRealTransactions:
    """What others commit, seen by the thread."""

    @pytest.fixture
    def running(self, follower: Follower, monkeypatch: pytest.MonkeyPatch) -> Iterator[Follower]:
        """The follower in its thread, in a hurry."""
        monkeypatch.setattr(following, "INTERVAL_S", 0.01)
        follower.start()
        try:
            yield follower
        finally:
            follower.stop()

    def test_a_transaction_that_commits_late_is_still_seen(
        self, known: Directory, follower: Follower, heard: list[list[Change]]
    ) -> None:
        late, early = issue(), issue()
        written, go_on = threading.Event(), threading.Event()

        def change_and_dawdle() -> None:
            try:
                with transaction.atomic():
                    ApiKey.objects.filter(pk=late.key.pk).update(revoked_at=NOW)
                    written.set()
                    assert go_on.wait(timeout=60)
            finally:
                connection.close()

        for one in (late, early):
            known.load_key(one.key.pk)
        dawdler = threading.Thread(target=change_and_dawdle)
        dawdler.start()
        try:
            assert written.wait(timeout=60)
            ApiKey.objects.filter(pk=early.key.pk).update(revoked_at=NOW)
            follower.look()
            assert (remembers(known, late), remembers(known, early)) == (True, False)
        finally:
            go_on.set()
            dawdler.join(timeout=60)
        follower.look()
        assert not remembers(known, late)
        first, second = AccessChange.objects.order_by("at")
        assert (first.subject, second.subject) == (str(early.key.pk), str(late.key.pk))
        assert heard == [[("key", str(early.key.pk))], [("key", str(late.key.pk))]]

    def test_the_thread_applies_changes_and_tells_them_until_it_is_stopped(
        self, known: Directory, running: Follower
    ) -> None:
        issued, told = issue(), threading.Event()
        running.add_listener(lambda changes: told.set())
        known.load_key(issued.key.pk)
        assert eventually(lambda: remembers(known, issued))
        ApiKey.objects.update(revoked_at=NOW)
        assert told.wait(timeout=60)
        assert not remembers(known, issued)
        running.stop()
        told.clear()
        known.load_key(issued.key.pk)
        ApiKey.objects.update(revoked_at=None)
        assert eventually(lambda: not remembers(known, issued))  # nobody says that it is still the truth
        assert not told.is_set()

    def test_it_starts_once_and_stop_ends_it(self, running: Follower) -> None:
        def threads() -> int:
            return sum(thread is running._thread for thread in threading.enumerate())

        first = running._thread
        running.start()
        assert running._thread is first
        assert threads() == 1
        running.stop()
        assert threads() == 0

    def test_stopping_what_has_not_begun_does_no_harm(self, follower: Follower) -> None:
        follower.stop()

    def test_it_survives_whatever_happens_in_a_look(
        self, running: Follower, known: Directory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed, issued = threading.Event(), issue()
        forget = known.forget

        def fail_once(kind: str, subject: str) -> None:
            if not failed.is_set():
                failed.set()
                raise RuntimeError("out of luck")
            forget(kind, subject)

        monkeypatch.setattr(known, "forget", fail_once)
        known.load_key(issued.key.pk)
        assert eventually(lambda: remembers(known, issued))
        ApiKey.objects.update(revoked_at=NOW)
        assert failed.wait(timeout=60)
        assert eventually(lambda: not remembers(known, issued))
        ApiKey.objects.update(revoked_at=None)
        assert eventually(lambda: known.load_key(issued.key.pk) and remembers(known, issued))

    def test_an_error_of_the_database_makes_it_blind_until_the_database_is_back(
        self, running: Follower, known: Directory, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING, logger="observability.outages")
        issued = issue()
        known.load_key(issued.key.pk)
        assert eventually(lambda: remembers(known, issued))
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE access_changes RENAME TO access_changes_away")
            try:
                assert eventually(lambda: known._is_blind)
                assert remembers(known, issued)
            finally:
                cursor.execute("ALTER TABLE access_changes_away RENAME TO access_changes")
        assert eventually(lambda: not known._is_blind)
        assert eventually(lambda: "is back" in caplog.text)
        lines = [record.getMessage() for record in caplog.records if "access changes" in record.getMessage()]
        assert len(lines) == 2
        assert "is unavailable: ProgrammingError" in lines[0]
