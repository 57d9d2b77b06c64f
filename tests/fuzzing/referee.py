"""How RFC 6455 and the protocol above it let a server end a connection on which a client has written this.

Pure, and written from the RFC alone: it shares nothing with the server but the table of cases that both are
tested with.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from realtime.protocol.codes import Close
from realtime.protocol.limits import MAX_MESSAGE_BYTES
from tests.integration.frame_cases import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

BROKEN, NO_CODE, NOT_UTF_8, TOO_BIG = 1002, 1005, 1007, 1009
MOST_BYTES = 2 * MAX_MESSAGE_BYTES
"""A message beyond that is not read to its end."""
OF_REQUESTS = frozenset({Close.PROTOCOL_ERROR, Close.TOO_BIG, Close.TOO_FAST})
"""What a client that is let in may be closed with for what its messages say, or how many they are."""

_CONTROL = (CLOSE, PING, PONG)
_REGISTERED = {*range(1000, 1004), *range(1007, 1015)}
_LONGEST_CONTROL = 125
_DecoderOfUtf8 = codecs.getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True)
class _Frame:
    opcode: int
    length: int
    is_last: bool
    is_masked: bool
    has_reserved_bits: bool
    payload: bytes | None
    """None while it has not come whole."""

    @property
    def is_control(self) -> bool:
        return self.opcode in _CONTROL

    @property
    def is_forbidden(self) -> bool:
        """Whatever came before it."""
        if self.has_reserved_bits or not self.is_masked:
            return True
        if self.is_control:
            return self.length > _LONGEST_CONTROL or not self.is_last
        return self.opcode not in (CONTINUATION, TEXT, BINARY)


def judge(written: bytes) -> frozenset[int]:
    """The close codes of which the server must send one; none while it may wait for more.

    One of several is enough where a frame is wrong in two ways. A server may also read on behind text that
    is no UTF-8 before it looks at the text: what it finds there counts as well.
    """
    ends: set[int] = set()
    text: codecs.IncrementalDecoder | None = None
    size, is_in_message, has_asked = 0, False, False
    for frame in _frames(written):
        before = size if is_in_message and not frame.is_control else 0
        is_too_big = before + frame.length > MOST_BYTES
        is_in_turn = frame.is_control or is_in_message == (frame.opcode == CONTINUATION)
        if is_too_big:
            ends.add(TOO_BIG)
        # What is wrong by its head may be told before the rest has come, but need not.
        if (frame.is_forbidden or not is_in_turn) and (ends or frame.payload is not None):
            ends.add(BROKEN)
        if frame.payload is None or ends & {TOO_BIG, BROKEN}:
            break
        if frame.opcode == CLOSE:
            ends |= _answers_to_close(frame.payload, is_in_message=is_in_message)
            break
        if frame.is_control:
            continue
        if not is_in_message:
            text = _DecoderOfUtf8() if frame.opcode == TEXT else None
        size, is_in_message = before + frame.length, not frame.is_last
        if text is not None and not _is_text(text, frame.payload, is_last=frame.is_last):
            text = None
            ends.add(NOT_UTF_8)
        has_asked |= frame.is_last and not ends
    return frozenset(ends | OF_REQUESTS if ends and has_asked else ends)


def _frames(written: bytes) -> Iterator[_Frame]:
    """Frame by frame, the last perhaps not whole; 0 is the length that has not come."""
    start = 0
    while len(written) >= start + 2:
        first, second = written[start], written[start + 1]
        length, begin = second & 0x7F, start + 2
        if length >= 126:
            form, begin = ("!H", start + 4) if length == 126 else ("!Q", start + 10)
            (length,) = struct.unpack_from(form, written, start + 2) if len(written) >= begin else (0,)
        is_masked = bool(second & 0x80)
        key = written[begin : begin + 4] if is_masked else bytes(4)
        begin += 4 * is_masked
        end = begin + length
        payload = _unmasked(written[begin:end], key) if len(written) >= end else None
        yield _Frame(first & 0x0F, length, bool(first & 0x80), is_masked, bool(first & 0x70), payload)
        start = end


def _unmasked(data: bytes, key: bytes) -> bytes:
    size = len(data)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def _is_text(message: codecs.IncrementalDecoder, payload: bytes, *, is_last: bool) -> bool:
    try:
        message.decode(payload, is_last)
    except UnicodeDecodeError:
        return False
    return True


def _answers_to_close(payload: bytes, *, is_in_message: bool) -> set[int]:
    """Its own code, if it is one that may be sent, and by the gateway's rule between messages."""
    ends = set()
    code = int.from_bytes(payload[:2], "big") if payload else NO_CODE
    is_known = not payload or code in _REGISTERED or 3000 <= code < 5000
    if is_in_message or len(payload) == 1 or not is_known:
        ends.add(BROKEN)
    if not _is_text(_DecoderOfUtf8(), payload[2:], is_last=True):
        ends.add(NOT_UTF_8)
    return ends or {code}
