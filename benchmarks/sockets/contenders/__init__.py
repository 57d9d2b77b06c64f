"""Who is measured. All accept, welcome, subscribe by a JSON frame, fan out, and ping every 15 s.

Each gets what its makers advise: a peer set up badly would prove nothing. What peers do not do is what a
gateway is for: check a credential, keep order, notice losses, spare slow readers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.side_by_side.ground import ROOT, Ground
from benchmarks.sockets.peers import PEERS

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Contender:
    """`command` starts it on a port; `sink` is how updates get into it."""

    name: str
    sink: str
    command: Callable[[Ground, int, int], list[str]]

    def headers(self, ground: Ground) -> dict[str, str]:
        """What a socket shows at its handshake."""
        return {"X-API-Key": ground.key} if self.name == GATEWAY else {}


GATEWAY = "gateway"
# The closest to what the machine can do: ratios are to it wherever it took part.
REFERENCE = "picows"


def _gateway(_: Ground, port: int, workers: int) -> list[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
    return command if workers == 1 else [*command, "--workers", str(workers)]


def _python(script: str) -> Callable[[Ground, int, int], list[str]]:
    def command(ground: Ground, port: int, _: int) -> list[str]:
        return [str(PEERS.python), str(_HERE / script), str(port), ground.redis_url]

    return command


def _node(ground: Ground, port: int, _: int) -> list[str]:
    return ["node", str(_HERE / "node" / "server.js"), str(port), ground.redis_url]


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(GATEWAY, "layer", _gateway),
        Contender("fastapi", "channels", _python("fastapi_server.py")),
        Contender("node-ws", "channels", _node),
        Contender(REFERENCE, "channels", _python("picows_server.py")),
    )
}
