"""Who is connected, asked of hubs in event loops of their own over a real Valkey."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.utils import timezone
from pytest_django import Settings

from realtime import batches, presence, roll_call, roster
from realtime.connection import Connection, Peer
from realtime.hub import Hub
from realtime.protocol.codes import Close
from realtime.roll_call import RollCallUnavailable
from realtime.roster import Disconnect, ProcessReport, Report, Wanted
from realtime.terms import Terms
from tests.realtime.presence import Client, Served, deaf, serving, update
from tests.servers import Server, running_valkey
from tests.stack import eventually

REPLY = "0123456789abcdef" * 2
KEY = roster.KEY_PREFIX + REPLY

Two = tuple[Served, Served]


@pytest.fixture
def two(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Two server processes."""
    with serving(2, monkeypatch) as [one, other]:
        yield one, other


@pytest.fixture
def own_valkey(settings: Settings) -> Iterator[Server]:
    """A Valkey that the page asks and the test may kill."""
    with running_valkey() as server:
        settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, redis_url=server.url)
        roll_call._make_redis.cache_clear()
        yield server
        roll_call._make_redis().close()
        roll_call._make_redis.cache_clear()


def say(message: dict[str, Any]) -> None:
    """A message for every hub."""
    async_to_sync(get_channel_layer().group_send)(batches.GROUP, message)


def ids_of(wanted: Wanted | None = None, most: int = 200) -> list[str]:
    """The ids of those who are shown, the worst first."""
    roll = roll_call.call_roll(wanted or Wanted(), most=most)
    return [row.id for _, row in roll.worst(most)]


def test_every_process_answers_with_its_totals_and_its_rows(two: Two) -> None:
    one, other = two
    first, _ = one.connect("AAPL", "MSFT", name="key 3Fa", account_id=7, agent="curl/8")
    second, _ = other.connect("IBM", terms=Terms("batch", 0.25), name="user ann", address="2001:db8::1")
    third, _ = other.connect()
    roll = roll_call.call_roll(Wanted(), most=200)
    assert roll.expected == 2
    assert (roll.connections, roll.matching, roll.subscriptions) == (3, 3, 3)
    by_size = sorted(roll.reports, key=lambda report: report.connections)
    assert [(one.connections, one.subscriptions) for one in by_size] == [(1, 2), (2, 1)]
    assert {(one.process.pid, one.process.role) for one in roll.reports} == {(os.getpid(), "all")}
    assert (by_size[0].recent, by_size[0].recent_capacity, by_size[0].p50_ms) == (0, 10, None)
    rows = {row.id: row for _, row in roll.worst(200)}
    assert rows.keys() == {first, second, third}
    told = rows[first]
    assert (told.name, told.account_id, told.address, told.agent) == ("key 3Fa", 7, "203.0.113.7", "curl/8")
    assert (told.symbols, told.symbol_count) == ([("AAPL", "all"), ("MSFT", "all")], 2)
    assert rows[second].symbols == [("IBM", "batch 250 ms")]
    assert (rows[third].name, rows[third].account_id, rows[third].symbols) == ("", None, [])


def test_the_first_symbols_are_named_and_all_are_counted(two: Two) -> None:
    two[0].connect(*[f"S{number:03}" for number in range(100)])
    [(_, row)] = roll_call.call_roll(Wanted(), most=1).worst(1)
    assert [symbol for symbol, _ in row.symbols] == [f"S{number:03}" for number in range(20)]
    assert row.symbol_count == 100


def test_a_search_is_done_by_every_process_and_counts_everyone(two: Two) -> None:
    one, other = two
    acme, _ = one.connect("AAPL", name="key 3Fa", account_id=7)
    ann, _ = other.connect("MSFT", name="user ann", address="198.51.100.4")
    one.connect("IBM", name="user bob")
    assert ids_of(Wanted(text="ANN")) == [ann]
    assert ids_of(Wanted(text="198.51")) == [ann]
    assert set(ids_of(Wanted(text="msft", accounts=[7]))) == {acme, ann}
    assert ids_of(Wanted(ids=[acme, "f" * 32])) == [acme]
    roll = roll_call.call_roll(Wanted(text="bob"), most=200)
    assert (roll.connections, roll.matching) == (3, 1)


def test_of_many_the_worst_are_told_and_all_are_counted(two: Two) -> None:
    one, other = two
    for served in two:
        for _ in range(5):
            served.connect()
    late, late_client = one.connect("AAPL")
    one.stall(late_client, update(1, age_s=60), update(2, age_s=1))
    dropping, dropping_client = other.connect("AAPL")
    other.stall(dropping_client, *[update(seq) for seq in range(1, 1_011)])
    patient, patient_client = other.connect("AAPL", terms=Terms("batch", 60.0))
    other.stall(patient_client, update(1, age_s=50))
    roll = roll_call.call_roll(Wanted(), most=3)
    worst = roll.worst(3)
    assert [row.id for _, row in worst] == [late, dropping, patient]
    assert (roll.matching, len(worst)) == (13, 3)
    assert [len(report.rows) for report in roll.reports] == [3, 3]
    rows = {row.id: row for _, row in worst}
    assert (rows[late].waiting, rows[late].dropped) == (2, 0)
    assert (rows[dropping].waiting, rows[dropping].dropped) == (1000, 10)
    assert rows[patient].late_us == 0
    assert roll_call.call_roll(Wanted(), most=0).worst(3) == []


def test_the_lag_of_the_process_is_told(two: Two) -> None:
    for served in two:
        served.run(lambda hub=served.hub: hub.lag.observe(4_000, 99))  # type: ignore[misc]
        served.run(lambda hub=served.hub: hub.lag.observe(90_000, 1))  # type: ignore[misc]
    for report in roll_call.call_roll(Wanted(), most=1).reports:
        assert (report.p50_ms, report.p99_ms) == (5, 5)


def test_disconnect_closes_the_ones_that_are_meant_and_says_whose_they_were(two: Two) -> None:
    one, other = two
    meant, client = one.connect("AAPL", name="user ann", account_id=7)
    _, neighbour = one.connect("AAPL")
    also, further = other.connect("AAPL", name="user bob")
    _, stranger = other.connect("AAPL")
    expected, answers = roll_call.disconnect([meant, also, "f" * 32])
    assert expected == 2
    rows = {row.id: row for answer in answers for row in answer.rows}
    assert rows.keys() == {meant, also}
    assert (rows[meant].name, rows[meant].account_id) == ("user ann", 7)
    for closed in (client, further):
        assert closed.closed_with == (Close.RESTART, "DISCONNECTED")
        assert closed.last_code == "DISCONNECTED"
    assert neighbour.closed_with is stranger.closed_with is None
    assert meant not in ids_of()
    _, again = roll_call.disconnect([meant])
    assert [answer.rows for answer in again] == [[], []]


def test_malformed_questions_are_ignored_and_the_hub_goes_on(
    two: Two, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    good = roster.encode_question(Report(REPLY))
    for bad in (
        {"type": "connections.report"},
        {**good, "reply": "../x"},
        {**good, "most": 1_000_000},
        {**good, "wanted": "everybody"},
        {"type": "connections.disconnect", "reply": REPLY, "ids": "all"},
        {"type": "connections.disconnect", "reply": REPLY, "ids": ["x"] * 1_001},
    ):
        say(bad)
    id_, client = two[0].connect()
    assert ids_of() == [id_]
    assert client.closed_with is None
    assert redis_client.keys(f"{roster.KEY_PREFIX}*") == []
    told = [record for record in caplog.records if "malformed question" in record.message]
    assert len(told) == 12
    assert all(record.exc_info is None for record in told)


def test_a_process_that_does_not_answer_is_missed_and_not_waited_for_long(
    two: Two, redis_client: redis.Redis
) -> None:
    with deaf(redis_client):
        began = time.monotonic()
        roll = roll_call.call_roll(Wanted(), most=1)
        took_s = time.monotonic() - began
    assert (roll.expected, len(roll.reports)) == (3, 2)
    assert roll_call.WITHIN_S <= took_s < roll_call.WITHIN_S + 1


def test_nobody_listens(redis_client: redis.Redis) -> None:
    roll = roll_call.call_roll(Wanted(), most=1)
    assert (roll.expected, roll.reports) == (0, [])
    assert roll_call.disconnect(["f" * 32]) == (0, [])


def test_an_answer_that_nobody_collects_expires_by_itself(two: Two, redis_client: redis.Redis) -> None:
    say(roster.encode_question(Report(REPLY)))
    eventually(lambda: redis_client.llen(KEY) == 2)
    assert 0 < int(redis_client.ttl(KEY)) <= roster.ANSWER_TTL_S


def test_a_malformed_answer_is_ignored(
    two: Two, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(roll_call, "_new_reply", lambda: REPLY)
    redis_client.rpush(KEY, b"junk")
    assert len(roll_call.call_roll(Wanted(), most=1).reports) == 2
    assert "malformed answer" in caplog.text


def test_redis_away_is_told_at_once(own_valkey: Server, caplog: pytest.LogCaptureFixture) -> None:
    own_valkey.kill()
    for _ in range(2):
        with pytest.raises(RollCallUnavailable):
            roll_call.call_roll(Wanted(), most=1)
    assert caplog.text.count("Redis (connections) is unavailable") == 1


def test_redis_that_hangs_is_told_after_a_second(own_valkey: Server) -> None:
    own_valkey.freeze()
    began = time.monotonic()
    with pytest.raises(RollCallUnavailable):
        roll_call.disconnect(["f" * 32])
    assert time.monotonic() - began < 3
    own_valkey.thaw()


def test_a_channel_layer_that_is_away_is_told(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(message: dict[str, Any]) -> None:
        raise TimeoutError

    monkeypatch.setattr(roll_call, "_send", fail)
    with pytest.raises(RollCallUnavailable):
        roll_call.call_roll(Wanted(), most=1)


async def test_a_long_look_lets_others_run_and_leaves_out_who_goes_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "_SLICE_S", 0.0)
    hub, turns = Hub(memory=10), 0
    made = [_connected(hub, number) for number in range(50)]

    async def work() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1
            if turns == 60:  # seen already, and not told yet
                made[-1].on_lost()

    working = asyncio.create_task(work())
    report = await presence.report(hub, Report(REPLY))
    working.cancel()
    assert turns >= 99
    assert (report.connections, len(report.rows)) == (50, 49)
    closed = await presence.disconnect(hub, Disconnect(REPLY, [one.id for one in made]))
    assert len(closed.rows) == 49
    assert all(one.closed for one in made)


async def test_more_questions_than_can_be_answered_are_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[ProcessReport] = []
    may_look = asyncio.Event()

    async def look(hub: Hub, question: Report) -> ProcessReport:
        await may_look.wait()
        return await _report(hub, question)

    async def send(reply: str, answer: ProcessReport) -> None:
        sent.append(answer)

    _report = presence.report
    monkeypatch.setattr(presence, "report", look)
    monkeypatch.setattr(presence, "_send", send)
    hub, question = Hub(memory=10), roster.encode_question(Report(REPLY))
    for _ in range(10):
        presence.hear(hub, question)
    assert caplog.text.count("one is not answered") == 2
    may_look.set()
    desk = presence._desks.current(presence._Desk)
    await asyncio.gather(*desk.tasks)
    assert len(sent) == 8
    await presence.stop_current()


async def test_who_has_waited_too_long_gets_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_GIVEN_UP_AFTER_S", 0.0)
    monkeypatch.setattr(presence, "report", None)
    presence.hear(Hub(memory=10), roster.encode_question(Report(REPLY)))
    await asyncio.gather(*presence._desks.current(presence._Desk).tasks)
    await presence.stop_current()


async def test_a_look_that_fails_is_logged_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(presence, "report", None)
    presence.hear(Hub(memory=10), roster.encode_question(Report(REPLY)))
    await asyncio.wait(presence._desks.current(presence._Desk).tasks)
    await asyncio.sleep(0)
    await presence.stop_current()
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "could not be answered" in record.message


async def test_an_answer_that_cannot_be_sent_is_lost_and_said_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, redis_url="redis://127.0.0.1:1")
    presence.hear(Hub(memory=10), roster.encode_question(Report(REPLY)))
    await asyncio.gather(*presence._desks.current(presence._Desk).tasks)
    await presence.stop_current()
    assert "was lost" in caplog.text


def _connected(hub: Hub, number: int) -> Connection:
    connection = Connection(
        f"{number:032x}",
        Peer("203.0.113.7", "tests", timezone.now()),
        alarms=hub.alarms,
        lag=hub.lag,
        reach=Client,
    )
    hub.add(connection)
    return connection
