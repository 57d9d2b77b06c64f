"""Whether a stranger can tell by the time of an answer what the gateway knows.

Run by itself: ``.venv/bin/python -m benchmarks.telling_apart``. Brings up servers and a gateway of its own,
and asks for what gets the same answer, in random order, over one connection: keys that are wrong in several
ways (401), and jobs that are somebody else's or nobody's (404). *slower* is how often an answer took longer
than one of the first kind, of all pairs: by chance 50 %, give or take what is printed behind it.
"""

from __future__ import annotations

import argparse
import http.client
import random
import secrets
import statistics
import sys
import time
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from accounts import keys
from benchmarks.http import keyring
from benchmarks.side_by_side import processes
from benchmarks.side_by_side.ground import ROOT, Ground, manage, standing
from benchmarks.side_by_side.tables import align
from gateway_project import embedded

_KEYS = 100
_CHECKSUM_LENGTH = 6
_TIMEOUT_S = 10.0
_ADD_JOB = """
import uuid
from django.utils import timezone
from explanations.models import Computation, ExplanationJob
now = timezone.now()
made = Computation.objects.create(symbol="AAPL", depth="fast", prediction_timestamp=now, model_version="m",
    prediction={}, created_at=now, heard_at=now)
job = ExplanationJob(computation=made, account_id=1_000_000, ordered_by="key", created_at=now)
job.save(force_insert=True)
print(job.id)
"""

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """Something to ask for: `make` gives path and headers of the next call."""

    name: str
    status: int
    make: Callable[[], tuple[str, Headers]]
    took_us: list[float] = field(default_factory=list)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.telling_apart",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--calls", type=int, default=4_000, help="of each kind (%(default)s)")
    parser.add_argument(
        "--database", default="postgres", help="postgres (a server of its own), sqlite or a URL"
    )
    parsed = parser.parse_args()
    with standing(parsed.database, "default") as ground:
        port = embedded.free_port()
        command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
        # Each call comes from an address of its own: guesses are counted by address.
        environ = ground.environ | {"TRUSTED_PROXIES": "127.0.0.1/32"}
        with processes.running(command, environ=environ, log=ground.log, port=port), ground.telling_why():
            for group in (_wrong_keys(ground, port), _jobs(ground)):
                _ask(port, group, parsed.calls // 10)
                for kind in group:
                    kind.took_us.clear()
                _ask(port, group, parsed.calls)
                sys.stdout.write(_told(group) + "\n")


def _wrong_keys(ground: Ground, port: int) -> list[Kind]:
    """Keys that are no keys; those that exist are in the memory of the process."""
    known = keyring.make(ground, "enterprise", _KEYS)

    def asking(secret: Callable[[], str]) -> Callable[[], tuple[str, Headers]]:
        return lambda: ("/auth/profile", {"X-API-Key": secret()})

    def unknown() -> str:
        return keys.make_key(uuid.uuid4(), "live")

    def of_a_key() -> str:
        return keys.make_key(keys.parse_key(secrets.choice(known)).id, "live")

    def nearly() -> str:
        one = secrets.choice(known)
        secret = one.rpartition("_")[2][:-_CHECKSUM_LENGTH]
        characters = iter(secret[:-1] + ("A" if secret[-1] != "A" else "B"))
        return keys.make_key(keys.parse_key(one).id, "live", choose=lambda _: next(characters))

    _ask(port, [Kind("a key", 200, asking(iter(known).__next__))], _KEYS)
    return [
        Kind("a key that never was", 401, asking(unknown)),
        Kind("the id of a key, another secret", 401, asking(of_a_key)),
        Kind("a key, but for the last character of its secret", 401, asking(nearly)),
    ]


def _jobs(ground: Ground) -> list[Kind]:
    """Jobs that a good key may not see."""
    foreign = manage("shell", "-v0", "-c", _ADD_JOB, environ=ground.environ).split()[-1]
    good = {"X-API-Key": ground.key}
    return [
        Kind("a job that never was", 404, lambda: (f"/api/explanation/job/{uuid.uuid4()}", good)),
        Kind("a job of another account", 404, lambda: (f"/api/explanation/job/{foreign}", good)),
    ]


def _ask(port: int, group: Sequence[Kind], calls: int) -> None:
    """`calls` of each kind, in random order. Raises `RuntimeError` for another status than the kind's."""
    client = http.client.HTTPConnection(embedded.LOOPBACK, port, timeout=_TIMEOUT_S)
    order = [kind for kind in group for _ in range(calls)]
    random.shuffle(order)
    for number, kind in enumerate(order):
        path, headers = kind.make()
        headers = headers | {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}
        began_ns = time.perf_counter_ns()
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        answer.read()
        kind.took_us.append((time.perf_counter_ns() - began_ns) / 1000)
        if answer.status != kind.status:
            raise RuntimeError(f"{kind.name}: {answer.status}")
    client.close()


def _told(group: Sequence[Kind]) -> str:
    first = group[0].took_us
    # The standard error of the share, for two samples of the same distribution.
    width = 1.96 * 100 * (1 / (6 * len(first))) ** 0.5
    head = ["", "25 % µs", "median µs", "75 % µs", "slower %"]
    lines = [
        [
            f"{kind.name} ({kind.status})",
            *(f"{quartile:,.0f}" for quartile in statistics.quantiles(kind.took_us, n=4)),
            "-" if kind.took_us is first else f"{100 * share_slower(kind.took_us, first):.1f} ± {width:.1f}",
        ]
        for kind in group
    ]
    return align([head, *lines])


def share_slower(some: Sequence[float], others: Sequence[float]) -> float:
    """Of all pairs, the share in which that of `some` is greater; equal ones count half."""
    ordered = sorted(others)
    below = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in some)
    return below / (2 * len(some) * len(others))


if __name__ == "__main__":
    main()
