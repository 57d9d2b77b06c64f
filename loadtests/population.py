"""Who calls: accounts with keys on the tiers, and people who log in. Written to the database in bulk.

As a program, in a process with Django: makes them, fills the history if asked to, and prints them as JSON.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.http.keyring import add_keys
from benchmarks.side_by_side.command import say
from benchmarks.side_by_side.ground import ROOT, Ground
from loadtests.plan import Login, Program

ANONYMOUS = "anonymous"
_PASSWORD = "correct horse battery staple"  # noqa: S105 - of people who live for a measurement


class Population(msgspec.Struct, frozen=True):
    """Keys by tier, mixed, and people."""

    programs: list[Program]
    people: list[Login]

    def keys(self) -> dict[str, list[str]]:
        """Keys by tier."""
        found: dict[str, list[str]] = {}
        for program in self.programs:
            found.setdefault(program.tier, []).append(program.key)
        return found


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`keys` of each tier, each of an account of its own; `people` of accounts on `people_tier`.

    And `history` predictions of `symbols`, older than any that come in.
    """

    symbols: list[str]
    keys: dict[str, int]
    people: int = 0
    people_tier: str = "enterprise"
    history: int = 0


def populate(ground: Ground, wanted: Wanted) -> Population:
    """Make what is `wanted`; takes a minute for a million predictions."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.population"],
        env=ground.environ | {"SLOW_QUERY_MS": "3600000"},  # filling is slow, and meant to be
        cwd=ROOT,
        input=msgspec.json.encode(wanted),
        stdout=subprocess.PIPE,
        timeout=900,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Population)


def mix(by_tier: Mapping[str, Sequence[str]], shares: Mapping[str, int]) -> list[Program]:
    """A hundred programs or so, of which `shares` per cent are on each tier; tiers take turns. Pure.

    A tier's programs use its keys in turn, so that a program of another machine may have the same key.
    """
    seats: list[tuple[float, Program]] = []
    for tier, share in shares.items():
        texts = by_tier.get(tier) or [""]
        seats += [((n + 0.5) / share, Program(tier, texts[n % len(texts)])) for n in range(share)]
    return [program for _, program in sorted(seats, key=lambda seat: seat[0])]


def _make(wanted: Wanted) -> Population:
    from django.contrib.auth.hashers import make_password

    from accounts.models import Account, Tier, User

    def open_accounts(tier: Tier, kind: str, count: int) -> list[Account]:
        rows = (Account(name=f"load-{kind}-{tier.name}-{n}", tier=tier) for n in range(count))
        return Account.objects.bulk_create(rows, batch_size=500)

    programs: list[Program] = []
    for name, count in wanted.keys.items():
        tier = Tier.objects.get(name=name)
        texts = add_keys(open_accounts(tier, "program", count), tier)
        programs += [Program(name, text) for text in texts]
    accounts = open_accounts(Tier.objects.get(name=wanted.people_tier), "person", wanted.people)
    password = make_password(_PASSWORD)  # hashing is slow by design: one for all
    people = User.objects.bulk_create(
        User(username=f"load-{n}", password=password, role="operator", account=account)
        for n, account in enumerate(accounts)
    )
    return Population(programs, [Login(person.username, _PASSWORD) for person in people])


def main() -> None:
    """Read a `Wanted` from the standard input; the database is found in the environment."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Wanted)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    import django

    django.setup()
    if wanted.history:
        from benchmarks.plans.filling import fill_predictions

        fill_predictions(wanted.history, wanted.symbols, say)
    sys.stdout.buffer.write(msgspec.json.encode(_make(wanted)))


if __name__ == "__main__":
    main()
