"""The replay keeps its pace on an injected clock, and a real NATS server stores its predictions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from nats.js.errors import NotFoundError

from events.connection import connect
from events.prediction_updated import PredictionUpdated, decode
from events.streams import MSG_ID_HEADER, PREDICTION_UPDATED, PREDICTIONS, REQUEST_ID_HEADER
from pipeline import replay, schedule
from pipeline.model import WalkForward
from pipeline.replay import Clock
from pipeline.schedule import Day, Pacer

WALL_START = datetime(2026, 1, 1, tzinfo=UTC)
DEADLINE_S = 20


class Time:
    """A clock that moves only when somebody waits, or takes time for a day."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.wall_stands_still = False

    async def wait(self, stop: asyncio.Event, timeout_s: float) -> None:
        if not stop.is_set():
            self.now_s += timeout_s

    def utc_now(self) -> datetime:
        return WALL_START + timedelta(seconds=0 if self.wall_stands_still else self.now_s)

    def clock(self) -> Clock:
        return Clock(monotonic_s=lambda: self.now_s, utc_now=self.utc_now, wait=self.wait)


@pytest.fixture(scope="module")
def days(walks: dict[str, WalkForward]) -> list[Day]:
    return schedule.order_days(walks.values())


async def test_days_are_published_on_their_deadlines_however_long_each_takes(
    days: list[Day],
) -> None:
    time, published = Time(), list[tuple[float, datetime]]()

    async def publish(day: Day, timestamp: datetime) -> None:
        published.append((time.now_s, timestamp))
        time.now_s += 0.03

    pacer = Pacer(10, now_s=0.0)
    await replay.play(days[:4], publish, pacer=pacer, clock=time.clock(), stop=asyncio.Event())
    assert [moment for moment, _ in published] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert [stamp for _, stamp in published] == [
        WALL_START + timedelta(seconds=moment) for moment, _ in published
    ]


async def test_stamps_increase_strictly_while_the_wall_clock_stands_still(days: list[Day]) -> None:
    time, stamps = Time(), list[datetime]()
    time.wall_stands_still = True

    async def publish(day: Day, timestamp: datetime) -> None:
        stamps.append(timestamp)

    pacer = Pacer(10, now_s=0.0)
    await replay.play(days[:5], publish, pacer=pacer, clock=time.clock(), stop=asyncio.Event())
    assert stamps == sorted(set(stamps))
    assert len(stamps) == 5


async def test_no_day_is_published_after_the_stop(days: list[Day]) -> None:
    time, stop, published = Time(), asyncio.Event(), list[Day]()

    async def publish(day: Day, timestamp: datetime) -> None:
        published.append(day)
        if len(published) == 3:
            stop.set()

    await replay.play(days, publish, pacer=Pacer(10, now_s=0.0), clock=time.clock(), stop=stop)
    assert published == days[:3]


async def test_a_stop_ends_the_wait_for_the_next_day() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(replay.wait_for_stop(stop, 3600))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(waiting, DEADLINE_S)


async def test_a_stop_ends_the_wait_for_a_server_that_is_not_there(
    days: list[Day], unused_tcp_port: int
) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    url = f"nats://127.0.0.1:{unused_tcp_port}"
    async with asyncio.timeout(DEADLINE_S):
        assert await replay.replay(url, days, days_per_second=1, stop=stop) == 0


async def last_sequence(nats_url: str) -> int:
    """The sequence of the newest stored prediction; 0 without a stream."""
    connection = await connect(nats_url, name="test")
    try:
        return (await connection.jetstream.stream_info(PREDICTIONS.name)).state.last_seq
    except NotFoundError:
        return 0
    finally:
        await connection.drain()


async def read_after(nats_url: str, sequence: int) -> list[tuple[PredictionUpdated, dict[str, str]]]:
    """All predictions stored after `sequence`, with their headers."""
    newest = await last_sequence(nats_url)
    connection = await connect(nats_url, name="test")
    found = []
    for number in range(sequence + 1, newest + 1):
        message = await connection.jetstream.get_msg(PREDICTIONS.name, seq=number)
        assert message.subject == PREDICTION_UPDATED
        event = decode(message.data or b"", symbol_pattern=re.compile("[A-Z]{1,5}"))
        found.append((event, message.headers or {}))
    await connection.drain()
    return found


async def test_a_server_stores_every_prediction_of_the_days_in_order(days: list[Day], nats_url: str) -> None:
    chosen = days[-12:]
    before, started = await last_sequence(nats_url), datetime.now(UTC)
    async with asyncio.timeout(DEADLINE_S):
        count = await replay.replay(nats_url, chosen, days_per_second=500, stop=asyncio.Event())
    stored = await read_after(nats_url, before)
    assert count == 12
    expected = [prediction for day in chosen for prediction in day.predictions()]
    ordered = sorted(stored, key=lambda entry: (entry[0].market_time, entry[0].symbol))
    for (event, _), prediction in zip(ordered, expected, strict=True):
        sent = schedule.event_of(prediction, event.timestamp)
        assert (event.features, event.confidence) == (sent.features, sent.confidence)
        assert (event.symbol, event.market_time) == (sent.symbol, sent.market_time)
        assert event.current_price == sent.current_price
        assert event.predicted_price == sent.predicted_price
    for symbol in ("AAPL", "FB"):
        stamps = [event.timestamp for event, _ in stored if event.symbol == symbol]
        assert stamps == sorted(set(stamps))
        assert started <= stamps[0]
        assert stamps[-1] <= datetime.now(UTC)
    ids = {headers[MSG_ID_HEADER] for _, headers in stored}
    assert len(ids) == len(stored)
    assert all(headers[REQUEST_ID_HEADER] == headers[MSG_ID_HEADER] for _, headers in stored)


async def test_a_day_that_is_sent_again_is_stored_once(days: list[Day], nats_url: str) -> None:
    connection = await connect(nats_url, name="test")
    await replay.ensure_predictions(connection.jetstream)
    before = await last_sequence(nats_url)
    publisher, now = replay.Publisher(connection.jetstream), datetime.now(UTC)
    await publisher.publish_day(days[-1], now)
    publisher.days = 0
    await publisher.publish_day(days[-1], now)
    assert await last_sequence(nats_url) == before + len(days[-1].places)
    await connection.drain()


async def test_a_connection_lost_for_good_ends_the_replay_with_an_error(
    days: list[Day], nats_url: str
) -> None:
    connection = await connect(nats_url, name="test")

    async def close_soon() -> None:
        await asyncio.sleep(0)
        await connection.client.close()

    closing = asyncio.create_task(close_soon())
    with pytest.raises(replay.ConnectionLost, match="lost for good"):
        async with asyncio.timeout(DEADLINE_S):
            await replay.replay_over(connection, days, days_per_second=1, stop=asyncio.Event())
    await closing


async def test_a_stop_ends_a_slow_replay_at_once(days: list[Day], nats_url: str) -> None:
    stop = asyncio.Event()

    def stop_while_the_second_waits() -> Iterator[Day]:
        yield days[0]
        asyncio.get_running_loop().call_soon(stop.set)
        yield days[1]

    async with asyncio.timeout(DEADLINE_S):
        count = await replay.replay(nats_url, stop_while_the_second_waits(), days_per_second=0.001, stop=stop)
    assert count == 1


async def test_a_stream_that_vanished_is_created_again(
    days: list[Day], nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_STREAM_DOUBT_S", 0.2)
    connection = await connect(nats_url, name="test")
    await replay.ensure_predictions(connection.jetstream)
    await connection.jetstream.delete_stream(PREDICTIONS.name)
    publisher = replay.Publisher(connection.jetstream)
    async with asyncio.timeout(DEADLINE_S):
        await publisher.publish_day(days[-1], datetime.now(UTC))
    assert await last_sequence(nats_url) == len(days[-1].places)
    await connection.drain()


async def test_what_goes_wrong_while_publishing_is_raised(nats_url: str) -> None:
    def broken() -> Iterator[Day]:
        yield from ()
        raise LookupError("no more days")

    connection = await connect(nats_url, name="test")
    with pytest.raises(LookupError, match="no more days"):
        await replay.replay_over(connection, broken(), days_per_second=1, stop=asyncio.Event())
    await connection.drain()
