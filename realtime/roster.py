"""What the admin asks every hub about its connections, and what a hub answers. Pure.

Questions are channel-layer messages for the hubs' group; answers go to a list in Redis that lives for seconds
and is named by the question's random `reply`. Nobody keeps a state between.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

KEY_PREFIX = "pgw:connections:"
ANSWER_TTL_S = 10

MOST_ROWS = 1_000
MOST_CLOSED = 1_000
SYMBOLS_SHOWN = 20
LONGEST_SEARCH = 200
_SHORTEST_ID = 8

Reply = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Ids = Annotated[list[str], msgspec.Meta(max_length=MOST_CLOSED)]
Text = Annotated[str, msgspec.Meta(max_length=LONGEST_SEARCH)]


class Wanted(msgspec.Struct, frozen=True):
    """Which connections are meant: all, or those that one of the conditions holds for.

    `text` is a part of the name, the address or the agent, a followed symbol, or how the id begins;
    `accounts` and `names` are what the text stands for in the database. Where there are `ids`, those alone.
    """

    text: Text = ""
    accounts: Annotated[list[int], msgspec.Meta(max_length=1_000)] = []
    names: Annotated[list[str], msgspec.Meta(max_length=1_000)] = []
    ids: Ids = []


class Report(msgspec.Struct, frozen=True, tag_field="type", tag="connections.report"):
    """Asks for a `ProcessReport`, with the worst `most` of those connections that are `wanted`."""

    reply: Reply
    wanted: Wanted = Wanted()
    most: Annotated[int, msgspec.Meta(ge=0, le=MOST_ROWS)] = 200


class Disconnect(msgspec.Struct, frozen=True, tag_field="type", tag="connections.disconnect"):
    """Orders the end of the connections `ids`; the answer is a `Closed`."""

    reply: Reply
    ids: Ids


Question = Report | Disconnect
TYPES = frozenset({"connections.report", "connections.disconnect"})


class Process(msgspec.Struct, frozen=True, order=True):
    """Which server process it is. `started_at` is when it began to load its code."""

    host: str
    pid: int
    role: str
    started_at: datetime


class Row(msgspec.Struct, frozen=True):
    """One connection. `symbols` are the first few, each with the terms on which it is followed.

    `late_us` is how long the oldest update that waits has done so, beyond the interval that the client asked
    for, in microseconds.
    """

    id: str
    name: str
    account_id: int | None
    address: str
    agent: str
    since: datetime
    symbols: list[tuple[str, str]]
    symbol_count: int
    sent: int
    dropped: int
    waiting: int
    late_us: int

    @property
    def badness(self) -> tuple[int, int, int, datetime]:
        """The worst has the greatest: lag, then dropped, then waiting; of equals the newest.

        In steps, so that those who merely wait for their interval do not change places all the time.
        """
        return badness(self.late_us, self.dropped, self.waiting, self.since)


class ProcessReport(msgspec.Struct, frozen=True, tag="report"):
    """What a hub says of itself: its totals, and `rows` of the `matching` connections that are wanted.

    The quantiles are of publish to send, in milliseconds, since the process started; None before the first
    update.
    """

    process: Process
    connections: int
    subscriptions: int
    recent: int
    recent_capacity: int
    p50_ms: int | None
    p99_ms: int | None
    matching: int
    rows: list[Row]


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """The connections that a hub has closed, as they were before."""

    process: Process
    rows: list[Row]


Answer = ProcessReport | Closed

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Answer)


def encode_question(question: Question) -> dict[str, Any]:
    """The message for the channel layer."""
    message: dict[str, Any] = msgspec.to_builtins(question)
    return message


def decode_question(message: dict[str, Any]) -> Question:
    """Read a message of `encode_question`; `msgspec.ValidationError` for anything else."""
    question: Question = msgspec.convert(message, Question)
    return question


def encode_answer(answer: Answer) -> bytes:
    """The value for Redis."""
    return _encoder.encode(answer)


def decode_answer(value: bytes) -> Answer:
    """Read a value of `encode_answer`; `msgspec.DecodeError` for anything else."""
    answer: Answer = _decoder.decode(value)
    return answer


def badness(late_us: int, dropped: int, waiting: int, since: datetime) -> tuple[int, int, int, datetime]:
    """See `Row.badness`."""
    return late_us // 1_000_000, dropped, waiting // 100, since


class Search:
    """`Wanted` made ready to be asked ten thousand times."""

    __slots__ = ("_accounts", "_folded", "_names", "_symbols", "matches_all")

    def __init__(self, wanted: Wanted) -> None:
        text = wanted.text.strip()
        self.matches_all = not text
        self._folded = text.casefold()
        self._symbols = (text, text.upper())
        self._accounts = frozenset(wanted.accounts)
        self._names = frozenset(wanted.names)

    def matches(
        self,
        *,
        id_: str,
        name: str,
        account_id: int | None,
        address: str,
        agent: str,
        symbols: dict[str, Any],
    ) -> bool:
        """True for a connection that is wanted."""
        if self.matches_all:
            return True
        folded = self._folded
        return (
            folded in name.casefold()
            or folded in address
            or folded in agent.casefold()
            or account_id in self._accounts
            or name in self._names
            or any(symbol in symbols for symbol in self._symbols)
            or (len(folded) >= _SHORTEST_ID and id_.startswith(folded))
        )
