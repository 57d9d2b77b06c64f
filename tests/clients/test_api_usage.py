"""Every sample of docs/API_USAGE.md runs as it stands; its table of codes is that of the code."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_project.openapi import document
from gateway_project.settings import BASE_DIR
from tests.conftest import running_stack
from tests.people import add_key, add_tier
from tests.stack import Stack, event, eventually, numbered

GUIDE = (BASE_DIR / document.GUIDE).read_text()
SAMPLES: list[tuple[str, str]] = [
    (language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
    for indent, language, text in re.findall(r"^( *)```(\w+)\n(.*?)^ *```", GUIDE, re.MULTILINE | re.DOTALL)
    if language != "json"
]
COMMANDS = {
    "sh": ["sh", "-eu", "-c"],
    "python": [sys.executable, "-c"],
    "js": ["node", "--experimental-websocket", "--no-warnings", "--input-type=module", "-e"],
}
URL = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def used() -> Iterator[Stack]:
    """A gateway with a worker and some history, to which AAPL and MSFT are published all the time."""
    with running_stack(with_worker=True) as stack, contextlib.ExitStack() as held:
        hourly, burst = ("hourly", "account", 100_000, 3600, None), ("burst", "account", 1000, 1, 2000)
        stack.key = add_key(stack, add_tier(stack, hourly, burst)).secret
        stack.publish(*numbered("AAPL", 300), event("MSFT"))
        eventually(lambda: stack.count_rows("AAPL") == 300 and stack.read("MSFT"))
        is_over = threading.Event()
        pipeline = threading.Thread(target=_publish_on, args=(stack, is_over))
        pipeline.start()
        held.callback(pipeline.join)
        held.callback(is_over.set)
        yield stack


def _publish_on(stack: Stack, is_over: threading.Event) -> None:
    while not is_over.wait(0.5):
        stack.publish(event("AAPL"), event("MSFT"))


@pytest.fixture(scope="module")
def folder(used: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as that of the project, with the key of `make run` and both clients installed."""
    made = tmp_path_factory.mktemp("usage")
    (made / ".data").mkdir()
    (made / ".data/demo_key").write_text(used.key + "\n")
    (made / "node_modules").mkdir()
    (made / "node_modules/prediction-gateway-client").symlink_to(BASE_DIR / "clients/javascript")
    (made / "bin").mkdir()
    (made / "bin/pgw").write_text(f'#!/bin/sh\nexec {sys.executable} -m prediction_gateway.command "$@"\n')
    (made / "bin/pgw").chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("language", "text"), SAMPLES, ids=[f"{number}-{one[0]}" for number, one in enumerate(SAMPLES)]
)
def test_the_sample_runs(used: Stack, folder: Path, language: str, text: str) -> None:
    assert shutil.which(COMMANDS[language][0])
    environ = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(BASE_DIR / "clients/python/src"),
        "PGW_URL": used.base_url,
        "PGW_API_KEY": used.key,
    }
    done = subprocess.run(
        [*COMMANDS[language], text.replace(URL, used.base_url)],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout or "export" in text
    if "If-None-Match" in text:
        assert done.stdout in {"304\n", "200\n"}
    if "-D - " in text and "TAG" not in text:
        shown = GUIDE.partition("Among the headers")[2].partition("```")[2].partition("```")[0]
        names = {line.partition(":")[0].lower() for line in shown.split("\n") if line}
        assert names <= {line.partition(":")[0] for line in done.stdout.splitlines()}


def test_there_are_samples_of_each_kind() -> None:
    languages = [language for language, _ in SAMPLES]
    assert all(languages.count(language) >= 6 for language in COMMANDS)


def test_the_table_of_codes_is_that_of_the_code() -> None:
    assert document.with_codes(GUIDE) == GUIDE, "run `manage.py openapi --write`"
