"""The WebSocket frames of a load client: what a server sends it and what it sends. Pure.

No library beside it: a client that costs more than the server it loads would measure itself. It reads whole,
uncompressed, unmasked frames, which is all that the contenders send.
"""

from __future__ import annotations

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA

# A client must mask. Against a server of our own the mask need not be random, so each frame is made once.
_MASK = b"\x37\xfa\x21\x3d"


class MalformedFrame(Exception):
    """A frame that no contender should send: a fragment, an extension's, or a masked one."""


def next_frame(data: bytes, start: int) -> tuple[int, int, int] | None:
    """Opcode of the frame at `start`, and where its payload begins and ends; None while it is incomplete."""
    have = len(data) - start
    if have < 2:
        return None
    first, length = data[start], data[start + 1]
    if first & 0xF0 != 0x80 or length > 127:
        raise MalformedFrame(f"a frame begins with {first:#04x} {length:#04x}")
    begin = start + 2
    if length == 126:
        if have < 4:
            return None
        begin = start + 4
        length = data[start + 2] << 8 | data[start + 3]
    elif length == 127:
        if have < 10:
            return None
        begin = start + 10
        length = int.from_bytes(data[start + 2 : begin], "big")
    end = begin + length
    return None if end > len(data) else (first & 0x0F, begin, end)


def client_frame(opcode: int, payload: bytes) -> bytes:
    """A whole, masked frame."""
    size = len(payload)
    if size < 126:
        header = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        header = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        header = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    mask = (_MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return header + _MASK + masked.to_bytes(size, "big")


def close_code(payload: bytes) -> int:
    """The code of a close frame; 1005 where there is none."""
    return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
