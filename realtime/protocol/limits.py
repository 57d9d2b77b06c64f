"""The numbers of the protocol, each in one place."""

from __future__ import annotations

VERSION = 1
HEARTBEAT_S = 15
"""Between two pings of the server; a peer that has not answered when the next is due is cut off."""
AUTH_TIMEOUT_S = 5.0
IDLE_S = 300.0
MAX_MESSAGE_BYTES = 64 * 1024
MAX_SYMBOLS = 100
MAX_WATCHES = 100
MAX_OUTBOX = 1_000
MAX_RESUMED = 1_000
MAX_BAD_FRAMES = 10
FRAMES_IN_PER_S = 10
FRAMES_OUT_PER_S = 10
DEFAULT_INTERVAL_MS = 250
SLOW_AFTER_S = 2.0
"""A reader that takes nothing for so long gets the newest value of each symbol alone."""
GIVEN_UP_AFTER_S = 20.0
