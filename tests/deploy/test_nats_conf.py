"""docker/nats.conf on a real NATS: with the password that compose.yaml hands over, and nobody without."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sysconfig
from collections.abc import Iterator

import httpx
import nats
import pytest

from gateway_project import embedded
from tests.deploy.composed import FOLDER, interpolate
from tests.deploy.test_compose import SERVICES
from tests.servers import temporary_folder
from tests.stack import eventually

# A password that NATS would take for a number, if it came without its quotes.
PASSWORD = "0123456789"


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Where a NATS with the configuration listens, and where its health is asked."""
    port, health = embedded.free_port(), embedded.free_port()
    with temporary_folder() as folder:
        text = (FOLDER / "nats.conf").read_text()
        text = text.replace("0.0.0.0:4222", f"127.0.0.1:{port}").replace(
            "127.0.0.1:8222", f"127.0.0.1:{health}"
        )
        (folder / "nats.conf").write_text(text.replace('"/data"', f'"{folder}"'))
        binary = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
        assert binary is not None
        given = SERVICES["nats"]["environment"]["NATS_PASSWORD"]
        assert given[0] == given[-1] == '"'
        environ = {
            **os.environ,
            "NATS_PASSWORD": interpolate('"${NATS_PASSWORD}"', {"NATS_PASSWORD": PASSWORD}),
        }
        process = subprocess.Popen(
            [binary, "--config", str(folder / "nats.conf")], env=environ, stderr=subprocess.DEVNULL
        )
        try:
            assert embedded.wait_until_listening(port)
            yield port, health
        finally:
            process.terminate()
            process.wait(timeout=60)


def test_it_takes_the_password_has_jetstream_and_says_that_it_is_well(ports: tuple[int, int]) -> None:
    port, health = ports
    asyncio.run(_use(f"nats://gateway:{PASSWORD}@127.0.0.1:{port}"))
    asked = f"http://127.0.0.1:{health}/healthz"
    assert SERVICES["nats"]["healthcheck"]["test"][-1].endswith("/healthz")
    eventually(lambda: httpx.get(asked).status_code == 200)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stranger:
        stranger.sendall(b"CONNECT {}\r\nPING\r\n")
        assert b"Authorization Violation" in b"".join(iter(lambda: stranger.recv(4096), b""))


async def _use(url: str) -> None:
    client = await nats.connect(url)
    account = await client.jetstream().account_info()
    assert account.limits.max_storage != 0
    await client.close()
