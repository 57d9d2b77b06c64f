"""`manage.py settle_again`: let the bridge look at every prediction of the record once more."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from predictions import settling


class Command(BaseCommand):
    """Begin settling at the first prediction again; what has its outcome keeps it."""

    help = "Let the bridge settle what was passed over: outcomes that are known stay as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        settling.start_over()
        self.stdout.write(
            "The bridge begins at the first prediction; pgw_outcomes_waiting_messages tells how far it is."
        )
