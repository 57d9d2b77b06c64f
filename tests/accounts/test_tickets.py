"""Tickets in a real Valkey: good once, for half a minute, for whom they were issued, as they stand then."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import redis
from pytest_django import Settings

from accounts import actions, sessions, tickets
from accounts.actions import IssuedKey, issue_key_by_names
from accounts.callers import ANONYMOUS, Caller
from accounts.credentials import CredentialRefused, authenticate
from accounts.models import Account, ApiKey, Tier, TokenFamily, User
from accounts.tickets import PREFIX, TicketsUnavailable, issue, redeem
from tests.accounts.together import together
from tests.servers import running_valkey

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESS = "203.0.113.7"


@pytest.fixture(autouse=True)
def _store(redis_client: redis.Redis) -> Iterator[None]:
    """The Valkey of this process, empty, behind a client that no other test has made."""
    tickets._redis.cache_clear()
    yield
    tickets._redis().close()
    tickets._redis.cache_clear()


@pytest.fixture
def issued() -> IssuedKey:
    """A key."""
    return issue_key_by_names(account_name="desk", tier_name="pro", actor="test", now=NOW)


@pytest.fixture
def key_caller(issued: IssuedKey) -> Caller:
    """Who calls with the key."""
    return authenticate(issued.secret, now=NOW, address=ADDRESS)


@pytest.fixture
def person(settings: Settings) -> Caller:
    """An operator who is logged in."""
    account = Account.objects.create(name="people", tier=Tier.objects.get(name="free"))
    user = User.objects.create(username="ann", password="x", role="operator", account=account)
    pair = sessions.log_in(user=user, now=NOW, agent="")
    return authenticate(pair.access_token, now=NOW, address=ADDRESS)


def refusal(ticket: str, now: datetime = NOW, address: str = ADDRESS) -> str:
    """The reason of the refusal, which must not repeat the ticket."""
    with pytest.raises(CredentialRefused) as refused:
        redeem(ticket, now=now, address=address)
    assert not ticket or ticket not in refused.value.detail
    return refused.value.reason


def name_of(ticket: str) -> str:
    """Where it is stored."""
    return "pgw:ticket:" + hashlib.sha256(ticket.encode()).hexdigest()


def test_a_ticket_of_a_key_is_its_caller_once(key_caller: Caller) -> None:
    ticket = issue(key_caller)
    assert ticket.startswith(PREFIX)
    assert redeem(ticket, now=NOW, address=ADDRESS) == key_caller
    assert refusal(ticket) == "token"


def test_a_ticket_of_a_login_is_the_person_once_and_ends_with_the_access_token(person: Caller) -> None:
    assert person.expires_at is not None
    ticket = issue(person)
    assert redeem(ticket, now=NOW, address=ADDRESS) == person
    assert refusal(ticket) == "token"
    assert refusal(issue(person), now=person.expires_at) == "expired"
    assert redeem(issue(person), now=person.expires_at - timedelta(seconds=1), address=ADDRESS) == person


def test_a_ticket_lives_for_half_a_minute_and_every_one_is_another(
    key_caller: Caller, redis_client: redis.Redis
) -> None:
    ticket, other = issue(key_caller), issue(key_caller)
    assert ticket != other
    assert 25 < redis_client.ttl(name_of(ticket)) <= tickets.LIFETIME_S == 30
    redis_client.expire(name_of(ticket), 0)
    assert refusal(ticket) == "token"
    assert redeem(other, now=NOW, address=ADDRESS) == key_caller


@pytest.mark.parametrize("ticket", ["", PREFIX, PREFIX + "a" * 43, "\0", "pgwt_\ud800", "x" * 100_000])
def test_what_was_never_issued_is_refused(ticket: str) -> None:
    assert refusal(ticket) == "token"


def test_the_store_learns_neither_the_ticket_nor_the_secret_of_the_key(
    issued: IssuedKey, key_caller: Caller, person: Caller, redis_client: redis.Redis
) -> None:
    kept = [issue(key_caller), issue(person)]
    names = [name.decode() for name in redis_client.scan_iter()]
    assert sorted(names) == sorted(map(name_of, kept))
    everything = " ".join(names) + repr([redis_client.get(name) for name in names])
    for secret in (*(ticket.removeprefix(PREFIX) for ticket in kept), issued.secret.rpartition("_")[2]):
        assert secret not in everything
    assert issued.key.digest not in everything


def revoke(caller: Caller) -> None:
    """End what stands behind it."""
    if caller.key_id is not None:
        actions.revoke_key(key=ApiKey.objects.get(pk=caller.key_id), actor="test", now=NOW)
    else:
        sessions.log_out(family_id=TokenFamily.objects.get().pk, now=NOW)


def test_a_key_that_was_revoked_meanwhile_is_refused_and_the_ticket_is_gone(key_caller: Caller) -> None:
    ticket = issue(key_caller)
    revoke(key_caller)
    assert refusal(ticket) == "revoked"
    assert refusal(ticket) == "token"


def test_a_login_that_has_ended_meanwhile_is_refused_and_the_ticket_is_gone(person: Caller) -> None:
    ticket = issue(person)
    revoke(person)
    assert refusal(ticket) == "token"
    assert TokenFamily.objects.update(revoked_at=None) == 1
    assert refusal(ticket) == "token"


def test_other_ends_hold_too(key_caller: Caller, person: Caller) -> None:
    kept = [issue(key_caller), issue(person), issue(key_caller), issue(key_caller)]
    Account.objects.update(is_active=False)
    assert (refusal(kept[0]), refusal(kept[1])) == ("inactive", "token")
    Account.objects.update(is_active=True)
    ApiKey.objects.update(networks=["198.51.100.0/24"])
    assert refusal(kept[2]) == "network"
    ApiKey.objects.all().delete()
    assert refusal(kept[3]) == "unknown"


def test_the_rights_are_those_of_the_moment_of_use(key_caller: Caller, person: Caller) -> None:
    kept = [issue(key_caller), issue(person)]
    ApiKey.objects.update(scopes=["stream"], tier=Tier.objects.get(name="enterprise"))
    User.objects.update(role="viewer")
    found = [redeem(ticket, now=NOW, address=ADDRESS) for ticket in kept]
    assert (found[0].tier, found[0].scopes) == ("enterprise", frozenset({"stream"}))
    assert found[1].role == "viewer"


def test_an_anonymous_caller_gets_none(redis_client: redis.Redis) -> None:
    with pytest.raises(ValueError, match="anonymous"):
        issue(ANONYMOUS)
    assert redis_client.dbsize() == 0


def test_without_redis_tickets_are_unavailable_and_then_available_again(
    key_caller: Caller, settings: Settings
) -> None:
    tickets._redis().close()
    tickets._redis.cache_clear()
    with running_valkey() as server:
        settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, redis_url=server.url)
        ticket = issue(key_caller)
        server.kill()
        with pytest.raises(TicketsUnavailable):
            issue(key_caller)
        with pytest.raises(TicketsUnavailable):
            redeem(ticket, now=NOW, address=ADDRESS)
        server.start()
        assert redeem(issue(key_caller), now=NOW, address=ADDRESS) == key_caller


def test_what_is_stored_is_whose_ticket_it_is(
    key_caller: Caller, person: Caller, redis_client: redis.Redis
) -> None:
    stored = []
    for who in (key_caller, person):
        found = redis_client.get(name_of(issue(who)))
        assert isinstance(found, bytes)
        stored.append(json.loads(found))
    assert [(one["kind"], uuid.UUID(one["id"])) for one in stored] == [
        ("key", key_caller.key_id),
        ("family", person.family_id),
    ]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestWithRealTransactions:
    """In threads of their own."""

    def test_of_twenty_parallel_redemptions_one_wins(self, key_caller: Caller) -> None:
        ticket = issue(key_caller)

        def use() -> str:
            try:
                return redeem(ticket, now=NOW, address=ADDRESS).name
            except CredentialRefused as refused:
                return refused.reason

        outcomes = sorted(together(*[use] * 20))
        assert outcomes == [key_caller.name] + ["token"] * 19
