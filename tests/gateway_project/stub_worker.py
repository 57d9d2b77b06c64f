"""A worker for tests of the launcher: answers each connection with its process id, and starts at once.

Files in its folder tell it what to do: it `dies` at the start, stays `mute` without getting ready, or `holds`
on when it is told to end, until that file is gone. It notes `ending-PID` when it is told.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway_project.lifeline import Lifeline


async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell the process id, and hang up."""
    writer.write(str(os.getpid()).encode())
    writer.close()
    await writer.wait_closed()


async def serve(folder: Path, listener: int, lifeline: int, beat_s: float) -> None:
    """Serve until SIGTERM, or until the launcher is gone."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    if (folder / "mute").exists():
        await told.wait()
        return
    server = await asyncio.start_server(answer, sock=socket.socket(fileno=listener))
    Lifeline(socket.socket(fileno=lifeline), beat_s).begin(told.set)
    await told.wait()
    (folder / f"ending-{os.getpid()}").touch()
    server.close()
    while (folder / "holds").exists():  # noqa: ASYNC110 - a file makes no event
        await asyncio.sleep(0.01)


def main() -> None:
    """Run with what the launcher adds to the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name, kind in (("--listener", int), ("--lifeline", int), ("--beat", float)):
        parser.add_argument(name, type=kind)
    given = parser.parse_args()
    if (given.folder / "dies").exists():
        sys.exit(1)
    asyncio.run(serve(given.folder, given.listener, given.lifeline, given.beat))


if __name__ == "__main__":
    main()
