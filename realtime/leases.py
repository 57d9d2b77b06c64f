"""How many WebSockets an account holds at once over all processes: counted in Redis, as leases that expire.

1. An account, or an address of a key that many share, is a hash, in which each event loop has one field:
   its count, and when that expires by Redis'
   clock. A process that dies stops renewing, and what it held is free after `TTL_S`.
2. Only its owner writes a field, and always the whole count: what was lost is right again at the next
   renewal, which costs the same for one socket of an account as for a thousand.
3. One script decides whether there is room, and takes it. An account has one question under way at a time,
   and nothing else is written of it meanwhile; takes that come then go along with its next question.
4. While Redis is away this process counts for itself: it lets in as many as if it were the only one.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.conf import settings

from observability.outages import Outage
from observability.per_loop import PerLoop
from observability.redis_link import Argument, RedisLink, RedisRefused, RedisUnavailable

KEY_PREFIX = "pgw:sockets:"
TTL_S = 30.0
RENEW_S = 10.0

_SLICE = 100
"""Accounts that are written by one command: Redis answers nobody else meanwhile."""

# ARGV: our field, its life in milliseconds. `others` drops what has expired.
_BOTH = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ours, life = ARGV[1], tonumber(ARGV[2])
local function others(key)
  local sum, fields = 0, redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local count, ends = string.match(fields[i + 1], '^(%d+):(%d+)$')
    if not ends or tonumber(ends) <= now then
      redis.call('HDEL', key, fields[i])
    elseif fields[i] ~= ours then
      sum = sum + tonumber(count)
    end
  end
  return sum
end
local function write(key, count)
  if count == 0 then
    redis.call('HDEL', key, ours)
  else
    redis.call('HSET', key, ours, string.format('%.0f:%.0f', count, now + life))
    redis.call('PEXPIRE', key, life)
  end
end
"""

# And: how many we hold, then the most for each that is wanted. Returns 1 or 0 for each.
_TAKE = f"""{_BOTH}
local sum, held, reply = others(KEYS[1]), tonumber(ARGV[3]), {{}}
for i = 4, #ARGV do
  reply[i - 3] = 0
  if sum + held < tonumber(ARGV[i]) then
    held = held + 1
    reply[i - 3] = 1
  end
end
write(KEYS[1], held)
return reply
"""

# And: how many we hold of each key.
_WRITE = f"""{_BOTH}
for i, key in ipairs(KEYS) do
  others(key)
  write(key, tonumber(ARGV[i + 2]))
end
return 1
"""


@dataclass(eq=False, slots=True)
class _Account:
    """What this process holds of an account, and who waits for more: the most for them, and their answer."""

    held: int = 0
    waiting: list[tuple[int, asyncio.Future[bool]]] = field(default_factory=list)
    asking: asyncio.Task[None] | None = None

    def refuse(self) -> None:
        """Nobody waits for ever."""
        for _, answer in self.waiting:
            if not answer.done():
                answer.set_result(False)


class Leases:
    """The leases of one event loop, renewed from the first take until `stop`."""

    def __init__(self, url: str, *, ttl_s: float = TTL_S, renew_s: float = RENEW_S) -> None:
        self._field = uuid.uuid4().hex
        self._life_ms = round(ttl_s * 1000)
        self._renew_s = renew_s
        self._link = RedisLink(url, name="sockets")
        self._outage = Outage("the script of the leases")
        self._accounts: dict[str, _Account] = {}
        # What Redis does not know yet, and the task that tells it.
        self._unwritten: set[str] = set()
        self._writing: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Give everything back. Takes that wait for an answer are refused."""
        asking = [account.asking for account in self._accounts.values()]
        tasks = [task for task in (self._renewing, self._writing, *asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        accounts, self._accounts = self._accounts, {}
        for account in accounts.values():
            account.refuse()
        for ids in _slices(accounts):
            self._link.tell(*self._write_command(dict.fromkeys(ids, 0)))
        await self._link.close()

    def held(self, holder: str) -> int:
        """How many sockets of the account this event loop has."""
        account = self._accounts.get(holder)
        return 0 if account is None else account.held

    async def take(self, holder: str, most: int | None) -> bool:
        """Take a place for a socket, if the account has less than `most` (None: no limit) of them anywhere.

        One round trip, shared with the other takes of the tick; none where this process knows the answer.
        """
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        account = self._accounts.setdefault(holder, _Account())
        if most is None:
            account.held += 1
            self._write_soon(holder)
            return True
        if account.held >= most:
            self._forget_if_unused(holder)
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        account.waiting.append((most, answer))
        if account.asking is None:
            account.asking = asyncio.create_task(self._ask(holder, account))
        try:
            return await answer
        except asyncio.CancelledError:
            # The answer may have come together with the cancellation.
            if answer.done() and not answer.cancelled() and answer.result():
                self.give_back(holder)
            raise

    def give_back(self, holder: str) -> None:
        """A socket that has taken a place is gone. Nobody waits for Redis here."""
        account = self._accounts.get(holder)
        if account is not None and account.held > 0:
            account.held -= 1
            self._write_soon(holder)

    async def _ask(self, holder: str, account: _Account) -> None:
        """Ask for those who wait, until nobody does."""
        written: int | None = None
        try:
            while account.waiting:
                written = await self._ask_once(holder, account)
        finally:
            account.asking = None
            account.refuse()
        if written != account.held:
            self._write_soon(holder)
        self._forget_if_unused(holder)

    async def _ask_once(self, holder: str, account: _Account) -> int | None:
        """Answer those who wait now; returns the count that Redis has afterwards, None if nobody knows it."""
        waiting, held = list(account.waiting), account.held
        ours = (f"{KEY_PREFIX}{holder}", self._field, self._life_ms, held)
        answers: list[int] | None = None
        with contextlib.suppress(RedisUnavailable, RedisRefused):
            answers = await self._call("EVAL", _TAKE, 1, *ours, *(most for most, _ in waiting))
        for place, (most, answer) in enumerate(waiting):
            if answer.done():  # whoever asked has gone
                continue
            is_granted = account.held < most if answers is None else answers[place] == 1
            account.held += is_granted
            answer.set_result(is_granted)
        del account.waiting[: len(waiting)]
        return None if answers is None else held + sum(answers)

    def _write_soon(self, holder: str) -> None:
        self._unwritten.add(holder)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        """Tell Redis what it does not know; what is lost while it is away is told by the next renewal."""
        try:
            while self._unwritten:
                ids = [self._unwritten.pop() for _ in range(min(_SLICE, len(self._unwritten)))]
                with contextlib.suppress(RedisRefused):
                    await self._write(ids)
        except RedisUnavailable:
            self._unwritten.clear()
        finally:
            self._writing = None

    async def _write(self, ids: Iterable[str]) -> None:
        """Write the counts of `ids`; not of those with a question under way, which writes them itself."""
        counts = {
            id_: account.held
            for id_ in ids
            if (account := self._accounts.get(id_)) is not None and account.asking is None
        }
        if not counts:
            return
        await self._call(*self._write_command(counts))
        for id_, count in counts.items():
            account = self._accounts.get(id_)
            # A question may have overtaken us while the connection was being made.
            if account is not None and account.asking is None and account.held != count:
                self._unwritten.add(id_)
            self._forget_if_unused(id_)

    def _write_command(self, counts: dict[str, int]) -> list[Argument]:
        keys = [f"{KEY_PREFIX}{id_}" for id_ in counts]
        return ["EVAL", _WRITE, len(keys), *keys, self._field, self._life_ms, *counts.values()]

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._renew_s)
            for id_ in self._accounts:
                self._write_soon(id_)

    async def _call(self, *command: Argument) -> list[int]:
        """Scripts are sent in full: sockets are rare, and Redis may have forgotten them."""
        try:
            reply: list[int] = await self._link.call(*command)
        except RedisRefused as refused:  # out of memory, a replica, a script that is not allowed
            self._outage.failed(refused)
            raise
        self._outage.succeeded()
        return reply

    def _forget_if_unused(self, holder: str) -> None:
        """One that has no sockets is kept until Redis knows it."""
        account = self._accounts.get(holder)
        is_used = account is None or account.held or account.waiting or account.asking is not None
        if not is_used and holder not in self._unwritten:
            del self._accounts[holder]


def _slices(ids: Iterable[str]) -> Iterator[list[str]]:
    all_ids = list(ids)
    for start in range(0, len(all_ids), _SLICE):
        yield all_ids[start : start + _SLICE]


_leases: PerLoop[Leases] = PerLoop()


def current() -> Leases:
    """The leases of the running event loop, made at their first use."""
    return _leases.current(lambda: Leases(settings.GATEWAY.redis_url))


async def stop_current() -> None:
    """Give back and forget the leases of the running event loop."""
    if (leases := _leases.take_away()) is not None:
        await leases.stop()


def held(holder: str) -> int:
    """How many sockets of the account this process has; may be asked from any thread."""
    return sum(leases.held(holder) for leases in _leases.all())
