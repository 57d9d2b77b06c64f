"""`manage.py asyncapi`: what docs/ says of the WebSocket and is made from its code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime import asyncapi


class Command(BaseCommand):
    """Print the AsyncAPI document, or renew the tables of codes in a Markdown file."""

    help = "Print the AsyncAPI document of the WebSocket, or renew the tables of codes in a Markdown file."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--tables", metavar="FILE", type=Path, help="renew the tables of codes in FILE, print nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path | None = options["tables"]
        if path is None:
            self.stdout.write(asyncapi.render(asyncapi.build()), ending="")
            return
        try:
            path.write_text(asyncapi.with_tables(path.read_text()))
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from None
