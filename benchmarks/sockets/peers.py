"""The libraries of the peers on sockets."""

from __future__ import annotations

from pathlib import Path

from benchmarks.side_by_side.ground import ROOT
from benchmarks.side_by_side.peers import Peers

_HERE = Path(__file__).resolve().parent

PEERS = Peers(
    requirements=_HERE / "requirements.txt",
    node_pins=_HERE / "contenders" / "node",
    venv=ROOT / ".data" / "bench-venv",
    node_folder=ROOT / ".data" / "bench-node",
)
