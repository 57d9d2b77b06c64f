"""OWASP API7: the gateway asks nobody for what a caller names: nothing that serves has a client for that.

What it connects to (Postgres, Redis, NATS, a collector of traces) comes from its settings alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_project.settings import BASE_DIR

PRODUCT = (
    "accounts",
    "events",
    "explanations",
    "gateway_project",
    "observability",
    "predictions",
    "realtime",
)
ASKING = (
    "aiohttp",
    "ftplib",
    "http.client",
    "httpx",
    "requests",
    "smtplib",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websockets.asyncio",
    "websockets.client",
    "websockets.connect",
    "websockets.legacy",
    "websockets.sync",
    "xmlrpc",
)
"""Modules that ask servers for something."""
AT_THE_TERMINAL = {
    "gateway_project/doctor/gateway.py",  # asks the address that the operator names
    "gateway_project/management/commands/up.py",  # asks the gateway that it has started
}


def askers() -> Iterator[str]:
    """Files of the product that import what can ask."""
    for package in PRODUCT:
        for file in sorted((BASE_DIR / package).rglob("*.py")):
            if can_ask(file):
                yield file.relative_to(BASE_DIR).as_posix()


def can_ask(file: Path) -> bool:
    """Whether `file` imports one of them."""
    return any(name == asking or name.startswith(f"{asking}.") for name in imports(file) for asking in ASKING)


def imports(file: Path) -> Iterator[str]:
    """Modules, and what is taken from them, by full name."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_nothing_that_serves_can_ask_a_server_that_a_caller_names() -> None:
    assert set(askers()) == AT_THE_TERMINAL


@pytest.mark.parametrize(
    "line",
    ["import urllib.request", "from urllib import request", "from http import client", "import httpx as h"],
)
def test_an_import_is_seen_however_it_is_written(line: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(line)
    assert can_ask(file)
