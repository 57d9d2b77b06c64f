"""Both ends of the wire between a launcher and its worker."""

from __future__ import annotations

import asyncio
import socket

from gateway_project.lifeline import Lifeline, Pulse


async def test_a_worker_is_ready_with_its_first_word_and_heard_with_each() -> None:
    ours, theirs = socket.socketpair()
    transport, pulse = await asyncio.get_running_loop().create_unix_connection(Pulse, sock=ours)
    assert not pulse.ready.is_set()
    pulse.heard_at -= 100
    Lifeline(theirs, beat_s=0.01).begin(lambda: None)
    await asyncio.wait_for(pulse.ready.wait(), 5)
    assert pulse.silent_for_s() < 100
    first = pulse.heard_at
    pulse.ready.clear()
    await asyncio.wait_for(pulse.ready.wait(), 5)
    assert pulse.heard_at > first
    transport.close()
    asyncio.get_running_loop().remove_reader(theirs)
    theirs.close()


async def test_a_worker_is_told_once_when_its_launcher_is_gone() -> None:
    ours, theirs = socket.socketpair()
    alone: list[bool] = []
    told = asyncio.Event()

    def on_alone() -> None:
        alone.append(True)
        told.set()

    Lifeline(theirs, beat_s=0.01).begin(on_alone)
    ours.close()
    await asyncio.wait_for(told.wait(), 5)
    for _ in range(10):
        await asyncio.sleep(0)
    assert alone == [True]
    theirs.close()


async def test_a_launcher_that_does_not_read_stops_no_worker() -> None:
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    lifeline = Lifeline(theirs, beat_s=1000)
    for _ in range(10_000):
        lifeline._beat(asyncio.get_running_loop())
    ours.close()
    theirs.close()


async def test_the_time_in_which_nobody_could_speak_does_not_count() -> None:
    pulse = Pulse()
    pulse.heard_at -= 100
    assert pulse.silent_for_s() >= 100
    pulse.forgive(90)
    assert 10 <= pulse.silent_for_s() < 100
