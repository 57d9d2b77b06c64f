"""`manage.py doctor`: is everything there that a gateway needs, and does it work together?"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from gateway_project import config
from gateway_project.doctor import courier, gateway, machine, stores
from gateway_project.doctor.findings import Check, Finding, Grade, failed

_DEFAULT_URL = "http://127.0.0.1:8000"


class Command(BaseCommand):
    """Look at every dependency and at the running gateway. The exit status is 1 if anything has failed."""

    help = "Look at every dependency and at the running gateway; each failure comes with its remedy."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        running = config.read_endpoints(settings.GATEWAY.data_dir).get("http", _DEFAULT_URL)
        parser.add_argument(
            "--url", default=running, help=f"the gateway as callers reach it (default: {running})"
        )
        parser.add_argument(
            "--publish",
            metavar="SYMBOL",
            help="publish a prediction for SYMBOL, which stays in the record, and wait for it on a socket; "
            "without it, the socket waits for what is published anyway",
        )
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        checks: list[Check] = [
            machine.look,
            stores.look_at_database,
            stores.look_at_redis,
            courier.look,
            functools.partial(gateway.look, options["url"].rstrip("/"), options["publish"]),
        ]
        findings: list[Finding] = []
        for check in checks:
            for finding in _ask(check):
                findings.append(finding)
                if not options["json"]:
                    self._print(finding)
        if options["json"]:
            self.stdout.write(msgspec.json.encode(findings).decode())
        bad = sum(finding.grade is Grade.FAILED for finding in findings)
        if not options["json"]:
            self.stdout.write(f"{bad} of {len(findings)} failed." if bad else "All is well.")
        if bad:
            sys.exit(1)

    def _print(self, finding: Finding) -> None:
        style = {Grade.OK: self.style.SUCCESS, Grade.NOTE: self.style.WARNING, Grade.FAILED: self.style.ERROR}
        self.stdout.write(f"{style[finding.grade](f'{finding.grade:<6}')}  {finding.subject}: {finding.seen}")
        if finding.remedy:
            self.stdout.write(f"        -> {finding.remedy}")


def _ask(check: Check) -> Iterator[Finding]:
    """A check that fails itself is a finding as well, and the others go on."""
    try:
        yield from check()
    except Exception as error:
        seen = f"a check could not be made: {type(error).__name__}: {error}"
        yield failed("doctor", seen, "this is a fault of the doctor; please report it")
