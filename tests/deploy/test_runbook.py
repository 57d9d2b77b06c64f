"""The runbook names commands, services and settings that there are, and its restore drill is carried out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.db.migrations.loader import MigrationLoader
from django.urls import resolve

from events.streams import JOBS, PREDICTIONS
from gateway_project.config import Config
from realtime.bridge import Predictions
from realtime.explained import Explanations
from tests import servers
from tests.servers import Server
from tests.stack import ROOT, Stack, event, eventually

RUNBOOK = (ROOT / "docs/RUNBOOK.md").read_text()
COMMANDS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", RUNBOOK, flags=re.DOTALL))
BLOCKS = re.findall(r"^ *```sh\n(.*?)^ *```", RUNBOOK, re.MULTILINE | re.DOTALL)
TYPED = "\n".join([*COMMANDS, *BLOCKS])
COMPOSE = (ROOT / "docker/compose.yaml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
# Names in capitals that are neither settings of the gateway nor variables of the compose file.
NO_SETTINGS = {
    "COMPOSE_FILE",
    "DEAD_LETTERS",
    "DRILL_NATS_URL",
    "DRILL_REDIS_URL",
    "DRILL_URL",
    "FIGURES",
    "KEY",
    "ON_ERROR_STOP",
    "REQUEST_ID",
}
TAKE_A_VALUE = {"--since", "--tail", "--scale", "--entrypoint", "-p", "-e"}


def compose_calls() -> Iterator[tuple[str, list[str]]]:
    """What is asked of docker compose: the action, and its words without the options."""
    for line in TYPED.replace("\\\n", " ").splitlines():
        asked = re.search(r"docker compose (exec|run|up|stop|logs|ps|restart)\b([^|]*)", line)
        if asked is None:
            continue
        words: list[str] = []
        takes_value = False
        for word in asked[2].split():
            if not takes_value and not word.startswith("-"):
                words.append(word)
            takes_value = word in TAKE_A_VALUE
        yield asked[1], words


def test_every_command_of_manage_py_exists() -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", TYPED))
    for action, words in compose_calls():
        if action == "run" and len(words) > 1 and words[1].isidentifier():
            named.add(words[1])
    assert named - get_commands().keys() == set()
    assert {"check", "migrate", "doctor", "create_key", "serve", "explain_worker"} <= named


@pytest.mark.parametrize("command", ["serve", "create_key", "explain_worker"])
def test_every_option_of_our_commands_exists(command: str) -> None:
    named = re.findall(rf"manage\.py {command}\b(.*)", TYPED)
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    there = {option for action in parser._actions for option in action.option_strings}
    assert {option for line in named for option in re.findall(r"--[a-z]+", line)} <= there


def test_every_migration_that_is_named_exists() -> None:
    there = MigrationLoader(None).disk_migrations
    named = re.findall(r"(?:migrate|sqlmigrate) ([a-z]+) (\d{4})", TYPED)
    assert named
    for app, number in named:
        assert any(one == app and name.startswith(number) for one, name in there), f"{app} {number}"


def test_every_path_that_is_asked_for_exists() -> None:
    named = set(re.findall(r"127\.0\.0\.1:\d+(/[^\s\"?]*)", TYPED))
    named |= set(re.findall(r"\b(?:GET|POST|DELETE) (/[^\s`?]+)", TYPED))
    named |= {word for word in COMMANDS if re.fullmatch(r"/[a-z/]+", word)}
    assert {"/health", "/health/ready", "/admin/", "/auth/revoke"} <= named
    for path in named:
        resolve(path)  # raises Resolver404


def test_every_stream_and_consumer_that_is_named_exists() -> None:
    consumers = {(of.stream.name, of.durable) for of in (Predictions, Explanations)}
    removed = re.findall(r"consumer rm --force (\S+) (\S+)", TYPED)
    assert set(removed) == consumers
    assert set(re.findall(r"consumer info (\S+) (\S+)`", RUNBOOK)) <= consumers
    assert set(re.findall(r"stream info (\S+)`", RUNBOOK)) <= {one.name for one in (PREDICTIONS, JOBS)}


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"\b(?:docker|benchmarks)/[\w./]*\w", RUNBOOK))
    named |= {f"docs/{name}" for name in re.findall(r"\]\(([A-Z]+\.md)", RUNBOOK)}
    own = {"docker/.env", "docker/compose.override.yaml"}
    assert "docker/compose.yaml" in named
    assert [name for name in sorted(named - own) if not (ROOT / name).exists()] == []


def test_every_service_of_docker_compose_is_one_of_ours() -> None:
    named = set()
    for action, words in compose_calls():
        named |= set(words[:1] if action in {"exec", "run"} else words)
    assert {"web", "ws", "bridge", "worker", "migrate", "postgres", "redis", "nats"} <= named
    assert named <= SERVICES.keys()


def test_every_word_in_capitals_is_a_setting() -> None:
    words = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", RUNBOOK)) | set(re.findall(r"\$\{?([A-Z_]+)", TYPED))
    settings = {name.upper() for name in Config.__struct_fields__}
    settings |= set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    assert words - settings - NO_SETTINGS == set()


def test_every_number_of_the_capacity_is_that_of_the_benchmarks() -> None:
    results = (ROOT / "benchmarks/RESULTS.md").read_text()
    for told, measured in {
        "10,000, p99 17.0 ms": "| gateway | 5.6 x0.91 | 17.0 x1.55",
        "15,000, p99 16.0 ms": "| 7.5 (5.8-7.6) | 16.0 (14.1-17.0) |",
        "25 KB": "| 24.9 ",
        "after 19 s": "| gateway | 19.2 (17.6-19.4)",
        "8,000/s": "| 8,000 updates/s | 7,994       | 9.8           | 81.2       | 181.1      |",
    }.items():
        assert told in RUNBOOK
        assert measured in results, f"the runbook says {told}; what do the results say?"


@pytest.fixture
def copy_url(postgres_url: str) -> Iterator[str]:
    """An empty database on the server of the tests."""
    name = f"drill_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def empty_redis() -> Iterator[Server]:
    """A Valkey that holds nothing."""
    with servers.running_valkey() as server:
        yield server


@pytest.fixture
def empty_nats() -> Iterator[Server]:
    """A NATS that holds nothing."""
    with servers.running_nats() as server:
        yield server


def test_the_restore_drill_gives_a_gateway_that_serves_the_same(
    own_stack: Stack, copy_url: str, empty_redis: Server, empty_nats: Server, tmp_path: Path
) -> None:
    own_stack.start_bridge()
    own_stack.start_web()
    own_stack.publish(event("DRILL"))
    before = eventually(lambda: own_stack.read("DRILL"))
    shown = _carry_out(own_stack, copy_url, tmp_path)
    [line_before, line_after] = re.findall(r"^ +\d+ \|.*$", shown, re.MULTILINE)
    assert line_before == line_after
    assert not (tmp_path / "drill.dump").exists()

    restored = Stack(copy_url, redis=empty_redis, nats=empty_nats, key=own_stack.key)
    try:
        restored.start_web()
        after = restored.read("DRILL")
    finally:
        restored.end()
    assert {**after, "age_seconds": 0} == {**before, "age_seconds": 0}


def _carry_out(stack: Stack, copy_url: str, folder: Path) -> str:
    """Type the first block of the drill as it stands; returns what it shows."""
    section = RUNBOOK.partition("\n## Restore drill\n")[2].partition("\n## ")[0]
    block = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0]
    block = block.replace("manage.py", str(ROOT / "manage.py"))
    places = [Path(sys.executable).parent, servers._postgres_binaries()]
    environ = {
        **stack.environ,
        "DRILL_URL": copy_url,
        "PATH": os.pathsep.join([*map(str, places), os.environ["PATH"]]),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
