"""wrk, the load client: one thread that keeps so many connections busy."""

from __future__ import annotations

import asyncio
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

_SCRIPT = Path(__file__).with_name("wrk.lua")
_TIMEOUT_S = 30


class LoadFailed(Exception):
    """Not every request got a good answer, so that the figures would tell of something else."""


class Errors(msgspec.Struct, frozen=True):
    """What went wrong, by kind; `status` counts answers of 400 and above."""

    connect: int
    read: int
    write: int
    status: int
    timeout: int


class Figures(msgspec.Struct, frozen=True):
    """What wrk has counted, times in microseconds; `bytes` are those of whole answers."""

    requests: int
    duration_us: int
    bytes: int
    p50_us: int
    p99_us: int
    max_us: int
    errors: Errors

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return 1e6 * self.requests / self.duration_us


class Call(msgspec.Struct, frozen=True):
    """A GET: a path (with the query) and headers."""

    path: str
    headers: dict[str, str]


def find() -> str:
    """Where wrk is; ends the program with what to do where it is missing."""
    found = shutil.which("wrk")
    if found is None:
        sys.exit("wrk is not installed: apt install wrk (or your system's package of that name)")
    return found


def version() -> str:
    """What it calls itself."""
    said = subprocess.run([find(), "-v"], capture_output=True, text=True, timeout=10, check=False).stdout  # noqa: S603
    return " ".join(said.split()[:2])


def write_calls(path: Path, calls: Iterable[Call]) -> None:
    """The file that the script reads."""
    lines = ("\t".join([call.path, *(f"{n}: {v}" for n, v in call.headers.items())]) for call in calls)
    path.write_text("".join(f"{line}\n" for line in lines))


def parse(output: bytes) -> Figures:
    """The figures in the last line of wrk's output; raises `LoadFailed` where any request went wrong."""
    lines = output.strip().splitlines()
    try:
        figures = msgspec.json.decode(lines[-1] if lines else b"", type=Figures)
    except msgspec.MsgspecError:
        raise LoadFailed(f"wrk said: {output.decode(errors='replace')[-500:]}") from None
    wrong = {name: count for name, count in msgspec.structs.asdict(figures.errors).items() if count}
    if wrong or not figures.requests:
        raise LoadFailed(f"of {figures.requests} requests went wrong: {wrong or 'all'}")
    return figures


async def run(port: int, calls: Path, *, connections: int, seconds: float, begin: int = 0) -> Figures:
    """Send `calls` to the loopback `port`, again and again, for `seconds`, beginning with number `begin`."""
    process = await asyncio.create_subprocess_exec(
        find(),
        *("-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", f"--timeout={_TIMEOUT_S}s"),
        *("-s", str(_SCRIPT), f"http://127.0.0.1:{port}", "--", str(calls), str(begin)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return parse(output)


def client_s() -> float:
    """CPU seconds of this process and of every wrk that has ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
