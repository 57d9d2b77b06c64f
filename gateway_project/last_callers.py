"""A port that closes without cutting off those who are just connecting.

To close a listening socket resets what the kernel has queued there, and between the last look at the queue
and the close there is always time for one more caller. So the kernel is told first to let nobody begin.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys

# Not in Python's `socket`; in asm-generic/socket.h of Linux.
_SO_ATTACH_FILTER = 26
# A classic BPF program, which sees a segment from its TCP header on: drop what opens a connection (SYN).
_DROP_SYN = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load byte 13, the flags
        (0x45, 0, 1, 0x02),  # SYN is set: go on, else skip one
        (0x06, 0, 0, 0),  # take nothing of it
        (0x06, 0, 0, 0xFFFFFFFF),  # take all of it
    )
)


def let_nobody_begin(listener: socket.socket) -> None:
    """Whoever is queued at `listener` stays; whoever comes now is not answered, and refused once it closes.

    It holds for every copy of the socket, in all processes. Elsewhere than on Linux nothing happens.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
    described = struct.pack("@HP", len(_DROP_SYN) // 8, ctypes.addressof(program))
    with contextlib.suppress(OSError):  # a sandbox may not allow it: then it is as it was
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
