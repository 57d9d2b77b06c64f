"""`manage.py serve`: the ASGI server of a deployed gateway, as one process or as a launcher of several."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import ssl
import sys
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway_project import server, system_limits, tls
from gateway_project.launcher import Launcher
from gateway_project.lifeline import Lifeline
from observability import shared_metrics

MOST_WORKERS = 64

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Serve REST and WebSocket until SIGTERM or Ctrl-C."""

    help = "Serve REST and WebSocket."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")
        parser.add_argument(
            "--workers",
            type=int,
            metavar="N",
            help=f"serve with N processes, 1 to {MOST_WORKERS}, that are restarted when they die, and one by "
            "one on SIGHUP; without it, this process serves",
        )
        parser.add_argument(
            "--role",
            choices=["all", "web", "ws"],
            default=settings.GATEWAY.gateway_role,
            help="everything, HTTP only, or WebSockets and probes only (default: GATEWAY_ROLE, or all)",
        )
        parser.add_argument(
            "--tls-certificate",
            metavar="FILE",
            default=settings.GATEWAY.tls_certificate,
            help="speak TLS with this certificate, in PEM (default: TLS_CERTIFICATE)",
        )
        parser.add_argument(
            "--tls-key",
            metavar="FILE",
            default=settings.GATEWAY.tls_key,
            help="its private key, in PEM (default: TLS_KEY)",
        )
        # What the launcher hands to its workers: two file descriptors, and how often to say that they live.
        parser.add_argument("--listener", type=int, help=argparse.SUPPRESS)
        parser.add_argument("--lifeline", type=int, help=argparse.SUPPRESS)
        parser.add_argument("--beat", type=float, help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        host, port, role, workers = (options[name] for name in ("host", "port", "role", "workers"))
        if not 0 <= port <= 65535:
            raise CommandError("--port must be between 0 (any free port) and 65535")
        if workers is not None and not 1 <= workers <= MOST_WORKERS:
            raise CommandError(f"--workers must be between 1 and {MOST_WORKERS}")
        certificate, key = options["tls_certificate"], options["tls_key"]
        # Also in a launcher, which would otherwise start workers that cannot serve, again and again.
        context = _load_tls(certificate, key)
        settings.GATEWAY = msgspec.structs.replace(
            settings.GATEWAY, gateway_role=role, tls_certificate=certificate, tls_key=key
        )
        if options["lifeline"] is not None:
            lifeline = Lifeline(_inherited(options["lifeline"]), options["beat"])
            server.serve(_inherited(options["listener"]), lifeline, context)
            return
        system_limits.raise_open_files()
        try:
            sock = server.bind(host, port) if workers is None else server.reserve(host, port)
        except server.PortBusy as busy:
            raise CommandError(str(busy)) from None
        _advise(workers or 1)
        if workers is None:
            server.serve(sock, tls=context)
        else:
            _launch(sock, host, role, workers)


def _load_tls(certificate: str, key: str) -> ssl.SSLContext | None:
    if bool(certificate) != bool(key):
        raise CommandError("--tls-certificate and --tls-key go together: give both or neither")
    try:
        return tls.load(certificate, key) if certificate else None
    except tls.Unusable as unusable:
        raise CommandError(str(unusable)) from None


def _launch(reserved: socket.socket, host: str, role: str, workers: int) -> None:
    port = str(reserved.getsockname()[1])
    certificate, key = settings.GATEWAY.tls_certificate, settings.GATEWAY.tls_key
    manage = str(settings.BASE_DIR / "manage.py")
    command = [sys.executable, manage, "serve", "--host", host, "--port", port, "--role", role]
    if certificate:
        command += ["--tls-certificate", certificate, "--tls-key", key]
    logger.info(
        "workers: %d, at %s://%s:%s, role %s; SIGHUP renews them one by one, SIGTERM ends them",
        workers,
        "https" if certificate else "http",
        f"[{host}]" if ":" in host else host,
        port,
        role,
    )
    with shared_metrics.shared():
        if not asyncio.run(_run(command, reserved, workers)):
            sys.exit(1)


async def _run(command: list[str], reserved: socket.socket, workers: int) -> bool:
    return await Launcher(command, reserved, workers).run()


def _advise(workers: int) -> None:
    if settings.GATEWAY.environment == "demo":
        return  # `manage.py up`: one person on loopback needs none of it
    for advice in system_limits.advise(system_limits.read(), backlog=server.BACKLOG, workers=workers):
        logger.warning("%s", advice)


def _inherited(number: int) -> socket.socket:
    sock = socket.socket(fileno=number)
    sock.set_inheritable(False)
    return sock
