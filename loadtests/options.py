"""The size of the load: every number is an option; the defaults are the full size."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.side_by_side.options import number


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much of everything."""

    workers: int = number(2, "processes that serve")
    few_users: int = number(100, "users in users-100 and its like")
    many_users: int = number(1_000, "users in users-1000, at-once and sockets")
    seconds: float = number(60.0, "how long calls are counted")
    warm_up_s: float = number(15.0, "how long users call before that, once all have come")
    think_from_s: float = number(1.0, "the least that a user waits between two calls")
    think_to_s: float = number(3.0, "the most")
    symbols: int = number(100, "symbols that are asked for")
    updates: float = number(20.0, "updates a second that come in through NATS, over all symbols")
    depth: int = number(25, "predictions of each symbol in the record when a load begins")
    keys: int = number(100, "keys, each of an account of its own, that programs use in turn")
    people: int = number(50, "people who may log in; of all users 5 % are people")
    sockets: int = number(10_000, "sockets in sockets")
    socket_updates: float = number(100.0, "updates a second in sockets, over all symbols")
    cost_users: int = number(200, "users in cost")
    cost_seconds: float = number(20.0, "how long calls are counted at each size in cost")
    cost_least: int = number(1, "cost begins with so many times 50 symbols, 100 keys and 10,000 predictions")
    cost_steps: int = number(3, "sizes in cost, each ten times the one before")
