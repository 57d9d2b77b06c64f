"""What the generator can do at the most: users that never think, against a server with a constant answer."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.side_by_side import processes
from benchmarks.side_by_side.ground import ROOT
from benchmarks.side_by_side.processes import Meter
from gateway_project import embedded
from loadtests.generator import generating
from loadtests.options import Options
from loadtests.plan import HURRIED, Plan, Program
from loadtests.scenario import Result, Scenario
from loadtests.site import Sites

USERS = 100
_SECONDS = 15.0


async def measure(_: Sites, options: Options) -> Result:
    """Calls a second, and what a call costs the generator."""
    with tempfile.TemporaryDirectory(prefix="pgw-load-") as name:
        folder = Path(name)
        port = embedded.free_port()
        plan = Plan(
            ledger=str(folder / "ledger.json"),
            symbols=["AAA"],
            programs=[Program("", "")],
            warm_up_s=min(3.0, options.warm_up_s),
            seconds=min(_SECONDS, options.seconds),
        )
        command = [sys.executable, str(ROOT / "benchmarks/http/contenders/constant.py"), str(port)]
        with processes.running(command, environ=os.environ, log=folder / "server.log", port=port) as server:
            async with generating(
                plan,
                url=f"http://{embedded.LOOPBACK}:{port}",
                users=USERS,
                per_s=USERS,
                classes=[HURRIED],
                folder=folder,
            ) as generator:
                await generator.begin()
                meter = Meter({"server": server, "generator": generator.pid})
                await generator.end()
                cpu = meter.shares()
                ledger = await generator.read()
    return Result(
        f"{USERS} users that do not think, against a constant answer "
        f"(`benchmarks/http/contenders/constant.py`): {ledger.per_s:,.0f} calls/s, p95 "
        f"{ledger.share_ms(0.95):.1f} ms, {ledger.count('error')} errors; the generator took "
        f"{cpu['generator_cpu']:.0f} % of a core, {1e4 * cpu['generator_cpu'] / ledger.per_s:,.0f} µs a "
        f"call, the server {cpu['server_cpu']:.0f} %. One process of Locust has no more than one core: near "
        "that rate times tell of it, not of the gateway. What users do costs it more, as its line in the "
        "tables of roles tells; a section whose generator had no core to spare says so.\n",
        [],
    )


SCENARIO = Scenario("generator", measure)
