"""What a peer may send by RFC 6455 and what it must hear, each case named after the Autobahn test suite's.

One table in one piece, so that a case is found by its number: that is why this file is long.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

MASK = b"\x37\xfa\x21\x3d"
"""The key of the example in RFC 6455, 5.7."""


def masked(payload: bytes) -> bytes:
    """`payload` under `MASK`; as numbers, because megabytes byte by byte take seconds."""
    size = len(payload)
    key = (MASK * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bool = True,
    length: bytes = b"",
) -> bytes:
    """A client's frame; `length` in place of the shortest form of the payload's, without the mask's bit."""
    size = len(payload)
    if not length and size < 126:
        length = bytes((size,))
    elif not length:
        length = b"\x7e" + struct.pack("!H", size) if size < 65_536 else b"\x7f" + struct.pack("!Q", size)
    head = bytes((fin << 7 | reserved << 4 | opcode,))
    if not mask:
        return head + length + payload
    return head + bytes((length[0] | 0x80,)) + length[1:] + MASK + masked(payload)


def closing(code: int, reason: bytes = b"") -> bytes:
    """A client's close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


def fragments(opcode: int, *payloads: bytes) -> list[bytes]:
    """A message in as many frames."""
    last = len(payloads) - 1
    return [
        frame(opcode if n == 0 else CONTINUATION, payload, fin=n == last)
        for n, payload in enumerate(payloads)
    ]


def chopped(data: bytes, size: int = 1) -> list[bytes]:
    """`data` in pieces that are written one by one."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def request(size: int = 0, id_: bytes = b"7") -> bytes:
    """A ping of the gateway's own protocol, padded with spaces to `size` bytes."""
    return (b'{"action":"ping","id":"%s"}' % id_).ljust(size)


Heard = tuple[str, object]
"""What a peer hears: `answer` with the request's id, `error` and `close` with their code, `pong`."""

ANSWER: Heard = ("answer", "7")
BROKEN: Heard = ("close", 1002)
NOT_UTF_8: Heard = ("close", 1007)
NOT_JSON: Heard = ("error", "INVALID_JSON")
ABOVE_OUR_LIMIT: tuple[Heard, ...] = (("error", "MESSAGE_TOO_BIG"), ("close", 4413))
ABOVE_THE_SERVERS: Heard = ("close", 1009)


class Case(NamedTuple):
    """The pieces of `sent` are written one by one; after a close that is heard the connection ends."""

    name: str
    sent: list[bytes]
    heard: list[Heard]


def _sizes() -> list[Case]:
    """1: messages of every form of length."""
    cases = []
    for group, opcode, kind in (("1.1", TEXT, "text"), ("1.2", BINARY, "binary")):
        cases.append(Case(f"{group}.1 {kind} of 0 bytes, which is no request", [frame(opcode)], [NOT_JSON]))
        cases += [
            Case(f"{group}.{n} {kind} of {size} bytes", [frame(opcode, request(size))], [ANSWER])
            for n, size in enumerate((125, 126, 127, 128, 65_535, 65_536), 2)
        ]
        pieces = chopped(frame(opcode, request(65_536)), 997)
        cases.append(Case(f"{group}.8 {kind} of 65536 bytes in pieces of 997", pieces, [ANSWER]))
        cases += [
            Case(f"{group} {kind} of {size} bytes", [frame(opcode, request(size))], list(ABOVE_OUR_LIMIT))
            for size in (65_537, 131_072)
        ]
        cases += [
            Case(f"{group} {kind} of {size} bytes", [frame(opcode, request(size))], [ABOVE_THE_SERVERS])
            for size in (131_073, 3_000_000)
        ]
    top_bit = frame(TEXT, length=b"\x7f\x80" + bytes(7))
    return [
        *cases,
        Case(
            "1 a length below 126 in 2 bytes", [frame(TEXT, request(100), length=b"\x7e\x00\x64")], [ANSWER]
        ),
        Case(
            "1 a length below 126 in 8 bytes",
            [frame(TEXT, request(100), length=b"\x7f" + bytes(7) + b"\x64")],
            [ANSWER],
        ),
        Case("1 a length of 64 bits with the top bit set", [top_bit], [ABOVE_THE_SERVERS]),
        Case(
            "1 a length of 2^63-1 bytes", [frame(TEXT, length=b"\x7f\x7f" + b"\xff" * 7)], [ABOVE_THE_SERVERS]
        ),
        Case("1 text that is not masked", [frame(TEXT, request(), mask=False)], [BROKEN]),
        Case("1 a ping that is not masked", [frame(PING, b"hi", mask=False)], [BROKEN]),
        Case("1 a close that is not masked", [frame(CLOSE, b"\x03\xe8", mask=False)], [BROKEN]),
    ]


def _pings() -> list[Case]:
    """2: pings and pongs."""
    binary = bytes((0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF))
    ten = [b"payload-%d" % n for n in range(10)]
    pings = [frame(PING, one) for one in ten]
    pongs: list[Heard] = [("pong", one) for one in ten]
    full, too_long = bytes(range(125)), bytes(range(126))
    return [
        Case("2.1 a ping without payload", [frame(PING)], [("pong", b"")]),
        Case("2.2 a ping with text", [frame(PING, b"Hello, world!")], [("pong", b"Hello, world!")]),
        Case("2.3 a ping with bytes that are no UTF-8", [frame(PING, binary)], [("pong", binary)]),
        Case("2.4 a ping of 125 bytes", [frame(PING, full)], [("pong", full)]),
        Case("2.5 a ping of 126 bytes", [frame(PING, too_long)], [BROKEN]),
        Case("2.6 a ping of 125 bytes, byte by byte", chopped(frame(PING, full)), [("pong", full)]),
        Case("2.7 an unsolicited pong without payload", [frame(PONG)], []),
        Case("2.8 an unsolicited pong with payload", [frame(PONG, b"unasked")], []),
        Case(
            "2.9 an unsolicited pong, then a ping", [frame(PONG, b"a"), frame(PING, b"b")], [("pong", b"b")]
        ),
        Case("2.10 ten pings in a row", [b"".join(pings)], pongs),
        Case("2.11 ten pings in a row, byte by byte", chopped(b"".join(pings)), pongs),
        Case("2 a pong of 126 bytes", [frame(PONG, too_long)], [BROKEN]),
    ]


def _reserved() -> list[Case]:
    """3 and 4: what the RFC keeps for later."""
    cases = [
        Case("3.1 text with reserved bits 1", [frame(TEXT, request(), reserved=1)], [BROKEN]),
        Case(
            "3.2 text with reserved bits 2, then a ping",
            [frame(TEXT, request(), reserved=2) + frame(PING)],
            [BROKEN],
        ),
        Case(
            "3.3 a ping, then text with reserved bits 3",
            [frame(PING, b"a") + frame(TEXT, request(), reserved=3)],
            [("pong", b"a"), BROKEN],
        ),
        Case(
            "3.4 text with reserved bits 4, byte by byte",
            chopped(frame(TEXT, request(), reserved=4)),
            [BROKEN],
        ),
        Case("3.5 binary with reserved bits 5", [frame(BINARY, request(), reserved=5)], [BROKEN]),
        Case("3.6 a ping with reserved bits 6", [frame(PING, b"hi", reserved=6)], [BROKEN]),
        Case("3.7 a close with reserved bits 7", [frame(CLOSE, b"\x03\xe8", reserved=7)], [BROKEN]),
    ]
    for group, first in (("4.1", 3), ("4.2", 11)):
        for n, opcode in enumerate(range(first, first + 5), 1):
            payload = b"" if n == 1 else b"payload"
            sent = [frame(opcode, payload) + frame(PING)]
            cases.append(
                Case(f"{group}.{n} reserved opcode {opcode}", sent if n < 5 else chopped(sent[0]), [BROKEN])
            )
    return cases


def _fragmentation() -> list[Case]:
    """5: messages in several frames, and control frames in between."""
    first, second = fragments(TEXT, request()[:9], request()[9:])
    ping, pong = frame(PING, b"between"), ("pong", b"between")
    lone = {True: frame(CONTINUATION, b"lone"), False: frame(CONTINUATION, b"lone", fin=False)}
    whole = frame(TEXT, request())
    inside = [first, ping, second]
    five = fragments(TEXT, b'{"action"', b':"pi', b'ng","id"', b':"7', b'"}')
    cases = [
        Case("5.1 a ping in two frames", [frame(PING, b"a", fin=False), frame(CONTINUATION, b"b")], [BROKEN]),
        Case("5.2 a pong in two frames", [frame(PONG, b"a", fin=False), frame(CONTINUATION, b"b")], [BROKEN]),
        Case("5 a close in two frames", [frame(CLOSE, b"\x03\xe8", fin=False)], [BROKEN]),
        Case("5.3 text in two frames", [first, second], [ANSWER]),
        Case("5.4 text in two frames, at once", [first + second], [ANSWER]),
        Case("5.5 text in two frames, byte by byte", chopped(first + second), [ANSWER]),
        Case("5.6 text in two frames with a ping in between", inside, [pong, ANSWER]),
        Case("5.7 text in two frames with a ping in between, at once", [b"".join(inside)], [pong, ANSWER]),
        Case("5.8 the same, byte by byte", chopped(b"".join(inside)), [pong, ANSWER]),
    ]
    for number, fin in ((9, True), (12, False)):
        how = f"a continuation of nothing, fin={fin}, then text"
        both = lone[fin] + whole
        cases += [
            Case(f"5.{number} {how}", [both], [BROKEN]),
            Case(f"5.{number + 1} {how}, in two pieces", [lone[fin], whole], [BROKEN]),
            Case(f"5.{number + 2} {how}, byte by byte", chopped(both), [BROKEN]),
        ]
    many = fragments(TEXT, *chopped(request(65_536), 1300))
    empty = fragments(TEXT, request()[:9], *[b""] * 500, request()[9:])
    too_many = [frame(TEXT, bytes(60_000), fin=False), *[frame(CONTINUATION, bytes(60_000), fin=False)] * 2]
    return [
        *cases,
        # All at once: what is answered would have to be written after the close frame.
        Case("5.15 text in two frames, a continuation of nothing", [first + second + lone[False]], [BROKEN]),
        Case(
            "5.16 a continuation of nothing, then text in two frames", [lone[False], first, second], [BROKEN]
        ),
        Case("5.17 the same, fin=True", [lone[True], first, second], [BROKEN]),
        Case("5.18 text in the middle of a message in fragments", [first, frame(TEXT, b"x")], [BROKEN]),
        Case("5 binary in the middle of a message in fragments", [first, frame(BINARY, b"x")], [BROKEN]),
        Case(
            "5.19 text in five frames with pings in between",
            [*five[:2], ping, five[2], five[3], ping, five[4]],
            [pong, pong, ANSWER],
        ),
        Case(
            "5.20 the same, at once",
            [b"".join([*five[:2], ping, five[2], five[3], ping, five[4]])],
            [pong, pong, ANSWER],
        ),
        Case("5 binary in two frames", fragments(BINARY, request()[:9], request()[9:]), [ANSWER]),
        Case("5 500 empty frames inside a text", [b"".join(empty)], [ANSWER]),
        Case("10.1.1 text of 65536 bytes in frames of 1300", [b"".join(many)], [ANSWER]),
        Case(
            "9 frames of 70000 bytes together",
            fragments(BINARY, bytes(35_000), bytes(35_000)),
            [*ABOVE_OUR_LIMIT],
        ),
        Case("9 frames of 180000 bytes together", too_many, [ABOVE_THE_SERVERS]),
    ]


VALID_UTF_8 = [
    ("6.2.1", "a text of many scripts", "Hello-µ@ßöäüàá-UTF-8!!".encode()),
    *[(f"6.6.{2 * n}", f"{n} letters of kosme", "κόσμε"[:n].encode()) for n in range(1, 6)],
    ("6.7.2", "the first sequence of 2 bytes", b"\xc2\x80"),
    ("6.7.3", "the first sequence of 3 bytes", b"\xe0\xa0\x80"),
    ("6.7.4", "the first sequence of 4 bytes", b"\xf0\x90\x80\x80"),
    ("6.9.1", "the last sequence of 1 byte", b"\x7f"),
    ("6.9.2", "the last sequence of 2 bytes", b"\xdf\xbf"),
    ("6.9.3", "the last sequence of 3 bytes", b"\xef\xbf\xbf"),
    ("6.9.4", "the last sequence of 4 bytes", b"\xf4\x8f\xbf\xbf"),
    ("6.11.1", "U+D7FF, before the surrogates", b"\xed\x9f\xbf"),
    ("6.11.2", "U+E000, after the surrogates", b"\xee\x80\x80"),
    ("6.11.3", "U+FFFD", b"\xef\xbf\xbd"),
    ("6.22.1", "U+FFFE, which is no character", b"\xef\xbf\xbe"),
    ("6.22.3", "U+1FFFE, which is no character", b"\xf0\x9f\xbf\xbe"),
    ("6.22.34", "U+10FFFF, which is no character", b"\xf4\x8f\xbf\xbf"),
]

INVALID_UTF_8 = [
    ("6.3.1", "a surrogate in the middle of valid text", "κόσμε".encode() + b"\xed\xa0\x80edited"),
    *[(f"6.6.{cut}", f"{cut} bytes of kosme", "κόσμε".encode()[:cut]) for cut in (1, 3, 5, 7, 9)],
    ("6.8.1", "the first sequence of 5 bytes", b"\xf8\x88\x80\x80\x80"),
    ("6.8.2", "the first sequence of 6 bytes", b"\xfc\x84\x80\x80\x80\x80"),
    ("6.10.1", "the last sequence of 4 bytes", b"\xf7\xbf\xbf\xbf"),
    ("6.10.2", "the last sequence of 5 bytes", b"\xfb\xbf\xbf\xbf\xbf"),
    ("6.10.3", "the last sequence of 6 bytes", b"\xfd\xbf\xbf\xbf\xbf\xbf"),
    ("6.11.5", "U+110000, beyond the last", b"\xf4\x90\x80\x80"),
    ("6.12.1", "the first continuation byte alone", b"\x80"),
    ("6.12.2", "the last continuation byte alone", b"\xbf"),
    ("6.12.8", "all continuation bytes", bytes(range(0x80, 0xC0))),
    ("6.13.1", "all first bytes of 2, each with a space", b" ".join(bytes((n,)) for n in range(0xC0, 0xE0))),
    ("6.13.2", "all first bytes of 3, each with a space", b" ".join(bytes((n,)) for n in range(0xE0, 0xF0))),
    ("6.13.3", "all first bytes of 4, each with a space", b" ".join(bytes((n,)) for n in range(0xF0, 0xF8))),
    ("6.14.1", "2 bytes without the last", b"\xc0"),
    ("6.14.2", "3 bytes without the last", b"\xe0\x80"),
    ("6.14.3", "4 bytes without the last", b"\xf0\x80\x80"),
    ("6.14.6", "2 bytes without the last, the highest", b"\xdf"),
    ("6.14.7", "3 bytes without the last, the highest", b"\xef\xbf"),
    ("6.15.1", "incomplete sequences one after the other", b"\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf"),
    ("6.16.1", "a byte that cannot be, FE", b"\xfe"),
    ("6.16.2", "a byte that cannot be, FF", b"\xff"),
    ("6.16.3", "bytes that cannot be", b"\xfe\xfe\xff\xff"),
    ("6.17.1", "an overlong slash of 2 bytes", b"\xc0\xaf"),
    ("6.17.2", "an overlong slash of 3 bytes", b"\xe0\x80\xaf"),
    ("6.17.3", "an overlong slash of 4 bytes", b"\xf0\x80\x80\xaf"),
    ("6.18.1", "the highest overlong of 2 bytes", b"\xc1\xbf"),
    ("6.18.2", "the highest overlong of 3 bytes", b"\xe0\x9f\xbf"),
    ("6.18.3", "the highest overlong of 4 bytes", b"\xf0\x8f\xbf\xbf"),
    ("6.19.1", "an overlong NUL of 2 bytes", b"\xc0\x80"),
    ("6.20.1", "the surrogate U+D800", b"\xed\xa0\x80"),
    ("6.20.4", "the surrogate U+DBFF", b"\xed\xaf\xbf"),
    ("6.20.5", "the surrogate U+DC00", b"\xed\xb0\x80"),
    ("6.20.7", "the surrogate U+DFFF", b"\xed\xbf\xbf"),
    ("6.21.1", "a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80"),
]


def _utf_8() -> list[Case]:
    """6: what is text, and what is not."""
    kosme = request(id_="κόσμε".encode())
    answer = ("answer", "κόσμε")
    middle = kosme.index("ό".encode())
    bad = request(id_="κόσμε".encode() + b"\xf4\x90\x80\x80edited")
    start, end = bad[: bad.index(b"\xf4")], bad[bad.index(b"\x90") :]
    unfinished = frame(TEXT, start, fin=False) + frame(CONTINUATION, b"\xf4\x90", fin=False)
    cases = [
        Case("6.1.1 text of no bytes", [frame(TEXT)], [NOT_JSON]),
        Case("6.1.2 text in three frames of no bytes", fragments(TEXT, b"", b"", b""), [NOT_JSON]),
        Case("6.1.3 text between frames of no bytes", fragments(TEXT, b"", request(), b""), [ANSWER]),
        Case(
            "6.2.2 text in two frames at a letter", fragments(TEXT, kosme[:middle], kosme[middle:]), [answer]
        ),
        Case(
            "6.2 text in two frames inside a letter",
            fragments(TEXT, kosme[: middle + 1], kosme[middle + 1 :]),
            [answer],
        ),
        Case("6.2.4 text in frames of one byte", fragments(TEXT, *chopped(kosme)), [answer]),
        Case("6.3.2 the same, invalid at the end", fragments(TEXT, *chopped(bad)), [NOT_UTF_8]),
        Case("6.4.1 invalid in a fragment, told before the end", [unfinished], [NOT_UTF_8]),
        Case("6.4.2 invalid across fragments", fragments(TEXT, start, b"\xf4", end), [NOT_UTF_8]),
        Case(
            "6.4 a letter that is not finished",
            fragments(TEXT, kosme[:middle], kosme[middle : middle + 1]),
            [NOT_UTF_8],
        ),
        Case(
            "6.7.1 the first sequence of 1 byte, which JSON forbids",
            [frame(TEXT, request(id_=b"\x00"))],
            [NOT_JSON],
        ),
        Case(
            "6 invalid in binary, which is not JSON then", [frame(BINARY, request(id_=b"\xff"))], [NOT_JSON]
        ),
        Case(
            "6 invalid, then a ping",
            [frame(TEXT, b"\xff") + frame(PING, b"late")],
            [("pong", b"late"), NOT_UTF_8],
        ),
        Case("6 invalid, then invalid", [frame(TEXT, b"\xff") + frame(TEXT, b"\xff")], [NOT_UTF_8]),
    ]
    for number, what, text in VALID_UTF_8:
        sent = [frame(TEXT, request(id_=text))]
        cases.append(Case(f"{number} {what}", sent, [("answer", text.decode())]))
    for number, what, text in INVALID_UTF_8:
        cases.append(Case(f"{number} {what}", [frame(TEXT, request(id_=text))], [NOT_UTF_8]))
    return cases


VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
INVALID_CODES = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]


def _closes() -> list[Case]:
    """7: how a peer may leave."""
    normal: Heard = ("close", 1000)
    first, second = fragments(TEXT, request()[:9], request()[9:])
    bye = closing(1000)
    return [
        Case("7.1.2 two closes", [bye + bye], [normal]),
        Case("7.1.3 a ping after the close", [bye + frame(PING)], [normal]),
        Case("7.1.4 text after the close", [bye + frame(TEXT, request())], [normal]),
        Case("7.1.5 a close in the middle of a message", [first + bye + second], [BROKEN]),
        Case(
            "7.1.6 256 KiB, then a close",
            [frame(TEXT, bytes(262_144)), bye, frame(PING)],
            [ABOVE_THE_SERVERS],
        ),
        Case("7.3.1 a close without a code", [frame(CLOSE)], [("close", None)]),
        Case("7.3.2 a close of 1 byte", [frame(CLOSE, b"\x03")], [BROKEN]),
        Case("7.3.3 a close with a code", [bye], [normal]),
        Case("7.3.4 a close with a reason", [closing(1000, b"Goodbye")], [normal]),
        Case("7.3.5 a close with a reason of 123 bytes", [closing(1000, b"*" * 123)], [normal]),
        Case("7.3.6 a close with a reason of 124 bytes", [closing(1000, b"*" * 124)], [BROKEN]),
        Case("7.5.1 a reason that is no UTF-8", [closing(1000, b"\xce\xba\xed\xa0\x80")], [NOT_UTF_8]),
        *[Case(f"7.7.{n} the code {c}", [closing(c)], [("close", c)]) for n, c in enumerate(VALID_CODES, 1)],
        *[
            Case(f"7.7 the code {c}, which came later", [closing(c)], [("close", c)])
            for c in (1012, 1013, 1014)
        ],
        *[Case(f"7.9.{n} the code {c}", [closing(c)], [BROKEN]) for n, c in enumerate(INVALID_CODES, 1)],
        Case("7.9 the code 1015", [closing(1015)], [BROKEN]),
        Case("7.13.1 the code 5000", [closing(5000)], [BROKEN]),
        Case("7.13.2 the code 65535", [closing(65_535)], [BROKEN]),
    ]


CASES = [*_sizes(), *_pings(), *_reserved(), *_fragmentation(), *_utf_8(), *_closes()]
