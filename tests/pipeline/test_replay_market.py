"""Options are checked before anything starts, and each refusal says what would be right."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from pipeline.bars import load_series
from pipeline.management.commands import replay_market
from pipeline.management.commands.replay_market import Command
from pipeline.model import WalkForward
from pipeline.replay import ConnectionLost
from pipeline.schedule import Day, order_days


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--speed", "0"], "--speed 0: give trading days per second above 0"),
        (["--speed", "-3"], "above 0"),
        (["--speed", "nan"], "above 0"),
        (["--speed", "inf"], "above 0"),
        (["--speed", "fast"], "such as 0.5 or 20"),
        (["--start", "yesterday"], "give a day as YYYY-MM-DD"),
        (["--start", "2013-02-30"], "give a day as YYYY-MM-DD"),
        (["--start", "2013-03-02"], "give a day from 2000-09-22 to 2013-03-01"),
        (["--symbols", "AAPL,ZZZ"], "no bars for ZZZ; choose from AAPL,FB,GOOG,IBM,MSFT"),
        (["--symbols", " , "], "no symbol given; choose from AAPL,FB,GOOG,IBM,MSFT"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_with_the_remedy(arguments: list[str], expected: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command(Command(), *arguments)
    assert expected in str(refused.value)


def test_evaluate_prints_the_table_without_any_server() -> None:
    out = io.StringIO()
    call_command(Command(), "--evaluate", "--symbols", "IBM,FB", stdout=out)
    lines = out.getvalue().splitlines()
    assert [line.split(" ")[0] for line in lines[5:8]] == ["FB", "IBM", "all"]


def test_the_start_moves_to_the_next_trading_day() -> None:
    days = [Day(date(2001, 1, 5), ()), Day(date(2001, 1, 8), ())]
    assert replay_market.find_first_day(date(2001, 1, 6), days) == date(2001, 1, 8)
    assert replay_market.find_first_day(None, days) == date(2001, 1, 5)


def test_symbols_without_a_prediction_are_refused() -> None:
    with pytest.raises(CommandError, match="too few bars"):
        replay_market.find_first_day(None, [])


def test_the_first_line_says_that_it_is_a_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[tuple[str, float]] = []

    async def publish(url: str, days: Iterable[Day], speed: float) -> int:
        received.append((url, speed))
        return sum(1 for _ in days)

    monkeypatch.setattr(replay_market, "publish", publish)
    gateway = SimpleNamespace(nats_url="nats://example:4222")
    monkeypatch.setattr(replay_market, "settings", SimpleNamespace(GATEWAY=gateway))
    out = io.StringIO()
    call_command(Command(), "--symbols", "MSFT,FB", "--speed", "20", "--start", "2013-02-23", stdout=out)
    assert received == [("nats://example:4222", 20.0)]
    assert out.getvalue().splitlines() == [
        "REPLAY of real daily bars from 2013-02-25 to 2013-03-01 (no live market data): "
        "FB, MSFT at 20 trading days a second",
        "replay ended after 5 days",
    ]


def test_missing_numpy_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pipeline.bars")
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(CommandError, match=r"numpy is missing; run: pip install -r requirements"):
        call_command(Command(), "--evaluate")


def test_missing_bars_are_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.bars.load_series", lambda: load_series("no_such_package"))
    with pytest.raises(CommandError, match=r"bars is missing; run: pip install -r requirements"):
        call_command(Command(), "--evaluate")


async def test_a_lost_connection_is_an_error_of_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lose(*_: object, **__: object) -> int:
        raise ConnectionLost("lost for good")

    monkeypatch.setattr("pipeline.replay.replay", lose)
    with pytest.raises(CommandError, match="lost for good"):
        await replay_market.publish("nats://example:4222", [], 1.0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_replay_in_order(
    walks: dict[str, WalkForward], nats_url: str, number: signal.Signals
) -> None:
    days = order_days(walks.values())

    def signal_while_the_second_waits() -> Iterator[Day]:
        yield days[0]
        os.kill(os.getpid(), number)
        yield days[1]

    async with asyncio.timeout(20):
        assert await replay_market.publish(nats_url, signal_while_the_second_waits(), 0.001) == 1
