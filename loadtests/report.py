"""What a load took, as Markdown: calls, roles, where the CPU went, what was to hold. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.side_by_side.figures import percentile
from benchmarks.side_by_side.processes import Memory
from benchmarks.side_by_side.tables import BUSY_CLIENT, align
from loadtests.ledger import Ledger

# The machine is full, and times are mostly waiting for a core, from this share of it on.
FULL = 90.0
# Whatever else the machine does takes more than this of one core: times are too long.
DISTURBING = 25.0
ALL = "all"
# In this order, whoever of them took part.
_ROLES = {
    "web": "web workers",
    "bridge": "bridge",
    "worker": "worker for explanations",
    "postgres": "Postgres",
    "valkey": "Valkey",
    "nats": "NATS",
    "feeder": "feeder",
    "generator": "generator (Locust)",
    "client": "sockets' client",
    "others": "others",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A measured `value` that is to stay below `bound`; with a bound of 0 there is to be none."""

    what: str
    value: float
    bound: float
    unit: str

    @property
    def holds(self) -> bool:
        """A bound of 0 may be reached, any other must not; what is no number does not hold."""
        return self.value == 0 if self.bound == 0 else self.value < self.bound

    def __str__(self) -> str:
        asked = "none" if self.bound == 0 else f"below {self.bound:g}{self.unit}"
        verdict = "held" if self.holds else "NOT HELD"
        return f"- {self.what}: {self.value:,.4g}{self.unit}, {asked} asked: **{verdict}**"


def calls(ledger: Ledger) -> str:
    """A line for each kind of call, the most frequent first, and one for all."""
    names = sorted(ledger.took_us, key=lambda name: -ledger.count(call=name))
    head = ["", "calls/s", "p50 ms", "p95 ms", "p99 ms", "304 %", "429 %", "errors"]
    return align([head, *(_call(ledger, name) for name in [*names, None])])


def _call(ledger: Ledger, name: str | None) -> list[str]:
    total = ledger.count(call=name)
    shares = [ledger.share_ms(share, call=name) for share in (0.5, 0.95, 0.99)]
    return [
        name or f"**{ALL}**",
        f"{total / ledger.seconds:,.1f}",
        *("-" if math.isnan(share) else f"{share:,.1f}" for share in shares),
        *(f"{100 * ledger.count(outcome, call=name) / total:.0f}" for outcome in ("not modified", "limited")),
        str(ledger.count("error", call=name)),
    ]


def roles(cpu: Mapping[str, float], memory: Mapping[str, Memory], counted: int, seconds: float) -> str:
    """CPU and memory of each role; CPU also for each of the `counted` calls."""
    head = ["", "CPU % of a core", "CPU µs a call", "PSS MB", "RSS MB"]
    lines = [
        [
            heading,
            f"{cpu[role]:.0f}",
            f"{1e4 * cpu[role] * seconds / counted:,.0f}" if counted else "-",
            *_memory(memory.get(role)),
        ]
        for role, heading in _ROLES.items()
        if role in cpu
    ]
    return align([head, *lines])


def _memory(memory: Memory | None) -> tuple[str, str]:
    if memory is None:
        return "-", "-"
    return f"{memory.proportional / 1024:,.0f}", f"{memory.resident / 1024:,.0f}"


def bottleneck(cpu: Mapping[str, float], cores: int) -> str:
    """Who took most of the cores, and whether the cores were what there was too little of."""
    used = sum(cpu.values())
    busy = 100 * used / (100 * cores)
    first, second = sorted((role for role in cpu if role != "others"), key=lambda role: -cpu[role])[:2]
    told = (
        f"The {cores} cores were {min(busy, 100):.0f} % busy; of what they did "
        f"{100 * cpu[first] / used:.0f} % was for the {_ROLES[first]}, "
        f"{100 * cpu[second] / used:.0f} % for the {_ROLES[second]}."
    )
    verdict = "The cores are the limit." if busy >= FULL else "Nothing was at its limit."
    if cpu.get("others", 0.0) > DISTURBING:
        verdict += " Others disturbed it: they took cores that the gateway would have had."
    if cpu.get("generator", 0.0) > BUSY_CLIENT:
        verdict += " The generator had no core to spare: the times tell of it as well."
    return f"{told} {verdict}"


def limited(ledger: Ledger) -> str:
    """What limits refused, and how fast."""
    times = [took for some in ledger.took_us.values() for took in some.get("limited", [])]
    if not times:
        return "No call was refused by a limit."
    return (
        f"{len(times):,} calls ({100 * len(times) / ledger.count():.0f} %) were refused by a limit, as "
        f"declared: 429, p95 {percentile(times, 0.95) / 1000:.1f} ms, in no other time of this section."
    )


def section(
    title: str,
    ledger: Ledger,
    cpu: Mapping[str, float],
    memory: Mapping[str, Memory],
    *,
    cores: int,
    targets: Sequence[Target],
    notes: Sequence[str] = (),
) -> str:
    """All of it."""
    parts = [
        title,
        "\n".join(map(str, targets)),
        calls(ledger),
        roles(cpu, memory, ledger.count(), ledger.seconds),
        " ".join([*notes, bottleneck(cpu, cores)]),
        "\n".join(f"- {text}" for text in ledger.notices),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
