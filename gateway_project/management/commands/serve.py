"""`manage.py serve`: the ASGI server of a deployed gateway."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway_project import server


class Command(BaseCommand):
    """Serve REST and WebSocket until SIGTERM or Ctrl-C."""

    help = "Serve REST and WebSocket."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["port"] <= 65535:
            raise CommandError("--port must be between 0 (any free port) and 65535")
        try:
            sock = server.bind(options["host"], options["port"])
        except server.PortBusy as busy:
            raise CommandError(str(busy)) from None
        server.serve(sock)
