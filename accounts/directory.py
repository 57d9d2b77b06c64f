"""What decides who may call, in the memory of this process: key records, and the limits of every tier.

`accounts.following` notes every change in here within half a second. While it does, what is in memory is
the truth; without it every look-up asks the database. While the database is away, keys that were good when
it was last heard from are let in for `CREDENTIAL_GRACE_S`: nobody can revoke a key in a database that is
down.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings

from accounts import key_records
from accounts.key_records import KeyRecord
from accounts.limits import LimitRule, applicable
from accounts.models import Limit, Tier
from accounts.models.tiers import DEFAULT_FRAMES_PER_S

FRESH_S = 0.8
"""Memory is the truth for so long after the last look at the changes; so is a record after it was read."""

STUCK_S = 1.5
"""A look at the changes that takes longer has met a database that hangs."""

_MOST_RECORDS = 50_000

# Only for changes that no note tells of, as of rows that are restored with triggers switched off: whatever is
# noted is in here within a second. A key costs a query each time, so it is seldom, and those that were first
# shown together, after a start, are not read again together.
_RELOAD_S = 600.0
_RELOAD_SPREAD = 0.2
_RELOAD_TIERS_S = 60.0

# What took longer may have been read before a change that is looked at no more when it arrives here.
_SLOW_LOAD_S = 2.0


class UnknownTier(LookupError):
    """The tier is not in memory: not loaded yet, or deleted."""


@dataclass(frozen=True, slots=True)
class TierRecord:
    """A tier: its policy, its limits, and what its WebSockets may; `most_connections` None: no limit."""

    id: int
    name: str
    when_redis_is_down: str
    rules: tuple[LimitRule, ...]
    most_connections: int | None
    frames_per_s: int


class _Held(NamedTuple):
    """A key in memory, with the moments of the clock at which it is to be loaded again and was read.

    Where looks at the changes are late, as in a process that has too little CPU, a key costs a query now and
    then. If each of its calls did, the process would have still less, and never come out of it.
    """

    record: KeyRecord
    until: float
    read_at: float


class Directory:
    """The records of one process. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[uuid.UUID, _Held] = {}
        # The same by digest: the id of a key takes longer to hash than all that follows.
        self._by_digest: dict[str, _Held] = {}
        self._tiers: dict[str, TierRecord] = {}
        self._rules: dict[tuple[str, str], tuple[LimitRule, ...]] = {}
        self._tiers_loaded_at = float("-inf")
        self._followed_at = float("-inf")
        self._is_blind = False
        self._looking_since: float | None = None

    def remembered_key(self, key_id: uuid.UUID) -> KeyRecord | None:
        """The record of `key_id` if memory can be trusted with it; None means: ask `load_key`."""
        held = self._keys.get(key_id)
        if held is None:
            return None
        now = self._clock()
        if now - self._followed_at < FRESH_S or (self._is_followed and now - held.read_at < FRESH_S):
            return held.record if now < held.until else None
        return self.last_known_key(key_id) if self._cannot_ask(now) else None

    def remembered_digest(self, digest: str) -> KeyRecord | None:
        """As `remembered_key`, of the key with this digest."""
        held = self._by_digest.get(digest)
        if held is None:
            return None
        now = self._clock()
        if now - self._followed_at < FRESH_S and now < held.until:
            return held.record
        return self.remembered_key(held.record.id)

    def last_known_key(self, key_id: uuid.UUID) -> KeyRecord | None:
        """The record of `key_id` as of the last look at the changes, within the grace; if asking fails."""
        held = self._keys.get(key_id)
        within_grace = self._clock() - self._followed_at < settings.GATEWAY.credential_grace_s
        return held.record if held is not None and within_grace else None

    def last_known_digest(self, digest: str) -> KeyRecord | None:
        """As `last_known_key`, of the key with this digest."""
        held = self._by_digest.get(digest)
        return None if held is None else self.last_known_key(held.record.id)

    @property
    def _is_followed(self) -> bool:
        return self._followed_at != float("-inf")

    def _cannot_ask(self, now: float) -> bool:
        since = self._looking_since
        return self._is_blind or (since is not None and now - since > STUCK_S)

    def load_key(self, key_id: uuid.UUID, digest: str | None = None) -> KeyRecord | None:
        """The record of `key_id` from the database, by one query; None if there is no such key.

        With `digest`, of a key that somebody shows, another one is no such key.
        """
        began_at = self._clock()
        record = key_records.read(key_id, digest)
        if record is None:
            return None
        if self._clock() - began_at > _SLOW_LOAD_S:
            return record
        with self._lock:
            if len(self._keys) >= _MOST_RECORDS:
                self._drop(next(iter(self._keys)))
            held = _Held(record, until=began_at + _lifetime_s(key_id), read_at=began_at)
            self._keys[key_id] = self._by_digest[record.digest] = held
        return record

    def tier(self, name: str) -> TierRecord:
        """The tier in memory; raises `UnknownTier` if it is not there (see `load_tiers`)."""
        try:
            return self._tiers[name]
        except KeyError:
            raise UnknownTier(name) from None

    def find_tier(self, name: str) -> TierRecord:
        """The tier in memory; one that is not there is looked for by loading all of them, by two queries.

        Raises `UnknownTier`, and Django's database errors.
        """
        if name not in self._tiers:
            self.load_tiers()
        return self.tier(name)

    def rules(self, tier: str, route: str) -> tuple[LimitRule, ...]:
        """The limits that hold for callers of `tier` on `route`: the same tuple for the same question.

        Raises `UnknownTier`.
        """
        rules = self._rules
        found = rules.get((tier, route))
        if found is None:
            found = rules[tier, route] = applicable(self.tier(tier).rules, route)
        return found

    @property
    def knows_tiers(self) -> bool:
        """False until `load_tiers` has worked once, and when it is time to load them again."""
        return bool(self._tiers) and self._clock() - self._tiers_loaded_at < _RELOAD_TIERS_S

    def load_tiers(self) -> None:
        """Read every tier and limit, by two queries.

        Tiers first: one that is made in between is then unknown, and loaded when it is asked for. The other
        way round it would be known without its limits, and its callers unlimited until the next look.
        """
        found = list(Tier.objects.all())
        everyone = list(Limit.objects.select_related("tier"))
        for_all = [limit for limit in everyone if limit.tier_id is None]
        tiers = {
            tier.name: TierRecord(
                id=tier.pk,
                name=tier.name,
                when_redis_is_down=tier.when_redis_is_down,
                rules=tuple(
                    _rule_of(limit) for limit in everyone if limit in for_all or limit.tier_id == tier.pk
                ),
                most_connections=tier.most_connections,
                frames_per_s=tier.frames_per_s or DEFAULT_FRAMES_PER_S,
            )
            for tier in found
        }
        with self._lock:
            self._tiers, self._rules = tiers, {}
            self._tiers_loaded_at = self._clock()

    def forget(self, kind: str, subject: str) -> None:
        """Something has changed: `kind` and `subject` as in `AccessChange`. Tiers are loaded anew."""
        if kind == "key":
            with self._lock:
                self._drop(uuid.UUID(subject))
        elif kind == "account":
            self._drop_where(lambda record: str(record.account_id) == subject)
        elif kind == "tier":
            self.load_tiers()
            # A tier's name stands in the records of its keys.
            names = {tier.id: tier.name for tier in self._tiers.values()}
            self._drop_where(lambda record: names.get(record.tier_id) != record.tier)

    def _drop_where(self, is_stale: Callable[[KeyRecord], bool]) -> None:
        with self._lock:
            for key_id in [key_id for key_id, held in self._keys.items() if is_stale(held.record)]:
                self._drop(key_id)

    def _drop(self, key_id: uuid.UUID) -> None:
        held = self._keys.pop(key_id, None)
        if held is not None:
            self._by_digest.pop(held.record.digest, None)

    def looking(self, at: float) -> None:
        """The database is being asked for changes since the moment `at` of the clock."""
        self._looking_since = at

    def followed(self, at: float) -> None:
        """Every change up to the moment `at` of the clock is in here."""
        self._followed_at = at
        self._is_blind = False
        self._looking_since = None

    def lost_sight(self) -> None:
        """The database cannot be asked for changes just now."""
        self._is_blind = True
        self._looking_since = None


def _lifetime_s(key_id: uuid.UUID) -> float:
    return _RELOAD_S * (1 - _RELOAD_SPREAD * (key_id.int % 1000) / 1000)


def _rule_of(limit: Limit) -> LimitRule:
    return LimitRule(
        name=limit.name,
        scope=limit.scope,  # type: ignore[arg-type] # the field's choices are the literal
        quota=limit.quota,
        window_s=limit.window_s,
        burst=limit.burst,
        route=limit.route,
        tier=limit.tier.name if limit.tier else None,
    )


_directory = Directory()


def current() -> Directory:
    """The directory of this process."""
    return _directory
