"""The samples of docs/WEBSOCKET.md run as they stand: first steps, a page, the client that comes back."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway_project import embedded
from gateway_project.settings import BASE_DIR
from tests.integration.test_socket_access import ticket_of
from tests.printing import Printing
from tests.stack import Stack, event, eventually, numbered, receive

DOCUMENT = (BASE_DIR / "docs/WEBSOCKET.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def sample(language: str, containing: str, stack: Stack) -> str:
    """The one block of the document that has `containing`, with the address of `stack`."""
    [found] = [text for kind, text in BLOCKS if kind == language and containing in text]
    assert "ws://127.0.0.1:8000/ws/predictions" in found
    return found.replace("ws://127.0.0.1:8000/ws/predictions", stack.socket_url)


@contextlib.contextmanager
def running(*command: str, folder: Path) -> Iterator[Printing]:
    """A sample while it runs in `folder`."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    started = Printing(process)
    try:
        yield started
    finally:
        started.end()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the samples run, as in the folder of the project; a test puts the key there."""
    (tmp_path / ".data").mkdir()
    return tmp_path


def put_key(folder: Path, stack: Stack) -> None:
    """As `make run` does."""
    (folder / ".data/demo_key").write_text(stack.key + "\n")


def types_of(frames: list[dict[str, Any]]) -> list[str]:
    """What came, in order."""
    return [frame["type"] for frame in frames]


def test_the_first_steps_in_python_print_what_the_document_shows(stack: Stack, folder: Path) -> None:
    stack.publish(event("AAPL"))
    eventually(lambda: stack.read("AAPL"))
    put_key(folder, stack)
    script = sample("python", "sync.client", stack)
    with running(sys.executable, "-c", script, folder=folder) as started:
        eventually(lambda: len(started.printed) >= 3)
        stack.publish(event("AAPL"))
        eventually(lambda: len(started.printed) >= 4)
    [shown] = [text for kind, text in BLOCKS if kind == "json"]
    promised = [json.loads(line) for line in shown.splitlines()]
    assert types_of(started.printed[:4]) == types_of(promised)
    for told, frame in zip(promised, started.printed, strict=False):
        assert told.keys() == frame.keys()
    assert started.printed[1] == promised[1]


def test_the_request_of_the_wscat_line_is_answered(stack: Stack) -> None:
    line = sample("sh", "wscat", stack)
    [request] = re.findall(r"-x '(.*?)'", line)
    assert f"-c '{stack.socket_url}' -H \"X-API-Key: $KEY\"" in line
    with stack.socket() as socket:
        socket.send(request)
        assert receive(socket)["symbols"] == ["AAPL"]


def test_the_page_authenticates_by_its_first_frame_and_subscribes_at_once(
    stack: Stack, tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None or subprocess.run([node, "--experimental-websocket", "-e", ""], check=False).returncode:
        pytest.skip("there is no node with a WebSocket: 20.10 or newer")
    stack.publish(event("AAPL"))
    eventually(lambda: stack.read("AAPL"))
    page = tmp_path / "page.mjs"
    ticket = ticket_of(stack, {"X-API-Key": stack.key})
    page.write_text(sample("js", "new WebSocket", stack).replace("TOKEN", json.dumps(ticket)))
    command = (node, "--experimental-websocket", "--no-warnings", str(page))
    with running(*command, folder=tmp_path) as started:
        eventually(lambda: len(started.printed) >= 3)
    assert types_of(started.printed[:3]) == ["welcome", "subscribed", "prediction_update"]


def test_the_client_that_comes_back_sees_every_update_once_across_two_restarts(
    own_stack: Stack, folder: Path
) -> None:
    own_stack.start_bridge()
    web = own_stack.start_web()
    put_key(folder, own_stack)
    published = own_stack.publish(*numbered("AAPL", 1), *numbered("MSFT", 1))
    eventually(lambda: own_stack.read("AAPL") and own_stack.read("MSFT"))
    script = sample("python", "async def follow", own_stack)

    with running(sys.executable, "-c", script, folder=folder) as client:

        def publish_and_see() -> None:
            published.extend(publish(own_stack))
            eventually(lambda: len(client.printed) >= len(published), timeout_s=60)

        eventually(lambda: len(client.printed) == 2)
        publish_and_see()
        for end in ("terminate", "kill"):  # told 1012, and not told at all
            getattr(web, end)()
            web.wait(timeout=60)
            published.extend(publish(own_stack))
            web = start_again(own_stack)
            publish_and_see()

    assert set(types_of(client.printed)) == {"prediction_update"}
    assert sorted(update["seq"] for update in client.printed) == sorted(published)
    for symbol in ("AAPL", "MSFT"):
        seqs = [update["seq"] for update in client.printed if update["symbol"] == symbol]
        assert seqs == sorted(seqs)


def publish(stack: Stack) -> list[int]:
    """Four updates of each symbol that the client follows; the seqs."""
    return stack.publish(*numbered("AAPL", 4), *numbered("MSFT", 4))


def start_again(stack: Stack) -> subprocess.Popen[bytes]:
    """The web server, where it was."""
    port = urlsplit(stack.base_url).port or 0
    process = stack.start("serve", "--port", str(port))
    assert embedded.wait_until_listening(port, timeout_s=60)
    return process
