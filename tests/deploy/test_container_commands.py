"""The images' own install commands in clean folders, then every role as compose.yaml starts it.

Where no Docker engine is, this stands in for building and starting: the lines are taken out of the
Dockerfile and compose.yaml, with other folders and ports. Takes about a minute, most of it the installation.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import psycopg
import pytest

from gateway_project import embedded
from gateway_project.config import Config
from tests.deploy import composed, dockerfiles
from tests.servers import running_nats, running_valkey, temporary_folder
from tests.stack import eventually

# The user of the image.
USER = 10001


class Image:
    """What a build of the Dockerfile would hold, in the folder `root` instead of in ``/``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "opt").mkdir()
        dockerfiles.copy_context(root / "app")
        self._run_build("build")
        self._run_build("model")
        self.user = self._find_user()

    def moved(self, text: str) -> str:
        """`text` with the folders of the image where they are here."""
        return re.sub(r"(?<![\w.])/(opt|app|tmp)\b", rf"{self.root}/\1", text)

    def files(self) -> dict[str, int]:
        """Every file of the image with its time: the same later on, if nobody has written."""
        places = (self.root / "app", self.root / "opt")
        return {
            str(path): path.stat().st_mtime_ns
            for place in places
            for path in place.rglob("*")
            if path.exists()
        }

    def _find_user(self) -> dict[str, Any]:
        """The image's user, for `subprocess`; oneself where one cannot become it, or it reaches no Python."""
        user: dict[str, Any] = {"user": USER, "group": USER, "extra_groups": []}
        try:
            subprocess.run([self.root / "opt/venv/bin/python", "-V"], **user, capture_output=True, check=True)
        except PermissionError:
            return {}
        return user

    def _run_build(self, stage: str) -> None:
        for line in dockerfiles.stages()[stage].all_of("RUN"):
            for part in line.split(" && "):
                self._run_one(part)

    def _run_one(self, line: str) -> None:
        words = shlex.split(self.moved(line))
        given = {}
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, given[name] = words.pop(0).partition("=")
        command = [sys.executable, *words[1:]] if words[0] == "python" else words
        # pip finds its index through this environment; settings of the gateway do not come along.
        kept = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        done = subprocess.run(
            command,
            cwd=self.root / "app",
            env={**kept, **dockerfiles.environment("build"), **given},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def _is_ours(name: str) -> bool:
    settings = {field.name.upper() for field in msgspec.structs.fields(Config)}
    return name in settings or name.startswith(("PYTHON", "DJANGO_", "COVERAGE_", "GATEWAY_"))


class Service:
    """A service of compose.yaml that runs from an `Image`, with nothing but its own environment."""

    def __init__(self, image: Image, name: str, servers: dict[str, str]) -> None:
        described = composed.load()["services"][name]
        self.target = "worker" if "worker" in described["image"] else "gateway"
        self.grace_s = int(described["stop_grace_period"].removesuffix("s"))
        self.image = image
        self.port = embedded.free_port()
        self.environ: dict[str, str] = {
            "PATH": f"{image.root}/opt/venv/bin:/usr/bin:/bin",
            "TMPDIR": str(image.root / "tmp"),
            **{key: image.moved(value) for key, value in dockerfiles.environment(self.target).items()},
            **described["environment"],
        }
        # The servers are elsewhere; a service that is not told of one is not told of it here.
        for key in servers.keys() & self.environ.keys():
            self.environ[key] = servers[key]
        self.command = self._here(described["command"])
        self.health = self._here(described["healthcheck"].get("test", ["CMD"])[1:])
        if "OPS_PORT" in self.environ:
            self.environ["OPS_PORT"] = str(self.port)

    def _here(self, words: list[str]) -> list[str]:
        return [str(self.port) if word in {"8000", "9100"} else word for word in words]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run ``manage.py command`` to its end, as ``docker compose exec`` would."""
        done = subprocess.run(
            ["python", "manage.py", *command],
            **self._options(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    def start(self) -> subprocess.Popen[bytes]:
        """Start what the service runs."""
        return subprocess.Popen(["python", "manage.py", *self.command], **self._options())

    def is_healthy(self) -> bool:
        """What the service's own health check says."""
        return subprocess.run(self.health, **self._options(), timeout=60, check=False).returncode == 0

    def _options(self) -> dict[str, Any]:
        return {"cwd": self.image.root / "app", "env": self.environ, **self.image.user}


@pytest.fixture
def image() -> Iterator[Image]:
    with temporary_folder() as folder:
        folder.chmod(0o755)
        (folder / "tmp").mkdir()
        (folder / "tmp").chmod(0o1777)
        yield Image(folder)


@pytest.fixture
def servers(postgres_url: str) -> Iterator[dict[str, str]]:
    """An empty database and servers of this test alone, by the setting that names them."""
    name = f"image_{uuid.uuid4().hex[:12]}"
    with contextlib.ExitStack() as held:
        server = held.enter_context(psycopg.connect(postgres_url, autocommit=True))
        server.execute(f'CREATE DATABASE "{name}"')
        held.callback(lambda: server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'))
        yield {
            "DATABASE_URL": urlsplit(postgres_url)._replace(path=f"/{name}").geturl(),
            "REDIS_URL": held.enter_context(running_valkey()).url,
            "NATS_URL": held.enter_context(running_nats()).url,
        }


def test_every_role_installs_starts_answers_and_ends(image: Image, servers: dict[str, str]) -> None:
    services = {
        name: Service(image, name, servers)
        for name in ("migrate", "web", "ws", "bridge", "worker", "demo-pipeline")
    }
    migrate, web = services["migrate"], services["web"]
    installed = image.files()
    migrate.run(*migrate.command)
    migrate.run("migrate", "--check")  # what the Pods in Kubernetes wait for
    key = web.run("create_key", "--account", "image", "--tier", "enterprise").stdout.split()[-1]

    running = {name: services[name].start() for name in ("web", "ws", "bridge", "worker")}
    try:
        for name in running:
            eventually(services[name].is_healthy, timeout_s=60)
        running["demo-pipeline"] = services["demo-pipeline"].start()
        base_url = f"http://127.0.0.1:{web.port}"
        with httpx.Client(base_url=base_url, headers={"X-API-Key": key}, timeout=60) as client:
            assert client.get("/health/live").status_code == 200
            _serves_static_files(client, image)
            eventually(lambda: client.get("/api/prediction/AAPL").status_code == 200, timeout_s=60)
            explained = client.post(
                "/api/explanation/AAPL", json={"depth": "deep"}, headers={"Prefer": "wait=20"}
            )
            assert (explained.status_code, explained.json()["status"]) == (200, "done")
            assert client.get("/api/explanation/AAPL").json()["contributions"]
    finally:
        codes = {name: _end(process, services[name].grace_s) for name, process in running.items()}
    assert codes == dict.fromkeys(running, 0)
    assert image.files() == installed, "the file system of a container is read-only"


def _serves_static_files(client: httpx.Client, image: Image) -> None:
    collected = image.root / "app/staticfiles"
    style = next(path for path in sorted(collected.rglob("*.css")) if path.stat().st_size > 1000)
    assert client.get(f"/static/{style.relative_to(collected)}").status_code == 200


def _end(process: subprocess.Popen[bytes], grace_s: int) -> int | str:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"still there {grace_s} s after SIGTERM"
