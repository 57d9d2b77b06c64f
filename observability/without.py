"""Importing a library without the other libraries that it would load just because they are installed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Let the packages `names` be missing for what is imported meanwhile."""
    known = {name: sys.modules[name] for name in names if name in sys.modules}
    # How Python itself is told that a module is not there.
    hidden: dict[str, None] = dict.fromkeys(names)
    vars(sys)["modules"].update(hidden)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(known)
