"""A reader that stops reading costs bounded memory and nobody else anything, and is closed with 4503."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from benchmarks.side_by_side.processes import own_resident_kb
from tests.stack import Stack, eventually, numbered, receive, send, updates_of

UPDATES = 12_000


def _read_to_the_end(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            yield receive(socket)


def test_a_reader_that_stops_reading_is_given_up_and_its_neighbours_get_everything(
    own_stack: Stack, symbol: str, tmp_path: Path
) -> None:
    own_stack.log_path = tmp_path / "log"
    own_stack.start_bridge()
    web = own_stack.start_web()
    headers = {"X-API-Key": own_stack.key}
    with (
        # A client that calls no `recv` stops reading after a few frames.
        connect(own_stack.socket_url, additional_headers=headers, max_queue=2) as stalled,
        own_stack.socket(symbol, mode="batch", interval_ms=20) as reading,
    ):
        send(stalled, action="subscribe", symbols=[symbol], mode="batch", interval_ms=20, snapshot=False)
        before_kb = own_resident_kb(web.pid)
        with ThreadPoolExecutor(1) as publisher:
            publishing = publisher.submit(own_stack.publish, *numbered(symbol, UPDATES))
            got: list[int] = []
            while len(got) < UPDATES:
                got += [update["seq"] for update in updates_of(receive(reading))]
        assert got == publishing.result()
        # The memory of recent updates grows, too: less than a kilobyte for each.
        assert own_resident_kb(web.pid) - before_kb < 20_000

        log = own_stack.log_path
        eventually(lambda: "giving up a reader" in log.read_text(), timeout_s=60)
        frames = list(_read_to_the_end(stalled))
    assert stalled.close_code == 4503
    assert frames[-1]["code"] == "SLOW_READER"
    seen = [update["seq"] for frame in frames if frame["type"] == "batch" for update in frame["updates"]]
    assert seen == sorted(set(seen))
    assert len(seen) < UPDATES
