"""Options are checked before anything starts, and each refusal says what would be right."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from pipeline.management.commands import replay_market
from pipeline.management.commands.replay_market import Command
from pipeline.schedule import Day


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
        "FB, MSFT at 20 days per second",
        "replay ended after 5 days",
    ]
