"""What a case stands on: servers, a line from every role to each of them, and the roles."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway_project import embedded
from tests.faults.effects import COUNT_EFFECTS
from tests.lines import Line, line_to
from tests.people import add_key, add_tier
from tests.servers import DISK, Server, running_nats, running_postgres, running_valkey
from tests.stack import Stack, eventually, fresh_database

STALE_AFTER_S = 3.0
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
_URLS = {"postgres": "DATABASE_URL", "redis": "REDIS_URL", "nats": "NATS_URL"}
_DISK_SIZE = "220m"
_CHILDREN = "/proc/{0}/task/{0}/children"


class Impossible(Exception):
    """The case cannot be made on this machine; the text says why."""


@dataclass
class Ground:
    """A gateway in which everything can be broken. `lines[role][store]` carries what the role says to it."""

    stack: Stack
    servers: dict[str, Server]
    lines: dict[str, dict[str, Line]]
    front: Line
    disk: Path
    clock: Path
    victim: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    workers: int = 2
    stopped: int | None = None
    prices: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Each event that is ever published on this ground has one of its own."""

    def start(self, role: str) -> None:
        """Start the process of `role` and wait until it answers its probes."""
        stack, port = self.stack, embedded.free_port()
        for store, name in _URLS.items():
            stack.environ[name] = self.lines[role][store].url
        if role == "web":
            port = int(self.urls["web"].rpartition(":")[2])
            process = stack.start("serve", "--port", str(port), "--workers", str(self.workers))
        else:
            stack.environ["OPS_PORT"] = str(port)
            process = stack.start_bridge_at_once() if role == "bridge" else stack.start_worker()
            self.urls[role] = f"http://{embedded.LOOPBACK}:{port}"
            stack.environ.pop("OPS_PORT")
        self.processes[role] = process
        if not embedded.wait_until_listening(port, timeout_s=60):
            raise RuntimeError(f"{role} does not listen")

    def again(self, role: str) -> None:
        """Start `role` again where it was, as a service manager would."""
        port = self.urls[role].rpartition(":")[2]
        for store, name in _URLS.items():
            self.stack.environ[name] = self.lines[role][store].url
        self.stack.environ["OPS_PORT"] = port
        start = self.stack.start_bridge_at_once if role == "bridge" else self.stack.start_worker
        self.processes[role] = start()
        self.stack.environ.pop("OPS_PORT")

    def web_workers(self) -> list[int]:
        """The processes below the launcher."""
        children = Path(_CHILDREN.format(self.processes["web"].pid)).read_text().split()
        return sorted(map(int, children))

    def lines_of(self, victim: str) -> list[Line]:
        """Where the network of `victim` can be broken."""
        if victim == "web":
            return [self.front]
        if victim in self.servers:
            return [stores[victim] for stores in self.lines.values()]
        return list(self.lines[victim].values())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the victim: of web, to one worker, and to the same one later."""
        if self.victim == "web":
            self.stopped = self.stopped or self.web_workers()[0]
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.stopped, number)
        else:
            self.processes[self.victim].send_signal(number)

    def step_clock(self, hours: int) -> None:
        """Set the victim's clock `hours` ahead of the others."""
        self.clock.write_text(f"{hours:+d}h" if hours else "+0")

    def fill_disk(self) -> None:
        """Leave no byte of the victim's disk; more than once, since it gives up what it no longer needs."""
        ballast = self.disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def clear_disk(self) -> None:
        """Give the room back."""
        (self.disk / "ballast").unlink()


@contextlib.contextmanager
def standing(
    victim: str, fault: str, *, workers: int = 2, statement_timeout_ms: int | None = None
) -> Iterator[Ground]:
    """Bring up a ground for faults of one kind on `victim`; raises `Impossible`."""
    limit = f"?options=-c%20statement_timeout%3D{statement_timeout_ms}" if statement_timeout_ms else ""
    with contextlib.ExitStack() as held:
        yield _bring_up(held, victim, fault, workers, limit)


def _bring_up(held: contextlib.ExitStack, victim: str, fault: str, workers: int, limit: str) -> Ground:
    clock = held.enter_context(_clock()) if fault == "clock_step" else Path()
    faked = _faking(clock) if fault == "clock_step" else {}
    disk = held.enter_context(_small_disk()) if fault == "disk_full" else DISK

    def of(name: str) -> tuple[Path, dict[str, str]]:
        return (disk, faked) if name == victim else (DISK, {})

    # A small disk is not to be filled by logs that Postgres keeps for later.
    wal = {"min_wal_size": "32MB", "max_wal_size": "48MB"} if fault == "disk_full" else {}
    saving = ("--save", "1 1") if (victim, fault) == ("redis", "disk_full") else ()
    postgres = held.enter_context(running_postgres(*of("postgres"), wal))
    servers = {
        "postgres": postgres,
        "redis": held.enter_context(running_valkey(*of("redis"), *saving)),
        "nats": held.enter_context(running_nats(of("nats")[0], promises="100GB")),
    }
    database_url = held.enter_context(_database(postgres))
    stack = Stack(database_url, redis=servers["redis"], nats=servers["nats"])
    held.callback(stack.end)
    targets = {"postgres": database_url + limit, "redis": servers["redis"].url, "nats": servers["nats"].url}
    lines = {
        role: {store: held.enter_context(line_to(url)) for store, url in targets.items()}
        for role in ("web", "bridge", "worker")
    }
    port = embedded.free_port()
    front = held.enter_context(line_to(f"http://{embedded.LOOPBACK}:{port}"))
    stack.environ |= {
        "STALE_AFTER_S": str(STALE_AFTER_S),
        "EXPLANATIONS_IN_FLIGHT": "1000000",
        "EXPLAIN_ACK_WAIT_S": "2",
        "DATA_DIR": str(disk),
    }
    ground = Ground(stack, servers, lines, front, disk, clock, victim, workers=workers)
    ground.urls["web"] = f"http://{embedded.LOOPBACK}:{port}"
    stack.base_url = front.url
    stack.log_path = Path(tempfile.mkstemp(prefix="pgw-faults-", suffix=".log")[1])
    stack.execute(COUNT_EFFECTS)
    _add_callers(ground)
    for role in ("bridge", "worker", "web"):
        own = faked | ({"TMPDIR": str(disk)} if fault == "disk_full" else {}) if role == victim else {}
        before = dict(stack.environ)
        stack.environ |= own
        ground.start(role)
        stack.environ = before
    eventually(lambda: len(ground.web_workers()) == workers)
    return ground


def _add_callers(ground: Ground) -> None:
    """A caller without limits, and one whose limits have to be asked for and are never used up."""
    stack = ground.stack
    stack.key = add_key(stack, "enterprise").secret
    tier = add_tier(stack, ("hourly", "account", 10_000_000, 3600, None), redis_down="local")
    ground.keys = {"unlimited": stack.key, "limited": add_key(stack, tier).secret}


@contextlib.contextmanager
def _database(postgres: Server) -> Iterator[str]:
    """As `fresh_database`, but a server that a case has left broken needs no tidying: it goes anyway."""
    made = fresh_database(postgres.url)
    yield made.__enter__()


@contextlib.contextmanager
def _small_disk() -> Iterator[Path]:
    if os.geteuid() != 0:
        raise Impossible("only root may mount a small disk")
    folder = Path(tempfile.mkdtemp(prefix="pgw-disk-", dir="/tmp"))
    options = f"size={_DISK_SIZE},mode=1777"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Impossible(f"a small disk cannot be mounted: {done.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _clock() -> Iterator[Path]:
    if not FAKETIME.exists():
        raise Impossible("libfaketime is not installed: apt-get install -y libfaketime")
    folder = Path(tempfile.mkdtemp(prefix="pgw-clock-", dir="/tmp"))
    folder.chmod(0o755)
    clock = folder / "clock"
    clock.write_text("+0")
    try:
        yield clock
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _faking(clock: Path) -> dict[str, str]:
    """The environment of a process whose time of day is what `clock` says; what measures time goes on."""
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
