"""What a check has found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; nothing is wrong."""
    FAILED = "failed"


class Finding(msgspec.Struct, frozen=True):
    """`subject` in a word or two, what was seen, and what to do about it."""

    grade: Grade
    subject: str
    seen: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(subject: str, seen: str) -> Finding:
    """All is well."""
    return Finding(Grade.OK, subject, seen)


def note(subject: str, seen: str, remedy: str = "") -> Finding:
    """Worth knowing."""
    return Finding(Grade.NOTE, subject, seen, remedy)


def failed(subject: str, seen: str, remedy: str) -> Finding:
    """Something has to be done."""
    return Finding(Grade.FAILED, subject, seen, remedy)
