"""`manage.py settings_page`: what documents say of the settings, from their code."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway_project import settings_page


class Command(BaseCommand):
    """Print the tables of the settings, or renew docs/SETTINGS.md and both example files."""

    help = "Print the tables of the settings, or renew docs/SETTINGS.md and both example files."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        files = f"{settings_page.PAGE}, {settings_page.YAML} and {settings_page.VARIABLES}"
        parser.add_argument("--write", action="store_true", help=f"renew {files}, print nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["write"]:
            self.stdout.write(settings_page.tables(), ending="")
            return
        try:
            settings_page.write(settings.BASE_DIR)
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from None
