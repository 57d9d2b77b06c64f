"""Processes of a measurement: started, ended, and asked for CPU time, memory and open files. Linux only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway_project import embedded

_libc = ctypes.CDLL(None)


class DidNotStart(Exception):
    """A server did not listen in time or ended at once; the text is the end of its log."""


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    log: Path,
    port: int | None = None,
    user: str | None = None,
) -> Iterator[int]:
    """`command` in a process, listening on loopback `port` if given; yields the process id, ends it after."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - commands of this package
            command,
            env=dict(environ),
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls one system function
        )
    try:
        if port is not None:
            _wait_until_up(process, port, log)
        yield process.pid
    finally:
        # SIGINT is what makes Postgres leave without waiting for its clients; the others take it as well.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while not embedded.wait_until_listening(port, timeout_s=0.5):
        if process.poll() is not None or time.monotonic() > deadline:
            raise DidNotStart(log.read_text(errors="replace")[-2000:])


def _die_with_parent() -> None:
    _libc.prctl(1, signal.SIGKILL)


def allow_many_files() -> int:
    """Raise this process's limit of open files, which its children inherit; returns it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def family(pid: int) -> list[int]:
    """`pid` and all that descend from it."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of the family of `pid`: exact to the microsecond, and to ticks once threads have ended."""
    return sum(max(_living_threads_s(one), _all_threads_s(one)) for one in family(pid))


def _living_threads_s(pid: int) -> float:
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(task.read_text().split()[0])
    return total / 1e9


def _all_threads_s(pid: int) -> float:
    """With those that have ended, rounded down to ticks."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def resident_kb(pid: int) -> int:
    """Resident memory of the family of `pid`; what they share counts for each."""
    return sum(map(own_resident_kb, family(pid)))


def own_resident_kb(pid: int) -> int:
    """Resident memory of `pid` alone; 0 once it has gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


@dataclass(frozen=True, slots=True)
class Memory:
    """KB of a family of processes: what it shares is counted for each in `resident`, once in the others.

    `anonymous` is what it has asked for and not mapped from files or shared: where a leak would be.
    """

    resident: int
    proportional: int
    anonymous: int


def memory_of(pid: int) -> Memory:
    """Memory of the family of `pid`."""
    totals = {"Rss": 0, "Pss": 0, "Pss_Anon": 0}
    for one in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]:
                name, kb = line.split()[:2]
                if name[:-1] in totals:
                    totals[name[:-1]] += int(kb)
    return Memory(totals["Rss"], totals["Pss"], totals["Pss_Anon"])


def count_threads(pid: int) -> int:
    """Threads of the family of `pid`."""
    return sum(len(list(Path(f"/proc/{one}/task").glob("*"))) for one in family(pid))


def count_files_of_all(pid: int) -> int:
    """Open files of the family of `pid`."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):  # it has ended
            total += count_files(one)
    return total


def count_files(pid: int) -> int:
    """Open files of this one process."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - ten thousand names, of which none matters


def _machine_s() -> float:
    """CPU seconds that all cores have spent on whatever, idling and waiting for disks aside."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


class Meter:
    """CPU of named processes since the meter was made; ``client`` is this one, ``others`` is all the rest.

    `client_s` gives the client's CPU seconds where it is another one.
    """

    def __init__(self, pids: Mapping[str, int], *, client_s: Callable[[], float] = time.process_time) -> None:
        self._pids = dict(pids)
        self._client_s = client_s
        self._begun = time.monotonic()
        self._at_first = self._read()

    def used_s(self) -> dict[str, float]:
        """CPU seconds by name."""
        used = {name: now - self._at_first[name] for name, now in self._read().items()}
        machine = used.pop("machine")
        return {**used, "others": max(0.0, machine - sum(used.values()))}

    def shares(self, within_s: float | None = None) -> dict[str, float]:
        """Per cent of one core by ``<name>_cpu``, over `within_s` or the time since the meter was made."""
        took_s = within_s or time.monotonic() - self._begun
        return {f"{name}_cpu": 100 * used / took_s for name, used in self.used_s().items()}

    def _read(self) -> dict[str, float]:
        # The client's own descendants are the servers: only its own threads count.
        return {
            **{name: cpu_s(pid) for name, pid in self._pids.items()},
            "client": self._client_s(),
            "machine": _machine_s(),
        }
