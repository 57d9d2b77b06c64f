"""A Redis that threads share for values that are kept elsewhere too: bounded in connections and in time.

While it is away most calls fail at once instead of waiting for a time-out (see `observability.outages`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from observability.outages import Outage

T = TypeVar("T")


class GuardedRedis:
    """One Redis on behalf of one store; `unavailable` is what the store's callers get while it is away."""

    def __init__(self, url: str, *, connections: int, outage: Outage, unavailable: type[Exception]) -> None:
        self._redis = redis.Redis(
            connection_pool=redis.BlockingConnectionPool.from_url(
                url,
                max_connections=connections,
                timeout=1,
                socket_timeout=1,
                socket_connect_timeout=1,
                # One more try at once: a pooled connection may have died since its last use. Not after a
                # time-out: who waited a second for a Redis that hangs would wait another one.
                retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
                client_name="prediction-gateway",
            )
        )
        self._outage = outage
        self._unavailable = unavailable

    def script(self, text: str) -> Script:
        """A Lua script of one key, for `run_for_each`."""
        return self._redis.register_script(text)

    def ask(self, call: Callable[[redis.Redis], T]) -> T:
        """What `call` gets from Redis; raises `unavailable` when Redis fails, or is known to be down."""
        if not self._outage.worth_trying():
            raise self._unavailable
        try:
            answer = call(self._redis)
        except redis.RedisError as error:
            self._outage.failed(error)
            raise self._unavailable from error
        self._outage.succeeded()
        return answer

    def run_for_each(self, script: Script, calls: Iterable[tuple[str, list[bytes | int]]]) -> None:
        """Run `script` for each key with its arguments, in one round trip. Raises `unavailable`."""

        def run(client: redis.Redis) -> None:
            with client.pipeline(transaction=False) as pipeline:
                for key, arguments in calls:
                    script(keys=[key], args=arguments, client=pipeline)
                pipeline.execute()

        self.ask(run)

    def close(self) -> None:
        """Close every connection."""
        self._redis.connection_pool.disconnect()
