"""The judges of Dockerfile, Compose files and manifests that `make check` runs have nothing to say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy/kubernetes/base"
PRODUCTION = ROOT / "deploy/kubernetes/overlays/production"
# Patches and kustomizations are no resources: they are judged in what they make (test_kubernetes.py).
MANIFESTS = [
    *sorted(path for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml"),
    PRODUCTION / "namespace.yaml",
]
COMPOSE_FILES = sorted((ROOT / "docker").glob("compose*.yaml"))


def judged(tool: str, *arguments: str | Path, text: str | None = None) -> str:
    """What `tool` says against its `arguments`; nothing if it agrees. Fails where it is not installed."""
    places = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(tool, path=places)
    if found is None:
        pytest.fail(f"{tool} is not installed: it comes with requirements/dev.txt")
    done = subprocess.run(
        [found, *map(str, arguments)],
        input=text,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr or f"{tool}: {done.returncode}"


def test_hadolint_agrees_with_the_dockerfile() -> None:
    assert judged("hadolint", "docker/Dockerfile") == ""


def test_the_compose_specification_agrees_with_the_compose_files() -> None:
    assert [path.name for path in COMPOSE_FILES] == ["compose.tls.yaml", "compose.yaml"]
    assert judged("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *COMPOSE_FILES) == ""


def test_the_schemas_of_kubernetes_agree_with_the_manifests() -> None:
    assert judged("kubernetes-validate", "--strict", *MANIFESTS) == ""


def test_yamllint_agrees_with_every_file() -> None:
    rules = "{extends: default, rules: {line-length: {max: 200}, document-start: disable, braces: disable}}"
    folders = ("docker/compose.yaml", "docker/compose.tls.yaml", "deploy/kubernetes")
    assert judged("yamllint", "--strict", "--config-data", rules, *folders) == ""
