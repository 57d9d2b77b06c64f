"""The limits counted in Redis, for all processes together: every rule checked and taken by one script.

The script runs alone in Redis, so parallel calls are counted one after the other, and its clock is Redis'
own, so the clocks of the processes do not matter. Counters vanish by themselves when they are full again.
What a limit means is `accounts.limits`' business; what happens without Redis, its caller's.
"""

from __future__ import annotations

import functools
import hashlib
from typing import NamedTuple

from django.conf import settings

from accounts.limits import Decision, LimitRule, Standing, Subject, counter_key
from observability.outages import Outage
from observability.per_loop import PerLoop
from observability.redis_link import Argument, RedisLink, RedisRefused, RedisUnavailable, pack

# KEYS: counters. ARGV: cost, then for each counter its kind, capacity and period: of a window (w) its length
# in milliseconds, of a bucket (b) the microseconds that one call takes to come back. A window is a count that
# expires at its end; a bucket is the moment when it will be full (the generic cell rate algorithm).
# Returns 1 or 0, then for each counter: remaining, microseconds until all are there, a mark for refunds (a
# window's end in milliseconds; when a bucket is full after this call), and microseconds to wait.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
local admitted, values, ends, waits = 1, {}, {}, {}
-- Microseconds since 1970 fill a double's digits: sums of fractions may be off by a few of them.
local function slack(period) return math.min(100, period / 2) end
for i, key in ipairs(KEYS) do
  local kind, capacity, period = ARGV[3 * i - 1], tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local value, wait = tonumber(redis.call('GET', key) or nil), 0
  if kind == 'w' then
    ends[i] = value and redis.call('PEXPIRETIME', key) or math.floor(now / 1000) + period
    values[i] = value or 0
    if cost > 0 and values[i] + cost > capacity then wait = math.max(1, ends[i] * 1000 - now) end
  else
    ends[i] = 0
    values[i] = math.max(value or now, now)
    wait = values[i] + (cost - capacity) * period - now
    if cost == 0 or wait < slack(period) then wait = 0 end
  end
  waits[i] = wait
  if wait > 0 then admitted = 0 end
end
local reply = {admitted}
for i, key in ipairs(KEYS) do
  local kind, capacity, period = ARGV[3 * i - 1], tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local remaining, reset
  if kind == 'w' then
    if admitted == 1 and cost > 0 then
      if values[i] == 0 then
        redis.call('SET', key, cost, 'PXAT', string.format('%.0f', ends[i]))
      else
        redis.call('INCRBY', key, cost)
      end
      values[i] = values[i] + cost
    end
    remaining, reset = math.max(0, capacity - values[i]), ends[i] * 1000 - now
  else
    if admitted == 1 and cost > 0 then
      values[i] = values[i] + cost * period
      redis.call('SET', key, string.format('%.3f', values[i]),
                 'PX', string.format('%.0f', math.ceil((values[i] - now) / 1000)))
      ends[i] = math.floor(values[i])
    end
    reset = values[i] - now
    remaining = math.max(0, math.floor(capacity - (reset - slack(period)) / period))
  end
  reply[4 * i - 2], reply[4 * i - 1] = remaining, math.ceil(reset)
  reply[4 * i], reply[4 * i + 1] = ends[i], math.ceil(waits[i])
end
return reply
"""

# ARGV: cost, then for each counter its kind, period, and the mark. What has come back by itself meanwhile is
# not given back again: a window that has ended is left alone, a bucket gets what it would still be filling.
_REFUND = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local kind, period, mark = ARGV[3 * i - 1], tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local value = tonumber(redis.call('GET', key) or nil)
  if value and kind == 'w' then
    if redis.call('PEXPIRETIME', key) == mark then
      redis.call('DECRBY', key, math.min(cost, value))
    end
  elseif value then
    value = value - math.max(0, math.min(cost * period, mark - now))
    if value <= now then
      redis.call('DEL', key)
    else
      redis.call('SET', key, string.format('%.3f', value),
                 'PX', string.format('%.0f', math.ceil((value - now) / 1000)))
    end
  end
end
return 1
"""


class _Script:
    """A script that Redis knows by its digest, and is sent in full where Redis does not."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_take, _refund = _Script(_TAKE), _Script(_REFUND)


class Limiter:
    """Counts in one Redis. Lives in one event loop."""

    def __init__(self, url: str) -> None:
        self._link = RedisLink(url, name="limits")
        self._outage = Outage("the script of the limits")

    async def take(self, rules: tuple[LimitRule, ...], subject: Subject, *, cost: int) -> Decision:
        """Check every rule, and take `cost` from all of them if none refuses; with cost 0, look only.

        One round trip, shared with the other calls of the tick. Raises `RedisUnavailable`.
        """
        call = _call_of(rules, subject, cost)
        try:
            reply = await self._run(call)
        except RedisRefused as refused:  # out of memory, a replica, a script that is not allowed
            self._outage.failed(refused)
            raise RedisUnavailable(str(refused)) from refused
        self._outage.succeeded()
        admitted, *figures = reply
        told = iter(figures)
        standings = tuple(
            [
                Standing(rule, key, remaining, reset_us / 1e6, mark, wait_us / 1e6)
                for rule, key, remaining, reset_us, mark, wait_us in zip(
                    rules, call.keys, told, told, told, told, strict=True
                )
            ]
        )
        return Decision(admitted == 1, standings, "redis")

    def refund(self, decision: Decision, cost: int) -> None:
        """Give back what `decision` has taken; is not waited for, and lost where Redis is."""
        keys = [standing.key for standing in decision.standings]
        arguments: list[Argument] = [
            argument
            for standing in decision.standings
            for argument in (*_take_arguments(standing.rule)[::2], standing.mark)
        ]
        self._link.tell("EVAL", _refund.text, len(keys), *keys, cost, *arguments)

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    async def _run(self, call: _Call) -> list[int]:
        try:
            reply: list[int] = await self._link.call_packed(call.short)
        except RedisRefused as refused:
            if not str(refused).startswith("NOSCRIPT"):
                raise
            # Redis was restarted; a script that was not found has not run.
            reply = await self._link.call("EVAL", _take.text, *call.arguments)
        return reply


class _Call(NamedTuple):
    """What is asked of Redis for a caller: the same again and again."""

    keys: tuple[str, ...]
    arguments: tuple[Argument, ...]
    # Packed, with the digest of the script.
    short: bytes


@functools.lru_cache(maxsize=16_384)
def _call_of(rules: tuple[LimitRule, ...], subject: Subject, cost: int) -> _Call:
    keys = tuple(counter_key(rule, subject) for rule in rules)
    limits = [argument for rule in rules for argument in _take_arguments(rule)]
    arguments = (len(keys), *keys, cost, *limits)
    return _Call(keys, arguments, pack("EVALSHA", _take.digest, *arguments))


@functools.lru_cache(maxsize=1024)
def _take_arguments(rule: LimitRule) -> tuple[str, int, str]:
    """Kind, capacity and period of a counter."""
    if rule.burst is None:
        return "w", rule.quota, str(rule.window_s * 1000)
    return "b", rule.burst, repr(rule.window_s * 1e6 / rule.quota)


_limiters: PerLoop[Limiter] = PerLoop()


def current() -> Limiter:
    """The limiter of the running event loop, made at its first use."""
    return _limiters.current(lambda: Limiter(settings.GATEWAY.redis_url))


async def stop_current() -> None:
    """Close and forget the limiter of the running event loop."""
    if (limiter := _limiters.take_away()) is not None:
        await limiter.close()
