"""Every case of the matrix and what it is expected to show, as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass

VICTIMS = {
    "postgres": "Postgres",
    "redis": "Redis",
    "nats": "NATS",
    "web": "one web worker of two",
    "bridge": "bridge",
    "worker": "explanation worker",
}
FAULTS = {
    "kill": "SIGKILL; a store comes back after 10 s, a bridge or worker too, a web worker by its launcher",
    "freeze": "SIGSTOP for 30 s, then SIGCONT",
    "latency": "500 ms more for every exchange, 20 s",
    "reset": "connections are reset in the middle of an answer, again and again, for 10 s",
    "half_open": "connections stay open and swallow every byte for 15 s; those from that time stay dead",
    "disk_full": "no byte is free on the disk of its data, 15 s",
    "clock_step": "its clock jumps an hour ahead, and back after 10 s",
}
LASTS_S = {
    "kill": 10.0,
    "freeze": 30.0,
    "latency": 20.0,
    "reset": 10.0,
    "half_open": 15.0,
    "disk_full": 15.0,
    "clock_step": 10.0,
}
ROLES = frozenset({"web", "bridge", "worker"})
STORES = frozenset({"postgres", "redis", "nats"})


@dataclass(frozen=True, slots=True)
class Case:
    """One cell. One of `alerts` fires if the fault goes on; without any, none may fire that wakes somebody.

    `unready` are the roles whose ``/health/ready`` must say 503 meanwhile, `may_flap` those that may.
    `refused` are the kinds of calls (`work.READS`, and ``order``) that may be answered 503; every other kind
    never is, and is answered while the fault goes on.
    """

    victim: str
    fault: str
    expects: str
    alerts: frozenset[str] = frozenset()
    unready: frozenset[str] = frozenset()
    may_flap: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    not_applicable: str = ""

    @property
    def name(self) -> str:
        """As it is chosen and printed."""
        return f"{self.victim}-{self.fault}"


def _one_of(*alerts: str) -> frozenset[str]:
    """Several, where chance decides whether anything comes through between two breaks."""
    return frozenset(alerts)


# What asks the record: a batch does, for the symbol that nobody has predicted.
_RECORD = frozenset({"batch", "history", "order", "unknown"})
_WEB_BRIDGE = frozenset({"web", "bridge"})
_BRIDGE_WORKER = frozenset({"bridge", "worker"})

CASES = (
    Case(
        "postgres",
        "kill",
        "Reads come from memory and grow stale, marked so; what asks the record is 503; events wait in NATS.",
        alerts=_one_of("PostgresDown"),
        unready=_WEB_BRIDGE,
        refused=_RECORD,
    ),
    Case(
        "postgres",
        "freeze",
        "As if it were killed, once it is noticed: no thread waits for it longer than 12 s.",
        alerts=_one_of("PostgresDown"),
        unready=_WEB_BRIDGE,
        refused=_RECORD,
    ),
    Case(
        "postgres",
        "latency",
        "Everything is answered, what needs the record half a second later a statement.",
        alerts=_one_of("SocketsLagging"),
        may_flap=_WEB_BRIDGE,
    ),
    Case(
        "postgres",
        "reset",
        "What was under way is 503 or tried again; reads from memory are untouched; nothing is lost.",
        alerts=_one_of("ErrorsHigh"),
        may_flap=_WEB_BRIDGE,
        refused=_RECORD,
    ),
    Case(
        "postgres",
        "half_open",
        "As if it froze; connections from that time are not trusted when it is over.",
        alerts=_one_of("PostgresDown"),
        unready=_WEB_BRIDGE,
        refused=_RECORD,
    ),
    Case(
        "postgres",
        "disk_full",
        "It refuses writes: orders are 503, events wait in NATS, reads go on and grow stale.",
        alerts=_one_of("DiskFull"),
        may_flap=_WEB_BRIDGE,
        refused=frozenset({"order"}),
    ),
    Case(
        "postgres",
        "clock_step",
        "Nothing: what is told of time comes from events and from the gateway.",
    ),
    Case(
        "redis",
        "kill",
        "Reads come from the record, each process counts limits, orders go on; sockets hear it later.",
        alerts=_one_of("RedisDown"),
    ),
    Case(
        "redis",
        "freeze",
        "As if it were killed, after one call's time-out of a second.",
        alerts=_one_of("RedisDown"),
    ),
    Case(
        "redis",
        "latency",
        "Calls with limits take half a second more, updates more than a second; nothing is refused.",
        alerts=_one_of("BridgeLagging"),
    ),
    Case(
        "redis",
        "reset",
        "A call whose reply was cut goes on without Redis; a socket is told of what it misses.",
        alerts=_one_of("LimiterFallback"),
    ),
    Case(
        "redis",
        "half_open",
        "As if it froze; every process joins the channel layer anew when it is over.",
        alerts=_one_of("RedisDown"),
    ),
    Case(
        "redis",
        "disk_full",
        "It cannot save and refuses writes: as if it were killed, reads come from the record.",
        alerts=_one_of("DiskFull"),
    ),
    Case("redis", "clock_step", "Nothing but windows of limits that end early or late."),
    Case(
        "nats",
        "kill",
        "Orders are accepted and wait in the outbox; reads grow stale, marked so.",
        alerts=_one_of("NatsDown"),
        unready=_BRIDGE_WORKER,
    ),
    Case(
        "nats",
        "freeze",
        "As if it were killed.",
        alerts=_one_of("NatsDown"),
        unready=_BRIDGE_WORKER,
    ),
    Case(
        "nats",
        "latency",
        "Updates come half a second later.",
        may_flap=_BRIDGE_WORKER,
    ),
    Case(
        "nats",
        "reset",
        "Bridge and worker connect again and again; what was delivered twice is stored once.",
        alerts=_one_of("RedeliveriesHigh", "UpdatesMissing"),
        may_flap=_BRIDGE_WORKER,
    ),
    Case(
        "nats",
        "half_open",
        "As if it were killed; the dead connections are given up within 15 s.",
        alerts=_one_of("NatsDown"),
        unready=_BRIDGE_WORKER,
    ),
    Case(
        "nats",
        "disk_full",
        "It takes no message until it is started again with room: the pipeline and the outbox keep theirs.",
        alerts=_one_of("DiskFull"),
        may_flap=_BRIDGE_WORKER,
    ),
    Case(
        "nats",
        "clock_step",
        "",
        not_applicable="nats-server is a static Go program, which takes the time from the kernel: its clock "
        "cannot be stepped without that of the machine. The three rows below step everybody else's instead.",
    ),
    Case(
        "web",
        "kill",
        "Callers of that worker alone lose their connection; the other serves, the launcher starts it again.",
    ),
    Case(
        "web",
        "freeze",
        "Callers of that worker wait and come back to the other; its launcher may kill it after 30 s.",
        may_flap=frozenset({"web"}),
    ),
    Case(
        "web",
        "latency",
        "The network before the gateway: every answer comes, half a second later.",
    ),
    Case(
        "web",
        "reset",
        "The network before the gateway: an order that is repeated with its Idempotency-Key is the same job.",
    ),
    Case(
        "web",
        "half_open",
        "The network before the gateway: callers come back on new connections; the sockets catch up.",
    ),
    Case(
        "web",
        "disk_full",
        "The disk with the metrics that its workers share: answers go on.",
        alerts=_one_of("DiskFull"),
    ),
    Case(
        "web",
        "clock_step",
        "What was predicted an hour ago by its clock is told as stale; keys and limits hold.",
        may_flap=frozenset({"web"}),  # libfaketime steps what waits within the process, too
    ),
    Case(
        "bridge",
        "kill",
        "Reads come from Redis and grow stale, events wait; the next bridge records them once.",
        alerts=_one_of("BridgeDown"),
    ),
    Case(
        "bridge",
        "freeze",
        "As if it were killed; what it had is delivered again, stored once.",
        alerts=_one_of("BridgeDown"),
    ),
    Case(
        "bridge",
        "latency",
        "All its lines: events are recorded and told later, none is lost.",
        alerts=_one_of("BridgeLagging"),
        may_flap=frozenset({"bridge"}),
    ),
    Case(
        "bridge",
        "reset",
        "All its lines: it connects again and again; what was recorded and not acknowledged is stored once.",
        alerts=_one_of("BridgeLagging", "UpdatesMissing"),
        may_flap=frozenset({"bridge"}),
    ),
    Case(
        "bridge",
        "half_open",
        "All its lines: as if it were frozen, then it connects anew.",
        alerts=_one_of("BridgeUnheard"),
        unready=frozenset({"bridge"}),
    ),
    Case("bridge", "disk_full", "It keeps nothing on its disk: nothing happens.", alerts=_one_of("DiskFull")),
    Case(
        "bridge",
        "clock_step",
        "The lag that it tells of and the times of its log are wrong; what is stored and told is not.",
        alerts=_one_of("BridgeLagging"),
    ),
    Case(
        "worker",
        "kill",
        "Orders are accepted and wait; the next worker takes those that it had.",
        alerts=_one_of("WorkerDown"),
    ),
    Case(
        "worker",
        "freeze",
        "As if it were killed; an order that another has taken has one effect.",
        alerts=_one_of("WorkerDown"),
    ),
    Case("worker", "latency", "Explanations come later.", may_flap=frozenset({"worker"})),
    Case(
        "worker",
        "reset",
        "It connects again and again; an order that was delivered twice has one effect.",
        may_flap=frozenset({"worker"}),
    ),
    Case(
        "worker",
        "half_open",
        "Orders wait; the dead connection is given up within 15 s.",
        alerts=_one_of("NatsDown"),
        unready=frozenset({"worker"}),
    ),
    Case(
        "worker",
        "disk_full",
        "",
        not_applicable="it writes no file; its metrics tell of no disk",
    ),
    Case("worker", "clock_step", "Explanations are dated by its clock, and nothing else changes."),
)
