"""`manage.py openapi`: the contract of HTTP, from its code, and the table of its errors in the guide."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    """Print the OpenAPI document, or renew docs/openapi.json."""

    help = "Print the OpenAPI document of the HTTP API, or renew docs/openapi.json."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--write",
            action="store_true",
            help="renew docs/openapi.json and the table of codes in docs/API_USAGE.md, print nothing",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from gateway_project.openapi import document

        text = document.render(document.build())
        if not options["write"]:
            self.stdout.write(text, ending="")
            return
        try:
            (settings.BASE_DIR / document.NAME).write_text(text, encoding="utf-8")
            guide = settings.BASE_DIR / document.GUIDE
            guide.write_text(document.with_codes(guide.read_text(encoding="utf-8")), encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from None
