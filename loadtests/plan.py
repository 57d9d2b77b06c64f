"""What the generator's process is told: whom it plays, how they think, when it counts. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

Mix = Literal["whole", "light"]
# What the generator says on its standard output, for those who wait.
BEGUN, ENDED, WRITTEN = "load: begun", "load: ended", "load: written"
# Classes of `loadtests.users`.
PROGRAM, PERSON, HURRIED, ROTATOR = "Program", "Person", "Hurried", "Rotator"


class Program(msgspec.Struct, frozen=True):
    """A caller with a key; an empty one calls without a credential."""

    tier: str
    key: str


class Login(msgspec.Struct, frozen=True):
    """A person."""

    username: str
    password: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Users take their turn on `programs` and `people`; of all users `people_share` are people.

    Between two calls a user waits `think_from_s` to `think_to_s`, evenly spread. Calls are counted that begin
    `warm_up_s` after the last user has come, and within `seconds` from then. With `changes_key` a program
    takes the next key for each call. The counts go to the file `ledger`.
    """

    ledger: str
    symbols: list[str]
    programs: list[Program]
    people: list[Login] = []
    people_share: float = 0.0
    rotators: int = 0
    mix: Mix = "whole"
    think_from_s: float = 1.0
    think_to_s: float = 3.0
    warm_up_s: float = 10.0
    seconds: float = 60.0
    changes_key: bool = False

    def classes(self) -> list[str]:
        """The classes of users that take part."""
        found = [PROGRAM]
        found += [PERSON] if self.people and self.people_share else []
        return found + ([ROTATOR] if self.rotators else [])

    def calls_per_s(self, users: int) -> float:
        """How many calls `users` make a second, if answers took no time."""
        return users * 2 / (self.think_from_s + self.think_to_s)


def address_of(number: int) -> str:
    """The client address of user `number`, as a proxy in front would tell it."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
