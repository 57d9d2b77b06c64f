"""The commands in both README.md of deployment name what there is, and make usable secrets."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy import composed
from tests.deploy.test_kubernetes import ALL

ROOT = Path(__file__).resolve().parents[2]
DOCKER = (ROOT / "docker/README.md").read_text()
KUBERNETES = (ROOT / "deploy/kubernetes/README.md").read_text()


def test_the_commands_make_secrets_that_compose_takes(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    shutil.copy(ROOT / "docker/.env.example", tmp_path / "docker")
    script = re.findall(r"```sh\n(.*?)```", DOCKER, re.DOTALL)[0]
    subprocess.run(["sh", "-eu", "-c", script], cwd=tmp_path, timeout=60, check=True)
    made = tmp_path / "docker/.env"
    assert made.stat().st_mode & 0o777 == 0o600
    given = dict(line.split("=", 1) for line in made.read_text().splitlines() if line and line[0] != "#")
    assert len({given[name] for name in composed.SECRETS}) == len(composed.SECRETS)
    assert all(re.fullmatch(r"[0-9a-f]{64}", given[name]) for name in composed.SECRETS)
    services = composed.load(given=given)["services"]
    assert services["web"]["environment"]["DATABASE_URL"].startswith(
        "postgresql://gateway:" + given["POSTGRES_PASSWORD"]
    )


@pytest.mark.parametrize("text", [DOCKER, KUBERNETES], ids=["docker", "kubernetes"])
def test_every_file_that_is_named_is_there(text: str) -> None:
    for name in re.findall(r"(?:docker|deploy/kubernetes|tests|docs)/[\w./-]*\w", text):
        if name not in {
            "docker/.env",
            "docker/tls",
            "docker/tls/privkey.pem",
            "docker/compose.override.yaml",
        }:
            assert (ROOT / name).exists(), name


def test_services_volumes_and_networks_are_those_of_compose() -> None:
    compose = composed.load()
    named = set(re.findall(r"prediction-gateway_(\w+)", DOCKER))
    assert named == {*compose["volumes"], "pipeline"}
    for service in re.findall(r"(?:exec(?: -T)?|--scale) (\w+)", DOCKER):
        assert service in compose["services"], service


def test_resources_are_those_of_the_manifests() -> None:
    for kind, name in re.findall(r"\b(job|deployment)[/ ](gateway-\w+)", KUBERNETES):
        assert (kind.capitalize(), name) in ALL
