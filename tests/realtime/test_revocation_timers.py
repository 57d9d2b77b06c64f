"""A credential that ends by itself takes its socket along, at its time wherever that moves."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts import actions
from accounts.models import ApiKey
from observability import blocking
from realtime import revocation
from tests.realtime.watching import Socket, ending, key_change, make_key_caller, tell, watching

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def let_end(at: datetime | None) -> None:
    """Another end for every key, or none."""
    ApiKey.objects.update(expires_at=at)


async def test_with_unchanged_rights_nothing_happens_but_the_time_of_the_end_moves() -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, caller)
        timer = socket.watched.timer
        assert timer is None
        for hours in (1, 2):
            await blocking.run(let_end, timezone.now() + timedelta(hours=hours))
            await tell(revoking, key_change(caller))
            timer = socket.watched.timer
            assert timer is not None
            left_s = timer.when() - asyncio.get_running_loop().time()
            assert left_s == pytest.approx(hours * 3600, abs=30)
        await blocking.run(let_end, None)
        await tell(revoking, key_change(caller))
        assert timer is not None
        assert timer.cancelled()
        assert (socket.watched.timer, socket.heard) == (None, [])
        revoking.remove(socket.watched)
        assert not revoking._watched


async def test_a_credential_whose_time_is_over_is_told_so_by_its_timer() -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        for left_s in (-1.0, 0.0, 0.05):
            end = timezone.now() + timedelta(seconds=left_s)
            assert await Socket(revoking, ending(caller, end)).verdict() == "expired"
            assert timezone.now() >= end


async def test_a_time_that_is_far_away_does_not_go_off_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "_LONGEST_TIMER_S", 0.0)
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, ending(caller, timezone.now() + timedelta(days=9999)))
        before = socket.watched.timer
        for _ in range(5):
            await asyncio.sleep(0)
        assert socket.watched.timer is not before
        assert socket.heard == []
        revoking.remove(socket.watched)


async def test_a_rotated_key_takes_its_sockets_along_when_its_overlap_ends() -> None:
    caller = await blocking.run(make_key_caller)
    async with watching() as revoking:
        socket = Socket(revoking, caller)

        def rotate() -> None:
            overlap = timedelta(milliseconds=50)
            actions.rotate_key(key=ApiKey.objects.get(), overlap=overlap, actor="t", now=timezone.now())

        await blocking.run(rotate)
        await tell(revoking, key_change(caller))
        assert await socket.verdict() == "expired"
