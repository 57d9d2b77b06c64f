"""Whether those who are connected may still be: a credential that ends takes its open sockets along.

1. Every change of access is read by `accounts.following`, in its thread, and handed to the event loop here.
2. The sockets that a change names are judged anew, all of them in one call to the thread pool.
3. A credential that ends by itself (expiry, overlap of a rotation) has a timer of the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import Error as DatabaseFailure
from django.utils import timezone

from accounts import credentials, following
from accounts.callers import Caller
from accounts.credentials import CredentialRefused
from accounts.following import Change
from observability import blocking
from observability.per_loop import PerLoop
from observability.retries import until_it_works

logger = logging.getLogger(__name__)

# The loop's timers are floats of seconds; a key that is good for years needs none in this process's life.
_LONGEST_TIMER_S = 30 * 86_400.0

# Before the end, but not before most of a short life is over.
_WARNED_BEFORE_S = 60.0
_WARNED_AT = 0.8

_SLICE = 200

Verdict = Caller | CredentialRefused


@dataclass(eq=False, slots=True)
class Watched:
    """A socket's credential.

    `judged` hears why it is refused, or of the caller whose rights have changed; `expiring` when it will soon
    end by itself.
    """

    caller: Caller
    address: str
    judged: Callable[[Verdict], None]
    expiring: Callable[[datetime], None]
    timer: asyncio.TimerHandle | None = field(default=None, init=False)


class Revocation:
    """Watches the credentials of every socket of one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched: defaultdict[Change, set[Watched]] = defaultdict(set)
        self._judging: set[asyncio.Task[None]] = set()
        # How often access has changed.
        self.changes = 0

    def start(self) -> None:
        """Begin to listen to changes."""
        following.current().add_listener(self._hear)

    async def stop(self) -> None:
        """Listen no more."""
        following.current().remove_listener(self._hear)
        for task in self._judging:
            task.cancel()
        await asyncio.gather(*self._judging, return_exceptions=True)

    def add(self, watched: Watched) -> None:
        """Watch a credential from now on."""
        for change in _changes_that_concern(watched.caller):
            self._watched[change].add(watched)
        self._set_timer(watched)

    def remove(self, watched: Watched) -> None:
        """The socket is gone."""
        if watched.timer is not None:
            watched.timer.cancel()
        for change in _changes_that_concern(watched.caller):
            self._watched[change].discard(watched)
            if not self._watched[change]:
                del self._watched[change]

    def _hear(self, changes: list[Change]) -> None:
        """Called from the follower's thread."""
        self._loop.call_soon_threadsafe(self._on_changes, changes)

    def judge_if_changed(self, watched: Watched, since: int) -> None:
        """Judge a socket that was let in while access changed: nobody was watching it then."""
        if self.changes != since:
            self._judge([watched])

    def _on_changes(self, changes: list[Change]) -> None:
        self.changes += 1
        concerned: set[Watched] = set()
        for kind, subject in changes:
            concerned |= self._watched.get((kind, _plain(subject)), set())
        self._judge(concerned)

    def _judge(self, concerned: Iterable[Watched]) -> None:
        if concerned:
            task = self._loop.create_task(self._judge_all(list(concerned)))
            self._judging.add(task)
            task.add_done_callback(self._judging.discard)

    async def _judge_all(self, concerned: list[Watched]) -> None:
        """In slices: each has the time of one call to the pool, however many sockets there are."""
        for start in range(0, len(concerned), _SLICE):
            await self._judge_slice(concerned[start : start + _SLICE])

    async def _judge_slice(self, concerned: list[Watched]) -> None:
        questions = [(watched.caller, watched.address) for watched in concerned]
        verdicts = await until_it_works(
            lambda: blocking.run(_ask, questions, timezone.now()), DatabaseFailure, TimeoutError
        )
        for watched, verdict in zip(concerned, verdicts, strict=True):
            if watched not in self._watched.get(_changes_that_concern(watched.caller)[0], ()):
                continue  # gone meanwhile
            if isinstance(verdict, Caller) and rights(verdict) == rights(watched.caller):
                watched.caller = verdict  # perhaps it ends at another time
                self._set_timer(watched)
            else:
                watched.judged(verdict)

    def _set_timer(self, watched: Watched) -> None:
        if watched.timer is not None:
            watched.timer.cancel()
            watched.timer = None
        if watched.caller.expires_at is not None:
            left_s = (watched.caller.expires_at - timezone.now()).total_seconds()
            warned_in_s = max(left_s - _WARNED_BEFORE_S, _WARNED_AT * left_s, 0.0)
            watched.timer = self._loop.call_later(min(warned_in_s, _LONGEST_TIMER_S), self._warn, watched)

    def _warn(self, watched: Watched) -> None:
        expires_at = watched.caller.expires_at
        if expires_at is None:
            return
        left_s = (expires_at - timezone.now()).total_seconds()
        if left_s > _WARNED_BEFORE_S + 1:
            self._set_timer(watched)
            return
        watched.timer = self._loop.call_later(max(left_s, 0.0), self._judge_expired, watched)
        if left_s > 0:
            watched.expiring(expires_at)

    def _judge_expired(self, watched: Watched) -> None:
        expires_at = watched.caller.expires_at
        if expires_at is not None and expires_at <= timezone.now():
            watched.judged(CredentialRefused("expired", "The credential has expired."))
        else:
            self._set_timer(watched)


def _ask(questions: list[tuple[Caller, str]], now: datetime) -> list[Verdict]:
    """In a thread of the pool. Sockets of one credential share a question."""
    known: dict[tuple[Any, ...], Verdict] = {}
    for caller, address in questions:
        key = (caller.key_id, caller.family_id, caller.expires_at, address)
        if key not in known:
            try:
                known[key] = credentials.authenticate_again(caller, now=now, address=address)
            except CredentialRefused as refused:
                known[key] = refused
    return [known[c.key_id, c.family_id, c.expires_at, address] for c, address in questions]


def rights(caller: Caller) -> tuple[int | None, str, frozenset[str]]:
    """What a socket is opened with: another account is watched, counted and charged under another id."""
    return caller.account_id, caller.tier, caller.scopes


def _changes_that_concern(caller: Caller) -> list[Change]:
    """What can change about `caller`; its ids stay the same for as long as its rights do (`rights`)."""
    found = [("account", str(caller.account_id))]
    if caller.key_id is not None:
        found.append(("key", caller.key_id.hex))
    if caller.user_id is not None:
        found.append(("user", str(caller.user_id)))
    if caller.family_id is not None:
        found.append(("family", caller.family_id.hex))
    return found


def _plain(subject: str) -> str:
    """Ids of keys and logins come from the databases with and without dashes."""
    try:
        return uuid.UUID(subject).hex
    except ValueError:
        return subject


_revocations: PerLoop[Revocation] = PerLoop()


def current() -> Revocation:
    """The watch of the running event loop, started at its first use."""
    return _revocations.current(_start)


async def stop_current() -> None:
    """Stop and forget the watch of the running event loop."""
    if (revocation := _revocations.take_away()) is not None:
        await revocation.stop()


def _start() -> Revocation:
    revocation = Revocation()
    revocation.start()
    return revocation
