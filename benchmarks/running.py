"""The command line of a benchmark: it measures the gateway that `make run` has started."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path


def run(measure: Callable[[Path, int], Awaitable[str]], *, description: str | None, count: int) -> None:
    """Parse the options, call `measure(folder, count)` and print its result."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=Path(".data"), help="folder of the running stack")
    parser.add_argument("--count", type=int, default=count)
    options = parser.parse_args()
    if not (options.data / "endpoints.json").exists():
        sys.exit(f"no gateway runs in {options.data}: start `make run` in another terminal first")
    asyncio.run(_print(measure(options.data, options.count)))


async def _print(result: Awaitable[str]) -> None:
    sys.stdout.write(await result + "\n")
