"""What a soak asks the stores that nothing else asks them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.side_by_side import processes
from benchmarks.side_by_side.ground import tell_of_memory
from gateway_project import embedded
from loadtests import stores


def test_nats_tells_what_it_holds(tmp_path: Path) -> None:
    server = embedded.nats(tmp_path / "nats", embedded.free_port())
    profile = tell_of_memory(tmp_path / "nats" / "nats.conf")
    with processes.running(server.command, environ={}, log=tmp_path / "log", port=server.port):
        assert 0.5 < stores.nats_mb(profile) < 50
