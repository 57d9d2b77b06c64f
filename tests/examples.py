"""How many examples Hypothesis tries: few in the suite, ``EXAMPLES`` times as many in `make fuzz`."""

from __future__ import annotations

import os

from hypothesis import settings

FACTOR = int(os.environ.get("EXAMPLES", "1"))


def examples(count: int, *, steps: int = 50) -> settings:
    """Settings for `count` examples, those of a model with so many steps each; time is no matter."""
    return settings(max_examples=FACTOR * count, stateful_step_count=steps, deadline=None)
