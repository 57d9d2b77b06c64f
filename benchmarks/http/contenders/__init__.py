"""Who is measured. All look up an API key by its digest, count the call, and answer with a prediction.

None writes a line a request, but for `LOGGED`, which is what the gateway does unless it is told not to.
Each gets what its makers advise: a peer set up badly would prove nothing. The gateway keeps records of keys
and newest values in memory and follows their changes; it asks Redis only to count calls of keys with limits.
The peers keep nothing: as such services are written, they ask Redis for the key's record, its count and the
value.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.http.peers import PEERS
from benchmarks.side_by_side.ground import ROOT, Ground

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Contender:
    """`command` starts it on a port; `key` is the kind of keys it is asked with.

    `lacks` names what it does not do of that which `checking` asks for; a constant answer checks nothing.
    """

    name: str
    command: Callable[[Ground, int], list[str]]
    key: Literal["unlimited", "limited"] = "unlimited"
    lacks: frozenset[str] = frozenset()
    is_constant: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


GATEWAY = "gateway"
LOGGED = "gateway-logged"
PRO = "gateway-pro"
DJANGO = "gateway-django"
TWO_WORKERS = "gateway-2"
GRANIAN = "gateway-granian"
DJANGO_ASGI = "django-asgi"
FASTAPI = "fastapi"
FASTIFY = "fastify"
FASTAPI_SCRIPT = "fastapi-script"
FASTIFY_SCRIPT = "fastify-script"
CONSTANT = "constant-asgi"
CONSTANT_GRANIAN = "constant-granian"


def _gateway(*options: str) -> Callable[[Ground, int], list[str]]:
    def command(_: Ground, port: int) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port), *options]

    return command


def _django_asgi(_: Ground, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.http.contenders.django_asgi", str(port)]


def _fastapi(ground: Ground, port: int) -> list[str]:
    return [str(PEERS.python), str(_HERE / "fastapi_server.py"), str(port), ground.redis_url]


def _fastify(ground: Ground, port: int) -> list[str]:
    return ["node", str(_HERE / "node" / "server.js"), str(port), ground.redis_url]


def _fastapi_script(ground: Ground, port: int) -> list[str]:
    return [str(PEERS.python), str(_HERE / "fastapi_script.py"), str(port), ground.redis_url]


def _fastify_script(ground: Ground, port: int) -> list[str]:
    return ["node", str(_HERE / "node" / "script.js"), str(port), ground.redis_url]


def _constant(_: Ground, port: int) -> list[str]:
    return [sys.executable, str(_HERE / "constant.py"), str(port)]


def _constant_granian(_: Ground, port: int) -> list[str]:
    return _granian(port, "constant:app", folder=_HERE)


def _gateway_granian(_: Ground, port: int) -> list[str]:
    return _granian(port, f"{__name__}.gateway_granian:application", folder=ROOT)


def _granian(port: int, application: str, *, folder: Path) -> list[str]:
    options = ["--interface", "asgi", "--loop", "uvloop", "--no-ws", "--workers", "1", "--backlog", "2048"]
    options += ["--log-level", "warning", "--working-dir", str(folder), "--port", str(port)]
    return [str(PEERS.python), "-m", "granian", *options, application]


_HOT = {"HOT_READS": "true"}
# granian is among the libraries of the peers, the gateway's own are beside this interpreter.
_BOTH = {"PYTHONPATH": sysconfig.get_path("purelib")}
_NO_LIMITS = frozenset({"limits"})
CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(GATEWAY, _gateway(), lacks=_NO_LIMITS, environ=_HOT),
        Contender(LOGGED, _gateway(), lacks=_NO_LIMITS, environ=_HOT | {"LOG_LEVEL": "INFO"}),
        Contender(PRO, _gateway(), key="limited", environ=_HOT),
        Contender(TWO_WORKERS, _gateway("--workers", "2"), lacks=_NO_LIMITS, environ=_HOT),
        Contender(
            GRANIAN, _gateway_granian, lacks=_NO_LIMITS, environ=_HOT | _BOTH | {"GATEWAY_ROLE": "web"}
        ),
        Contender(DJANGO, _gateway(), lacks=_NO_LIMITS, environ={"HOT_READS": "false"}),
        Contender(DJANGO_ASGI, _django_asgi, lacks=_NO_LIMITS | {"X-Request-ID"}),
        Contender(FASTAPI, _fastapi),
        Contender(FASTIFY, _fastify),
        Contender(FASTAPI_SCRIPT, _fastapi_script),
        Contender(FASTIFY_SCRIPT, _fastify_script),
        Contender(CONSTANT, _constant, is_constant=True),
        Contender(CONSTANT_GRANIAN, _constant_granian, is_constant=True),
    )
}
