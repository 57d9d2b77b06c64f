"""`manage.py create_key`: a new API key from the command line, printed once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actions import NoTierForKeys, TooManyKeys, issue_key_by_names
from accounts.models import Tier


class Command(BaseCommand):
    """Create a key; the key alone is on the last line, so that scripts can take it from there."""

    help = "Create an API key for an account (made if new); the key is on the last line, shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", required=True, help="name of the account")
        parser.add_argument("--tier", required=True, help="free, pro, enterprise, or a tier of yours")
        parser.add_argument("--name", default="", help="what the key is for")

    def handle(self, *args: Any, **options: Any) -> None:
        for option, longest in (("account", 100), ("name", 100)):
            if len(options[option]) > longest:
                raise CommandError(f"--{option} may have {longest} characters at most")
        if not options["account"].strip():
            raise CommandError("--account must not be empty")
        try:
            issued = issue_key_by_names(
                account_name=options["account"].strip(),
                tier_name=options["tier"],
                key_name=options["name"],
                actor="command create_key",
                now=timezone.now(),
            )
        except Tier.DoesNotExist:
            names = Tier.objects.values_list("name", flat=True)
            raise CommandError(f"no tier {options['tier']!r}; there are: {', '.join(names)}") from None
        except NoTierForKeys:
            raise CommandError(
                f"{options['tier']!r} is the tier of callers without a key; choose another"
            ) from None
        except TooManyKeys:
            raise CommandError("the account has 100 usable keys; revoke some of them first") from None
        self.stderr.write(
            f"Key {issued.key.public_id} for {issued.key.account.name} on {issued.key.tier.name}."
            " Keep it: it is not shown again."
        )
        self.stdout.write(issued.secret)
