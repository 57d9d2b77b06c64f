"""Everybody comes back at once and asks for what was missed: how long, and how much do the stores notice?"""

from __future__ import annotations

import asyncio
import time

import psycopg
from redis import Redis

from benchmarks.side_by_side.feeder import Fed
from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.sinks import EPOCH
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row
from benchmarks.sockets.contenders import GATEWAY, Contender
from benchmarks.sockets.options import Options
from benchmarks.sockets.scenario import Scenario
from benchmarks.sockets.trial import trying

AWAY_S = 10.0


def _count_commands(ground: Ground) -> int:
    with Redis.from_url(ground.redis_url) as client:
        info: dict[str, int] = client.info("stats")
        return info["total_commands_processed"]


def _count_transactions(ground: Ground) -> dict[str, int]:
    """Of the Postgres, as far as its sessions have reported them; nothing of SQLite, which counts none."""
    url = ground.environ["DATABASE_URL"]
    if not url.startswith("postgres"):
        return {}
    with psycopg.connect(url) as database:
        query = "SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database"
        row = database.execute(query).fetchone()
        return {"transactions": int(row[0]) if row else 0}


async def measure(ground: Ground, contender: Contender, options: Options) -> list[Row]:
    """Sockets with a place, ten seconds without them, and all of them again with `since`."""
    rate = options.rate * options.symbols
    async with trying(ground, contender, make_symbols(options.symbols)) as trial:
        await trial.fill()
        audience = trial.audience()
        await audience.seat(options.sockets)
        seen = await trial.feeder.feed(rate, 2.0)
        await audience.receive_all(seen)
        audience.vanish()
        missed = await trial.feeder.feed(rate, AWAY_S)
        commands, transactions = _count_commands(ground), _count_transactions(ground)
        meter, begun = trial.meter(), time.monotonic()
        returning = trial.audience()
        live = asyncio.create_task(trial.feeder.feed(rate, AWAY_S))
        await returning.seat(options.sockets, since={"epoch": EPOCH, "seq": seen.last})
        back_s, shares = time.monotonic() - begun, meter.shares()
        commands = _count_commands(ground) - commands
        transactions = {key: now - transactions[key] for key, now in _count_transactions(ground).items()}
        last = (await live).last
        figures = {
            "back": back_s,
            "missed": (missed.last - seen.last) / options.symbols,
            "lost": await returning.receive_all(Fed(missed.first, last, 0.0, 0.0)),
            "repeated": returning.tally.repeated,
            "commands": commands,
            **transactions,
            **shares,
        }
        returning.vanish()
        return [Row(contender.name, figures)]


SCENARIO = Scenario(
    name="reconnect",
    title=lambda o: (
        f"{o.sockets:,} sockets are cut off and come back after {AWAY_S:g} s, each with `since` for its "
        f"symbol, while {o.rate * o.symbols:g} updates/s go on"
    ),
    columns=(
        Column("back", "s until all are back"),
        Column("missed", "missed by each", 0),
        Column("lost", "lost", 0),
        Column("repeated", "repeated", 0),
        Column("commands", "Redis commands meanwhile", 0),
        Column("transactions", "database transactions meanwhile", 0),
        SERVER_CPU,
        CLIENT_CPU,
        OTHERS_CPU,
    ),
    measure=measure,
    contenders=(GATEWAY,),
    by_default=(GATEWAY,),
)
