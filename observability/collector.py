"""Python's cyclic collector in a process that lives long and holds much.

What was loaded at start is never garbage, and a full collection that walks it and ten thousand sockets stops
everything for half a second. What goes away here goes by reference count: sockets break their own cycles. So
the young generations stay as they are, and full collections become rare.
"""

from __future__ import annotations

import gc

_FULL_COLLECTIONS_ARE_RARER_BY = 500


def settle() -> None:
    """Call it once, when everything is loaded and before the work begins."""
    young, middle, old = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, middle, old * _FULL_COLLECTIONS_ARE_RARER_BY)
