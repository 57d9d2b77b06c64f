"""`manage.py dashboard_key`: a key for DASHBOARD_KEY, with an account and a tier of its own; printed once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actions import TooManyKeys
from accounts.visitors import issue_visitors_key


class Command(BaseCommand):
    """Create the key that everybody may see; the key alone is on the last line."""

    help = "Create a key for DASHBOARD_KEY, which everybody who opens the dashboard can see."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            issued = issue_visitors_key(actor="command dashboard_key", now=timezone.now())
        except TooManyKeys:
            raise CommandError("the account has 100 usable keys; revoke some of them first") from None
        self.stderr.write(
            f"Key {issued.key.public_id} for {issued.key.account.name} on {issued.key.tier.name}: it reads,"
            " streams and orders explanations. Whoever opens the dashboard can see it."
        )
        self.stdout.write(issued.secret)
