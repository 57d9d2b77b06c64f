"""Open sockets end with their credentials: judged when a change names them, whatever goes wrong."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts import credentials, following, sessions
from accounts.actions import revoke_key
from accounts.callers import Caller
from accounts.credentials import CredentialRefused
from accounts.directory import Directory
from accounts.following import Change, Follower
from accounts.models import Account, ApiKey, Tier, TokenFamily, User
from observability import blocking
from realtime import revocation
from realtime.revocation import Verdict
from tests.realtime.watching import (
    Socket,
    account_change,
    ending,
    family_change,
    key_change,
    make_key_caller,
    make_person,
    tell,
    user_change,
    watching,
)

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def move_to_a_new_account(values: type[User | ApiKey]) -> None:
    """Another account on the same tier: the rights look the same."""
    values.objects.update(account=Account.objects.create(name="new", tier=Tier.objects.get(name="pro")))


ENDS: dict[str, tuple[Callable[[], Caller], Callable[[], object], Callable[[Caller], Change], str]] = {
    "key is revoked": (
        make_key_caller,
        lambda: revoke_key(key=ApiKey.objects.get(), actor="test", now=timezone.now()),
        key_change,
        "revoked",
    ),
    "key is deleted": (make_key_caller, lambda: ApiKey.objects.all().delete(), key_change, "unknown"),
    "key may come from elsewhere": (
        make_key_caller,
        lambda: ApiKey.objects.update(networks=["198.51.100.0/24"]),
        key_change,
        "network",
    ),
    "key has other scopes": (
        make_key_caller,
        lambda: ApiKey.objects.update(scopes=["stream"]),
        key_change,
        "changed",
    ),
    "key has another tier": (
        make_key_caller,
        lambda: ApiKey.objects.update(tier=Tier.objects.get(name="free")),
        key_change,
        "changed",
    ),
    "key belongs to another account": (
        make_key_caller,
        lambda: move_to_a_new_account(ApiKey),
        key_change,
        "changed",
    ),
    "account of a key is switched off": (
        make_key_caller,
        lambda: Account.objects.update(is_active=False),
        account_change,
        "inactive",
    ),
    "account of a person is switched off": (
        make_person,
        lambda: Account.objects.update(is_active=False),
        account_change,
        "token",
    ),
    "login ends": (
        make_person,
        lambda: sessions.log_out(family_id=TokenFamily.objects.get().pk, now=timezone.now()),
        family_change,
        "token",
    ),
    "person is switched off": (
        make_person,
        lambda: User.objects.update(is_active=False),
        user_change,
        "token",
    ),
    "person has another password": (
        make_person,
        lambda: User.objects.update(password="y"),
        user_change,
        "token",
    ),
    "person has another role": (
        make_person,
        lambda: User.objects.update(role="viewer"),
        user_change,
        "changed",
    ),
    "person moves to another account": (
        make_person,
        lambda: move_to_a_new_account(User),
        user_change,
        "changed",
    ),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_change_that_takes_the_credential_or_its_rights_is_told(end: str) -> None:
    make, change, named, expected = ENDS[end]
    caller = await blocking.run(make)
    async with watching() as revoking:
        socket = Socket(revoking, caller)
        await blocking.run(change)
        await tell(revoking, named(caller))
        assert await socket.verdict() == expected
        revoking.remove(socket.watched)
        assert not revoking._watched


@pytest.mark.parametrize("dashes", [False, True])
async def test_only_the_sockets_that_a_change_names_are_judged(dashes: bool) -> None:
    first, second = await blocking.run(make_key_caller), await blocking.run(make_key_caller)
    async with watching() as revoking:
        sockets = [Socket(revoking, first), Socket(revoking, first), Socket(revoking, second)]
        await blocking.run(lambda: ApiKey.objects.update(revoked_at=timezone.now()))
        await tell(revoking, key_change(first, dashes), ("key", uuid.uuid4().hex), ("tier", ""))
        assert [len(socket.heard) for socket in sockets] == [1, 1, 0]
        await tell(revoking, account_change(first))
        assert [len(socket.heard) for socket in sockets] == [2, 2, 1]


async def test_what_is_removed_leaves_nothing_behind_and_hears_nothing() -> None:
    callers = [await blocking.run(make_key_caller), await blocking.run(make_person)]
    async with watching() as revoking:
        sockets = [Socket(revoking, caller) for caller in callers for _ in range(3)]
        sockets.append(Socket(revoking, ending(callers[0], timezone.now() + timedelta(seconds=60))))
        assert len(revoking._watched) == 5  # two accounts, a key, a user, a login
        for socket in sockets:
            revoking.remove(socket.watched)
        assert not revoking._watched
        assert sockets[-1].watched.timer is not None
        assert sockets[-1].watched.timer.cancelled()
        await blocking.run(lambda: Account.objects.update(is_active=False))
        await tell(revoking, *map(account_change, callers))
        assert not revoking._watched
        assert [socket.heard for socket in sockets] == [[]] * len(sockets)


async def test_a_socket_that_goes_while_it_is_judged_hears_nothing() -> None:
    caller = await blocking.run(make_key_caller)
    await blocking.run(lambda: ApiKey.objects.update(revoked_at=timezone.now()))
    async with watching() as revoking:
        gone, there = Socket(revoking, caller), Socket(revoking, caller)
        revoking._on_changes([key_change(caller)])
        revoking.remove(gone.watched)
        assert await there.verdict() == "revoked"
        assert gone.heard == []


async def test_errors_of_the_database_are_outlasted() -> None:
    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    caller = await blocking.run(make_key_caller)
    await blocking.run(lambda: ApiKey.objects.update(revoked_at=timezone.now()))
    async with watching() as revoking:
        socket, asked = Socket(revoking, caller), asyncio.Event()
        ask = revocation._ask
        loop = asyncio.get_running_loop()

        def ask_and_tell(questions: list[tuple[Caller, str]], now: datetime) -> list[Verdict]:
            try:
                return ask(questions, now)
            finally:
                loop.call_soon_threadsafe(asked.set)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(revocation, "_ask", ask_and_tell)
            await blocking.run(rename, "api_keys", "keys_away")
            try:
                revoking._on_changes([key_change(caller)])
                await asyncio.wait_for(asked.wait(), 20)
                assert socket.heard == []
            finally:
                await blocking.run(rename, "keys_away", "api_keys")
            assert await socket.verdict() == "revoked"


async def test_many_sockets_are_judged_in_slices_and_those_of_one_credential_by_one_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caller = await blocking.run(make_key_caller)
    await blocking.run(lambda: ApiKey.objects.update(revoked_at=timezone.now()))
    asked: list[int] = []
    again = credentials.authenticate_again

    def count(asking: Caller, **given: Any) -> Caller:
        asked.append(1)
        return again(asking, **given)

    monkeypatch.setattr(credentials, "authenticate_again", count)
    async with watching() as revoking:
        sockets = [Socket(revoking, caller) for _ in range(450)]
        revoking._on_changes([key_change(caller)])
        assert {await socket.verdict() for socket in sockets} == {"revoked"}
    assert len(asked) == 3


async def test_a_socket_that_was_let_in_while_access_changed_is_judged_at_once() -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        before = revoking.changes
        revoking._on_changes([("key", "another")])
        await blocking.run(lambda: ApiKey.objects.update(revoked_at=timezone.now()))
        socket = Socket(revoking, caller)
        revoking.judge_if_changed(socket.watched, revoking.changes)
        assert socket.heard == []
        revoking.judge_if_changed(socket.watched, before)
        assert await socket.verdict() == "revoked"


async def test_the_watch_of_a_loop_hears_what_is_committed_until_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    follower = Follower(Directory())
    monkeypatch.setattr(following, "_follower", follower)
    monkeypatch.setattr(following, "INTERVAL_S", 0.01)
    caller = await blocking.run(make_key_caller)
    try:
        revoking = revocation.current()
        assert revocation.current() is revoking
        socket = Socket(revoking, caller)
        await blocking.run(lambda: ApiKey.objects.update(revoked_at=timezone.now()))
        await asyncio.wait_for(socket.told.wait(), 20)
        assert isinstance(socket.heard[0], CredentialRefused)
        revoking.remove(socket.watched)
        await revocation.stop_current()
        await revocation.stop_current()
        listeners: list[Any] = follower._listeners
        assert listeners == []
        assert revocation.current() is not revoking
    finally:
        await revocation.stop_current()
        await asyncio.to_thread(follower.stop)
