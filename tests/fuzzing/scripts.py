"""What a client writes on one WebSocket from its welcome to its end: frames that chance has changed.

Pure. A script that is sound by RFC 6455 and keeps to the limits must be served to its end, however odd its
messages are; of every other one the server must make an end by itself, as `tests.fuzzing.referee` has it, and
only where a frame has not come whole it may wait.
"""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from realtime.protocol.codes import Close
from realtime.protocol.limits import FRAMES_IN_PER_S, MAX_BAD_FRAMES
from tests.fuzzing.mutations import BROKEN_UTF_8, Mutator
from tests.fuzzing.referee import NOT_UTF_8, OF_REQUESTS, judge
from tests.integration.frame_cases import (
    BINARY,
    CLOSE,
    CONTINUATION,
    INVALID_CODES,
    PING,
    PONG,
    TEXT,
    VALID_CODES,
    closing,
    fragments,
    frame,
)

SYMBOLS = ("FUZZA", "FUZZB", "FUZZC", "FUZZD")
# 1011 is what a server says of a failure of its own: none must come back.
_CLOSE_CODES = [code for code in VALID_CODES if code != 1011]
_MOST_PIECES = 5
_FLOOD = 3_000
"""Control frames, of which a thousand a second are forgiven: a slow server, too, reads these faster."""
_OVERLONG = 140_000


LAST = "last"
MAY_WAIT: frozenset[int | None] = frozenset()
SERVED: frozenset[int | None] = frozenset({1000})
CUT_OFF: frozenset[int | None] = frozenset({None})
_OF_STRANGERS = OF_REQUESTS | {Close.CREDENTIAL}
_LAST_REQUEST = frame(TEXT, json.dumps({"action": "ping", "id": LAST}).encode())


@dataclass(frozen=True, slots=True)
class Script:
    """Frames, and those that are written once a ping with the id `LAST` behind the first is answered."""

    frames: list[bytes]
    ending: list[bytes]
    ends: frozenset[int | None]
    """Close codes, and None for a connection that is cut off: by one of them the server must end it, but for
    `MAY_WAIT`."""
    has_key: bool = True
    """Whether the handshake has a credential; else the first frame may."""
    is_early: bool = False
    """Whether it is written before the handshake is answered, which no client may do (RFC 6455, 4.1): the
    server may read it, or not."""


class Scripts:
    """Makes scripts by the chance of `random`; `key` is a credential that is good."""

    def __init__(self, random: Random, key: str) -> None:
        self._random = random
        self._mutator = Mutator(random)
        self._key = key
        self._breaks: tuple[Callable[[], list[bytes]], ...] = (
            self._reserved_bits,
            self._unknown_opcode,
            self._bad_control,
            self._bad_order,
            self._bad_length,
            self._unmasked,
            self._bad_text,
            self._bad_close,
            self._changed_frame,
            self._spliced_frames,
        )

    def make(self) -> Script:
        """The next script."""
        random = self._random
        dice = random.random()
        if dice < 0.70:
            frames = self._messages(random.randint(1, FRAMES_IN_PER_S - 1))
            return Script([*frames, _LAST_REQUEST], [closing(1000)], SERVED)
        if dice < 0.92:
            return self._breaking()
        if dice < 0.95:  # more than is forgiven
            frames = [*self._messages(3 * FRAMES_IN_PER_S), *[frame(TEXT, b"{")] * (MAX_BAD_FRAMES + 1)]
            return Script(frames, [], OF_REQUESTS)
        if dice < 0.998:
            return self._introducing(dice)
        return Script([self._control() for _ in range(_FLOOD)], [], CUT_OFF)

    def _breaking(self) -> Script:
        """Messages, then what the RFC forbids."""
        frames = [*self._messages(self._random.randint(0, FRAMES_IN_PER_S - 1)), _LAST_REQUEST]
        ending = self._random.choice(self._breaks)()
        if NOT_UTF_8 not in judge(b"".join(ending)):  # a close frame is answered before text is looked at
            ending += [frame(PING), closing(1000)]
        return Script(frames, ending, judge(b"".join(ending)))

    def _introducing(self, dice: float) -> Script:
        """Somebody who says first who they are: to whom it matters, before their time, or known already."""
        frames = [frame(TEXT, self._auth()), *self._messages(3), _LAST_REQUEST]
        ending = [closing(1000)]
        if dice < 0.97:
            return Script(frames, ending, SERVED | _OF_STRANGERS, has_key=False)
        if dice < 0.98:
            return Script(frames, ending, MAY_WAIT, is_early=True)
        return Script(frames, ending, SERVED)

    def _messages(self, count: int) -> list[bytes]:
        """`count` messages, whole or in pieces, with control frames between all of them."""
        frames = []
        for _ in range(count):
            frames += self._message()
            while self._random.random() < 0.5:
                frames.append(self._control())
        return frames

    def _message(self) -> list[bytes]:
        payload = self._payload()
        opcode = TEXT if self._random.random() < 0.8 and _is_text(payload) else BINARY
        if self._random.random() < 0.6:
            return [frame(opcode, payload)]
        cuts = sorted(self._random.randrange(len(payload) + 1) for _ in range(_MOST_PIECES - 1))
        cuts = cuts[: self._random.randint(1, _MOST_PIECES - 1)]
        ends = zip([0, *cuts], [*cuts, len(payload)], strict=True)
        pieces: list[bytes] = []
        for piece in fragments(opcode, *(payload[start:end] for start, end in ends)):
            if pieces and self._random.random() < 0.3:
                pieces.append(self._control())
            pieces.append(piece)
        return pieces

    def _control(self) -> bytes:
        return frame(
            self._random.choice((PING, PONG)), self._random.randbytes(self._random.choice((0, 5, 125)))
        )

    def _payload(self) -> bytes:
        dice = self._random.random()
        request = self._request()
        if dice < 0.55:
            return self._mutator.change_json(request)
        text = json.dumps(request).encode()
        if dice < 0.85:
            return self._mutator.change_bytes(text)
        return text if dice < 0.97 else self._random.randbytes(self._random.randint(0, 300))

    def _request(self) -> dict[str, Any]:
        random = self._random
        symbols = random.sample(SYMBOLS, random.randint(1, len(SYMBOLS)))
        request: dict[str, Any] = random.choice(
            (
                {"action": "ping"},
                {"action": "subscribe", "symbols": symbols},
                {
                    "action": "subscribe",
                    "symbols": symbols,
                    "mode": random.choice(("all", "latest", "batch")),
                    "interval_ms": random.choice((10, 250, 60_000)),
                    "snapshot": random.random() < 0.5,
                    "since": {"epoch": "1a1fd1987a2", "seq": random.getrandbits(40), "seqs": {symbols[0]: 7}},
                    "min_confidence": random.random(),
                    "min_move_pct": 1000 * random.random(),
                    "timing": True,
                    "explanations": True,
                },
                {"action": "unsubscribe", "symbols": symbols},
                {"action": "watch", "job_id": str(uuid.UUID(int=random.getrandbits(128), version=4))},
                {"action": "auth", "api_key": self._key},
            )
        )
        return {**request, "id": str(random.getrandbits(30))} if random.random() < 0.5 else request

    def _auth(self) -> bytes:
        """The first frame of a client without a credential in its handshake: good, changed, or nonsense."""
        request = {"action": "auth", self._random.choice(("api_key", "token")): self._key}
        if self._random.random() < 0.5:
            return json.dumps(request).encode()
        return self._mutator.change_json(request)

    # What RFC 6455 forbids

    def _reserved_bits(self) -> list[bytes]:
        opcode = self._random.choice((TEXT, BINARY, PING, CONTINUATION, CLOSE))
        return [frame(opcode, b"{}", reserved=self._random.randint(1, 7))]

    def _unknown_opcode(self) -> list[bytes]:
        return [frame(self._random.choice((*range(3, 8), *range(11, 16))), self._random.randbytes(9))]

    def _bad_control(self) -> list[bytes]:
        opcode = self._random.choice((PING, PONG, CLOSE))
        if self._random.random() < 0.5:
            return [frame(opcode, b"", fin=False)]
        return [frame(opcode, self._random.randbytes(self._random.choice((126, 1_000, 70_000))))]

    def _bad_order(self) -> list[bytes]:
        if self._random.random() < 0.5:
            return [frame(CONTINUATION, b"{}", fin=self._random.random() < 0.5)]
        return [frame(TEXT, b"{", fin=False), frame(self._random.choice((TEXT, BINARY)), b"}")]

    def _bad_length(self) -> list[bytes]:
        random = self._random
        lengths = (
            b"\x7f" + b"\xff" * 8,
            b"\x7f" + struct.pack("!Q", 1 << random.randint(17, 62)),
            b"\x7f" + struct.pack("!Q", 5),
            b"\x7e\x00\x05",
            b"\x7e\xff\xff",
        )
        if random.random() < 0.1:
            return [frame(TEXT, b"x" * _OVERLONG)]
        return [frame(TEXT, self._payload()[:64], length=random.choice(lengths))]

    def _unmasked(self) -> list[bytes]:
        return [frame(self._random.choice((TEXT, BINARY, PING, CLOSE)), b"{}", mask=False)]

    def _bad_text(self) -> list[bytes]:
        text = b'{"action":"ping","id":"%b"}' % self._random.choice(BROKEN_UTF_8)
        return fragments(TEXT, text[:-4], text[-4:]) if self._random.random() < 0.5 else [frame(TEXT, text)]

    def _bad_close(self) -> list[bytes]:
        random = self._random
        payloads = (
            b"\x03",
            struct.pack("!H", random.choice(INVALID_CODES)),
            struct.pack("!H", random.choice(_CLOSE_CODES)) + b"going",
            struct.pack("!H", 1000) + random.choice(BROKEN_UTF_8),
        )
        return [frame(CLOSE, random.choice(payloads))]

    def _changed_frame(self) -> list[bytes]:
        return [self._mutator.change_bytes(frame(TEXT, self._payload()))]

    def _spliced_frames(self) -> list[bytes]:
        return [self._mutator.splice(frame(TEXT, self._payload()), self._control())]


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
