"""A credential that ends by itself: its socket is warned, lives on if it is renewed, and ends at its time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts import actions
from accounts.callers import Caller
from accounts.models import ApiKey
from observability import blocking
from realtime import revocation
from realtime.revocation import Revocation
from tests.realtime.watching import Socket, ending, key_change, make_key_caller, tell, watching

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

DEADLINE_S = 20


def let_end(at: datetime | None) -> None:
    """Another end for every key, or none."""
    ApiKey.objects.update(expires_at=at)


def ending_in(caller: Caller, seconds: float) -> Caller:
    """The same caller, for so long."""
    return ending(caller, timezone.now() + timedelta(seconds=seconds))


def timer_in_s(socket: Socket) -> float:
    """When the socket's timer goes off."""
    assert socket.watched.timer is not None
    assert not socket.watched.timer.cancelled()
    return socket.watched.timer.when() - asyncio.get_running_loop().time()


async def until_warned(socket: Socket) -> None:
    """Wait for the warning."""
    async with asyncio.timeout(DEADLINE_S):
        await socket.was_warned.wait()


# The warning


@pytest.mark.parametrize(
    ("life_s", "warned_in_s"), [(7_200, 7_140), (301, 241), (200, 160), (30, 24), (1, 0.8), (0, 0), (-5, 0)]
)
async def test_the_warning_comes_a_minute_before_the_end_or_late_in_a_short_life(
    life_s: float, warned_in_s: float
) -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, ending_in(caller, life_s))
        assert timer_in_s(socket) == pytest.approx(warned_in_s, abs=2)
        revoking.remove(socket.watched)


async def test_a_socket_is_warned_once_of_its_end_and_ends_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "_WARNED_AT", 0.0)
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, ending_in(caller, 0.5))
        await until_warned(socket)
        assert socket.heard == []
        end = socket.watched.caller.expires_at
        assert socket.warned == [end]
        assert await socket.verdict() == "expired"
        assert end is not None
        assert timezone.now() >= end
        assert socket.warned == [end]


@pytest.mark.parametrize("left_s", [-1.0, 0.0])
async def test_a_credential_whose_time_is_over_is_told_so_without_a_warning(left_s: float) -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, ending_in(caller, left_s))
        assert await socket.verdict() == "expired"
        assert socket.warned == []


async def test_a_time_that_is_far_away_neither_warns_nor_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "_LONGEST_TIMER_S", 0.0)
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, ending_in(caller, 9_999 * 86_400.0))
        before = socket.watched.timer
        for _ in range(5):
            await asyncio.sleep(0)
        assert socket.watched.timer is not before
        assert (socket.heard, socket.warned) == ([], [])
        revoking.remove(socket.watched)


async def test_a_timer_that_goes_off_before_its_time_waits_for_the_rest() -> None:
    """The clock of the loop and that of the wall need not agree."""
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, ending_in(caller, 30))
        revoking._judge_expired(socket.watched)
        assert timer_in_s(socket) == pytest.approx(24, abs=2)
        assert socket.heard == []
        revoking._warn(socket.watched)
        assert len(socket.warned) == 1
        assert timer_in_s(socket) == pytest.approx(30, abs=2)
        revoking.remove(socket.watched)


async def test_a_credential_without_an_end_has_no_timer_and_no_warning() -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, caller)
        assert socket.watched.timer is None
        revoking._warn(socket.watched)
        revoking._judge_expired(socket.watched)
        assert (socket.watched.timer, socket.heard, socket.warned) == (None, [], [])


# The end moves


async def test_with_unchanged_rights_nothing_happens_but_the_time_of_the_end_moves() -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, caller)
        for hours in (1, 2):
            before = socket.watched.timer
            await blocking.run(let_end, timezone.now() + timedelta(hours=hours))
            await tell(revoking, key_change(caller))
            assert timer_in_s(socket) == pytest.approx(hours * 3600 - 60, abs=30)
            assert before is None or before.cancelled()
        last = socket.watched.timer
        await blocking.run(let_end, None)
        await tell(revoking, key_change(caller))
        assert last is not None
        assert last.cancelled()
        assert (socket.watched.timer, socket.heard, socket.warned) == (None, [], [])
        revoking.remove(socket.watched)
        assert not revoking._watched


async def test_a_key_that_is_extended_after_the_warning_does_not_end_and_is_warned_of_the_new_end() -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        await blocking.run(let_end, timezone.now() + timedelta(seconds=20))
        socket = Socket(revoking, caller)
        await tell(revoking, key_change(caller))
        revoking._warn(socket.watched)
        warned_timer = socket.watched.timer
        assert warned_timer is not None
        await blocking.run(let_end, timezone.now() + timedelta(hours=1))
        await tell(revoking, key_change(caller))
        assert warned_timer.cancelled()
        assert timer_in_s(socket) == pytest.approx(3_540, abs=30)
        assert (len(socket.warned), socket.heard) == (1, [])
        revoking.remove(socket.watched)


async def test_a_socket_that_was_renewed_hears_nothing_of_its_old_credential(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revocation, "_WARNED_AT", 0.0)
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        old = Socket(revoking, ending_in(caller, 0.4))
        await until_warned(old)
        revoking.remove(old.watched)
        renewed = Socket(revoking, ending_in(caller, 0.7))
        assert await renewed.verdict() == "expired"
        assert old.heard == []
        assert len(renewed.warned) == 1


async def test_a_rotated_key_warns_its_sockets_and_takes_them_along_when_its_overlap_ends() -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, caller)

        def rotate() -> None:
            overlap = timedelta(milliseconds=500)
            actions.rotate_key(key=ApiKey.objects.get(), overlap=overlap, actor="t", now=timezone.now())

        await blocking.run(rotate)
        await tell(revoking, key_change(caller))
        assert await socket.verdict() == "expired"
        assert len(socket.warned) <= 1


async def test_a_watch_that_is_stopped_asks_nobody_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def ask(*args: object) -> list[object]:
        asked.set()
        await never.wait()
        return []

    caller = await blocking.run(make_key_caller)
    revoking = Revocation()
    revoking.start()
    with monkeypatch.context() as patched:
        patched.setattr(blocking, "run", ask)
        socket = Socket(revoking, caller)
        revoking._on_changes([key_change(caller)])
        async with asyncio.timeout(DEADLINE_S):
            await asked.wait()
            await revoking.stop()
    assert (socket.heard, revoking._judging) == ([], set())
    revoking.remove(socket.watched)
