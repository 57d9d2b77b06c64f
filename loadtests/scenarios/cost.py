"""What more data costs: the same light load at 1, 10 and 100 times the symbols, keys and history."""

from __future__ import annotations

from benchmarks.side_by_side.command import say
from benchmarks.side_by_side.feeding import make_symbols
from benchmarks.side_by_side.processes import resident_kb
from benchmarks.side_by_side.tables import Column, Row, render
from loadtests import stores
from loadtests.measuring import Taken, load
from loadtests.options import Options
from loadtests.plan import Plan
from loadtests.population import Wanted
from loadtests.report import Target
from loadtests.scenario import Result, Scenario
from loadtests.site import Sites

SYMBOLS, KEYS, HISTORY = 50, 100, 10_000
_MOST_P95_MS = 100.0
_COLUMNS = (
    Column("rate", "calls/s", 0),
    Column("p50", "p50 ms", 2),
    Column("p95", "p95 ms", 2),
    Column("history_p95", "history p95 ms", 2),
    Column("web_us", "web CPU µs a call", 0),
    Column("postgres_us", "Postgres CPU µs a call", 0),
    Column("web_mb", "web PSS MB", 0),
    Column("valkey_mb", "Valkey MB"),
    Column("database_mb", "database MB", 0),
    Column("start_mb", "web RSS at start MB", 0),
    Column("errors", "errors", 0),
)


async def measure(sites: Sites, options: Options) -> Result:
    """A row for each size."""
    sizes = [options.cost_least * 10**step for step in range(options.cost_steps)]
    rows = [await _measure_one(sites, options, size) for size in sizes]
    title = (
        f"The same {options.cost_users} users, each thinking {options.think_from_s:g} to "
        f"{options.think_to_s:g} s, 80 % reads, 10 % batches, 10 % history, each call with another key and "
        f"symbol; {options.updates:g} updates/s; {options.workers} web workers; {options.cost_seconds:g} s."
    )
    held = [
        Target("errors at any size", sum(row.figures["errors"] for row in rows), 0, ""),
        Target("p95 of the largest", rows[-1].figures["p95"], _MOST_P95_MS, " ms"),
    ]
    told = "\n".join(map(str, held))
    return Result(f"{title}\n\n{told}\n\n{render(_COLUMNS, rows)}\n", held)


async def _measure_one(sites: Sites, options: Options, size: int) -> Row:
    symbols = make_symbols(SYMBOLS * size)
    wanted = Wanted(keys={"enterprise": KEYS * size}, history=HISTORY * size, symbols=symbols)
    label = f"{len(symbols):,} symbols, {KEYS * size:,} keys, {HISTORY * size:,} predictions"
    say(f"cost: {label} ...")
    async with sites.open(wanted, workers=options.workers, depth=1) as site:
        start_mb = resident_kb(site.roles["web"]) / 1024
        plan = Plan(
            ledger=str(site.ground.folder / "ledger.json"),
            symbols=symbols,
            programs=site.population.programs,
            mix="light",
            changes_key=True,
            think_from_s=options.think_from_s,
            think_to_s=options.think_to_s,
            warm_up_s=options.warm_up_s,
            seconds=options.cost_seconds,
        )
        taken = await load(site, plan, users=options.cost_users, updates=options.updates)
        kept = {"valkey_mb": stores.valkey_mb(site.ground), "database_mb": stores.database_mb(site.ground)}
    return Row(label, {**_figures(taken), **kept, "start_mb": start_mb})


def _figures(taken: Taken) -> dict[str, float]:
    ledger = taken.ledger
    return {
        "rate": ledger.per_s,
        "p50": ledger.share_ms(0.5),
        "p95": ledger.share_ms(0.95),
        "history_p95": ledger.share_ms(0.95, call="history"),
        "web_us": 1e4 * taken.cpu["web"] / ledger.per_s,
        "postgres_us": 1e4 * taken.cpu.get("postgres", 0.0) / ledger.per_s,
        "web_mb": taken.memory["web"].proportional / 1024,
        "errors": ledger.count("error"),
    }


SCENARIO = Scenario("cost", measure)
