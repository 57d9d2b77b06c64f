"""Logins on a real database: one use a token, a replay ends the family, and every end holds at once.

Longer than most: the same few steps (log in, refresh, be refused) serve every test in here.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import sessions, tokens
from accounts.models import Account, AuditEvent, RefreshToken, Tier, TokenFamily, User
from accounts.sessions import LiveSession, LoginRefused, RefreshRefused, TokenPair, find_session
from observability import request_context
from tests.accounts.together import together

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
END = NOW + timedelta(days=30)
NEVER_ISSUED = "pgwr_" + "a" * 43


@pytest.fixture(autouse=True)
def _fast_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def user() -> User:
    """An operator with an account on the tier pro."""
    account = Account.objects.create(name="desk", tier=Tier.objects.get(name="pro"))
    return User.objects.create_user("ann", password="old password", role="operator", account=account)


def log_in(user: User, now: datetime = NOW) -> TokenPair:
    """A login, of whatever the row of `user` is now."""
    return sessions.log_in(user=User.objects.get(pk=user.pk), now=now, agent="a browser")


def refresh(token: str, now: datetime = NOW, arrived_at: datetime | None = None) -> TokenPair:
    """An exchange; without `arrived_at`, of a request that came when it was served."""
    return sessions.refresh(
        token=token, now=now, arrived_at=arrived_at or now, agent="a browser", clock=lambda: now
    )


def refusal(token: str, now: datetime = NOW, arrived_at: datetime | None = None) -> str:
    """The reason of the refusal, which must not repeat the token."""
    with pytest.raises(RefreshRefused) as refused:
        refresh(token, now, arrived_at)
    assert not token or token not in repr(refused.value)
    return refused.value.reason


def find_family(token: str, arrived_at: datetime = NOW) -> uuid.UUID:
    """The family of `token`, as a logout asks for it."""
    return sessions.find_family(token=token, now=NOW, arrived_at=arrived_at, agent="")


def family_of(pair: TokenPair) -> uuid.UUID:
    """The family that `pair` belongs to."""
    digest = hashlib.sha256(pair.refresh_token.encode()).hexdigest()
    return RefreshToken.objects.get(digest=digest).family_id


def session_of(pair: TokenPair, now: datetime = NOW) -> LiveSession | None:
    """The login of `pair`, if it stands."""
    return find_session(family_of(pair), now=now)


def actions() -> list[str]:
    """What the audit says was done to sessions and users, oldest first."""
    events = AuditEvent.objects.filter(kind__in=["session", "user"]).order_by("id")
    return list(events.values_list("action", flat=True))


def change_password(user: User) -> None:
    """As a form would, through the model."""
    fresh = User.objects.get(pk=user.pk)
    fresh.set_password("new password")
    fresh.save()


def test_a_login_is_a_pair_of_tokens_and_an_audit_event(user: User) -> None:
    request_context.bind("request-1", address="203.0.113.7")
    pair = sessions.log_in(user=user, now=NOW, agent="\0" + "x" * 500)
    request_context.bind("")
    assert (pair.expires_in_s, pair.refresh_expires_in_s) == (600, 30 * 86_400)
    claims = tokens.verify_access_token(pair.access_token, now=NOW)
    family = TokenFamily.objects.get()
    assert (claims.user_id, claims.family_id) == (user.pk, family.pk)
    assert (family.user, family.expires_at, family.address) == (user, END, "203.0.113.7")
    assert family.agent == "x" * 200  # what the database takes of it
    event = AuditEvent.objects.get(kind="session")
    assert (event.actor, event.action, event.subject_id) == ("user ann", "session.login", str(family.pk))
    assert (event.address, event.request_id) == ("203.0.113.7", "request-1")


def test_a_refresh_token_has_its_own_form_and_is_stored_as_a_digest(user: User) -> None:
    pair = log_in(user)
    assert pair.refresh_token.startswith("pgwr_")
    assert len(pair.refresh_token) == len(NEVER_ISSUED)
    stored = RefreshToken.objects.get()
    assert (stored.digest, stored.expires_at) == (
        hashlib.sha256(pair.refresh_token.encode()).hexdigest(),
        END,
    )


def test_how_long_tokens_last_is_a_setting(user: User, settings: Settings) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, access_token_s=60, refresh_token_s=120)
    pair = log_in(user)
    assert (pair.expires_in_s, pair.refresh_expires_in_s) == (60, 120)


def test_the_session_is_the_person_as_they_are_now_for_one_query(
    user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    family_id = family_of(log_in(user))
    account_id = Account.objects.get().pk
    with django_assert_num_queries(1):
        found = find_session(family_id, now=NOW)
    assert found == LiveSession(user.pk, "ann", "operator", account_id, "pro", family_id)
    User.objects.update(role="viewer", username="anna")
    Account.objects.update(tier=Tier.objects.get(name="free"))
    found = find_session(family_id, now=NOW)
    assert found == LiveSession(user.pk, "anna", "viewer", account_id, "free", family_id)
    User.objects.update(is_superuser=True)
    found = find_session(family_id, now=NOW)
    assert found is not None
    assert found.role == "admin"
    assert find_session(uuid.uuid4(), now=NOW) is None


ENDS: dict[str, Callable[[User], object]] = {
    "password": change_password,
    "inactive": lambda user: User.objects.update(is_active=False),
    "inactive account": lambda user: Account.objects.update(is_active=False),
    "inactive without account": lambda user: User.objects.update(account=None),
    "revoked": lambda user: sessions.log_out(family_id=TokenFamily.objects.get().pk, now=NOW),
    "revoked everywhere": lambda user: sessions.log_out_everywhere(user=user, now=NOW, because="admin"),
}


@pytest.mark.parametrize("end", ENDS)
def test_every_end_of_a_login_holds_at_once_for_both_of_its_tokens(user: User, end: str) -> None:
    pair = log_in(user)
    assert session_of(pair) is not None
    ENDS[end](user)
    assert session_of(pair) is None
    assert refusal(pair.refresh_token) == end.partition(" ")[0]
    assert RefreshToken.objects.get().used_at is None


def test_a_login_ends_with_its_time_and_refreshing_does_not_put_that_off(user: User) -> None:
    late = END - timedelta(seconds=90)
    pair = refresh(log_in(user).refresh_token, late)
    assert (pair.expires_in_s, pair.refresh_expires_in_s) == (90, 90)
    assert tokens.verify_access_token(pair.access_token, now=late).expires_at == END
    assert session_of(pair, END - SECOND) is not None
    assert session_of(pair, END) is None
    assert refusal(pair.refresh_token, END) == "expired"


def test_after_a_new_password_a_new_login_is_in_and_the_old_one_stays_out(user: User) -> None:
    checked_before = User.objects.get(pk=user.pk)
    before = log_in(user)
    change_password(user)
    after = log_in(user)
    assert session_of(before) is None
    assert session_of(after) is not None
    # The password was changed between its check and the login.
    assert session_of(sessions.log_in(user=checked_before, now=NOW, agent="")) is None


def test_a_refresh_token_is_exchanged_once_for_the_next_one(
    user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = log_in(user)
    with django_assert_num_queries(5):  # select, update, insert, and two for the transaction
        second = refresh(first.refresh_token)
    third = refresh(second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert family_of(first) == family_of(second) == family_of(third)
    assert session_of(third) is not None
    assert actions() == ["session.login"]


def test_a_replay_is_refused_and_ends_the_whole_family_with_an_audit_event(user: User) -> None:
    other, first = log_in(user), log_in(user)
    second = refresh(first.refresh_token, NOW + SECOND)
    request_context.bind("request-2", address="198.51.100.9")
    assert refusal(first.refresh_token, NOW + 2 * SECOND) == "reused"
    request_context.bind("")
    assert refusal(second.refresh_token, NOW + 3 * SECOND) == "revoked"
    assert refusal(first.refresh_token, NOW + 3 * SECOND) == "revoked"
    assert session_of(second) is None
    assert session_of(other) is not None
    family = TokenFamily.objects.get(pk=family_of(first))
    assert (family.revoked_at, family.revoked_because) == (NOW + 2 * SECOND, "reuse")
    event = AuditEvent.objects.get(action="session.refresh_reused")
    assert (event.subject_id, event.address) == (str(family.pk), "198.51.100.9")
    assert event.detail == {"agent": "a browser"}


def test_the_replay_of_a_user_who_is_switched_off_ends_the_family_too(user: User) -> None:
    pair = log_in(user)
    refresh(pair.refresh_token)
    User.objects.update(is_active=False)
    assert refusal(pair.refresh_token) == "reused"
    User.objects.update(is_active=True)
    assert session_of(pair) is None


def test_a_request_that_had_arrived_before_the_use_only_loses(user: User) -> None:
    first, late = log_in(user), NOW + 10 * SECOND
    second = refresh(first.refresh_token)
    assert refusal(first.refresh_token, late, arrived_at=NOW - timedelta(microseconds=1)) == "raced"
    assert refresh(second.refresh_token, late)
    assert refusal(first.refresh_token, late, arrived_at=NOW) == "reused"


@pytest.mark.parametrize(
    "token",
    ["", "pgwr_", NEVER_ISSUED[:-1], NEVER_ISSUED + "a", NEVER_ISSUED + "\n", "pgwr_" + "é" * 43, "\0"],
)
def test_what_has_not_the_form_of_a_token_costs_no_look_up(
    token: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):  # an empty transaction
        assert refusal(token) == "malformed"


def test_a_token_that_was_never_issued_is_unknown(user: User) -> None:
    log_in(user)
    assert refusal(NEVER_ISSUED) == "unknown"


def test_a_logout_is_noted_once_and_leaves_other_logins_alone(user: User) -> None:
    pair, other = log_in(user), log_in(user)
    assert not sessions.log_out(family_id=family_of(pair), now=END)  # it has expired by then
    assert sessions.log_out(family_id=family_of(pair), now=NOW)
    assert not sessions.log_out(family_id=family_of(pair), now=NOW)
    assert session_of(other) is not None
    assert actions() == ["session.login", "session.login", "session.logout"]


def test_a_logout_everywhere_ends_every_login_of_that_user_alone(user: User) -> None:
    pairs = [log_in(user) for _ in range(3)]
    sessions.log_out(family_id=family_of(pairs[0]), now=NOW)
    stranger = log_in(User.objects.create_user("bob", account=user.account))
    assert sessions.log_out_everywhere(user=user, now=NOW, because="password", actor="user root") == 2
    assert [session_of(pair) for pair in pairs] == [None, None, None]
    assert session_of(stranger) is not None
    event = AuditEvent.objects.get(action="session.logout_everywhere")
    assert (event.actor, event.subject) == ("user root", "ann")
    assert event.detail == {"because": "password", "logins": 2}


def test_a_refresh_token_names_its_login_without_being_used(user: User) -> None:
    pair = log_in(user)
    assert find_family(pair.refresh_token) == family_of(pair)
    assert refresh(pair.refresh_token)
    assert find_family(pair.refresh_token, arrived_at=NOW - SECOND) == family_of(pair)
    for token, reason in [
        (pair.refresh_token, "reused"),
        (pair.refresh_token, "revoked"),
        (NEVER_ISSUED, "unk"),
    ]:
        with pytest.raises(RefreshRefused, match=reason):
            find_family(token)


def test_a_user_without_an_account_gets_one_of_their_own() -> None:
    for name in ("cara", "cara-2"):
        Account.objects.create(name=name, tier=Tier.objects.get(name="enterprise"))
    cara = User.objects.create_user("cara")
    for _ in range(2):
        session = session_of(log_in(cara))
        assert session is not None
        assert (session.tier, Account.objects.get(pk=session.account_id).name) == ("free", "cara-3")
    assert AuditEvent.objects.filter(action="account.create").count() == 1


def test_who_is_switched_off_gets_no_login_and_no_account(user: User) -> None:
    Account.objects.update(is_active=False)
    for refused in (user, User.objects.create_user("lone", is_active=False)):
        with pytest.raises(LoginRefused):
            log_in(refused)
    assert not TokenFamily.objects.exists()
    assert Account.objects.count() == 1


def test_pruning_takes_what_ended_before_and_nothing_else(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_PRUNED_AT_ONCE", 2)
    for _ in range(5):
        refresh(log_in(user).refresh_token)
    revoked, standing = log_in(user, END), log_in(user, END)
    sessions.log_out(family_id=family_of(revoked), now=END + SECOND)
    assert [sessions.prune(before=END + SECOND * late) for late in (0, 1, 2)] == [0, 5, 1]
    assert TokenFamily.objects.get().pk == RefreshToken.objects.get().family_id == family_of(standing)


def test_secrets_stand_neither_in_rows_nor_in_logs_nor_in_what_is_printed(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    first = log_in(user)
    second = refresh(first.refresh_token)
    assert refusal(first.refresh_token) == "reused"
    assert "used again" in caplog.text
    models = (AuditEvent, RefreshToken, TokenFamily, User, Account)
    seen = caplog.text + repr(first) + str(second)
    seen += "".join(repr(list(model._default_manager.values())) for model in models)
    for pair in (first, second):
        assert pair.access_token.rpartition(".")[2] not in seen
        assert pair.refresh_token.removeprefix("pgwr_") not in seen
    assert "old password" not in seen


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestAtTheSameTime:
    """In threads of their own, with transactions that are really committed."""

    def test_of_twenty_parallel_refreshes_one_wins_and_the_family_lives(self, user: User) -> None:
        pair = log_in(user)
        won: list[TokenPair] = []

        def use() -> str:
            try:
                won.append(refresh(pair.refresh_token, NOW + SECOND, arrived_at=NOW))
            except RefreshRefused as refused:
                return refused.reason
            return "won"

        assert sorted(together(*[use] * 20)) == ["raced"] * 19 + ["won"]
        assert RefreshToken.objects.count() == 2
        assert refresh(won[0].refresh_token, NOW + 2 * SECOND)

    def test_of_twenty_parallel_replays_one_is_noted_and_the_family_is_dead(self, user: User) -> None:
        pair = log_in(user)
        refresh(pair.refresh_token)
        assert set(together(*[lambda: refusal(pair.refresh_token)] * 20)) <= {"reused", "revoked"}
        connection.close()  # what was not committed would be gone
        assert actions() == ["session.login", "session.refresh_reused"]
        assert session_of(pair) is None

    def test_parallel_first_logins_share_one_new_account(self) -> None:
        cara = User.objects.create_user("cara")
        together(*[lambda: log_in(cara).access_token] * 8)
        assert Account.objects.count() == 1
        assert TokenFamily.objects.count() == 8

    def test_a_refresh_inside_of_a_transaction_is_a_mistake_that_shows(self, user: User) -> None:
        pair = log_in(user)
        with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
            refresh(pair.refresh_token)
