"""Calls that a client may repeat: one ``Idempotency-Key`` gives one job for a day, whoever answers.

After draft-ietf-httpapi-idempotency-key-header-07. A key belongs to an account and a route. Its row is
written in the transaction that makes the job, under the lock that `explanations.ordering` holds; a client
that repeats itself at once therefore waits for the first answer instead of being refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from explanations.models import ExplanationJob, IdempotencyKey

KEPT = timedelta(hours=24)
LONGEST_KEY = 255

_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)
_BARE = re.compile(r"[!#-~][ -~]*", re.ASCII)
_ESCAPED = re.compile(r'\\(["\\])')


class MalformedKey(ValueError):
    """The header is no key; the message says what one looks like."""


class KeyReused(Exception):
    """The key came before, with another call."""


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A call that its client may repeat: the key, and what tells the call from another one."""

    route: str
    key: str
    fingerprint: str


def read_key(header: str) -> str:
    """The key in ``"quoted"`` (an sf-string) or bare form; raises `MalformedKey`."""
    header = header.strip()
    quoted = _QUOTED.fullmatch(header)
    key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else header
    if not 1 <= len(key) <= LONGEST_KEY or not (quoted or _BARE.fullmatch(header)):
        raise MalformedKey(
            f"Idempotency-Key must be 1 to {LONGEST_KEY} printable ASCII characters, bare or as a string "
            'in double quotes, as in "8e03978e-40d5-43dd-bc93-6894a57f9324".'
        )
    return key


def fingerprint(path: str, body: Mapping[str, Any]) -> str:
    """SHA-256 of `path` and the canonical form of `body`."""
    canonical = msgspec.json.encode(body, order="sorted")
    return hashlib.sha256(path.encode() + b"\n" + canonical).hexdigest()


def find(repeatable: Repeatable, *, account_id: int, now: datetime) -> ExplanationJob | None:
    """The job that an earlier call with the key got; None for a new or outlived key. One query.

    Raises `KeyReused`.
    """
    known = (
        IdempotencyKey.objects.select_related("job__computation")
        .defer("job__computation__result", "job__computation__prediction")
        .filter(account_id=account_id, route=repeatable.route, key=repeatable.key, created_at__gt=now - KEPT)
        .first()
    )
    if known is None:
        return None
    if known.fingerprint != repeatable.fingerprint:
        raise KeyReused
    return known.job


def remember(repeatable: Repeatable, job: ExplanationJob, *, now: datetime) -> None:
    """Write what the key got, in the caller's transaction, in the place of an outlived row."""
    IdempotencyKey.objects.update_or_create(
        account_id=job.account_id,
        route=repeatable.route,
        key=repeatable.key,
        defaults={"fingerprint": repeatable.fingerprint, "job": job, "created_at": now},
    )


def prune(now: datetime) -> int:
    """Delete outlived rows; returns how many."""
    return IdempotencyKey.objects.filter(created_at__lte=now - KEPT).delete()[0]
