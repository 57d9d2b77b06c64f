"""What the image is and is not, as far as its Dockerfile says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from observability.version import VERSION
from tests.deploy import dockerfiles

ROOT = Path(__file__).resolve().parents[2]
TEXT = dockerfiles.DOCKERFILE.read_text()
FINAL = ("gateway", "worker")


def test_the_last_stage_is_the_one_that_a_plain_build_makes() -> None:
    assert list(dockerfiles.stages()) == ["build", "model", "runtime", "worker", "gateway"]


def test_the_base_is_python_3_11_pinned_and_the_same_in_every_stage() -> None:
    image = re.search(r"^ARG PYTHON_IMAGE=(.+)$", TEXT, re.MULTILINE)
    assert image is not None
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", image[1])
    assert {stage.base for stage in dockerfiles.stages().values()} == {"${PYTHON_IMAGE}", "build", "runtime"}


@pytest.mark.parametrize("name", FINAL)
def test_an_image_installs_nothing_itself_and_runs_as_a_numbered_user(name: str) -> None:
    stages = dockerfiles.chain(name)
    assert [stage.name for stage in stages][:1] == ["runtime"]
    ran = " ".join(line for stage in stages for line in stage.all_of("RUN"))
    assert "pip uninstall" in ran
    assert not re.search(r"apt-get|pip install|gcc|build-essential", ran)
    # By number, so that Kubernetes can see that it is not root.
    assert [user for stage in stages for user in stage.all_of("USER")] == ["10001:10001"]
    assert dockerfiles.environment(name)["PYTHONDONTWRITEBYTECODE"] == "1"
    assert [signal for stage in stages for signal in stage.all_of("STOPSIGNAL")] == ["SIGTERM"]


@pytest.mark.parametrize("name", FINAL)
def test_an_image_is_started_without_a_shell_and_says_how_it_is(name: str) -> None:
    stages = dockerfiles.chain(name)
    for instruction in ("ENTRYPOINT", "CMD"):
        assert all(text.startswith("[") for stage in stages for text in stage.all_of(instruction))
    checks = [text for stage in stages for text in stage.all_of("HEALTHCHECK")]
    port = {"gateway": 8000, "worker": 9100}[name]
    assert checks[-1].endswith(f'CMD ["python", "docker/healthcheck.py", "{port}"]')


def test_installed_is_what_is_pinned_as_wheels_and_without_a_cache() -> None:
    lines = [line for name in ("build", "model") for line in dockerfiles.stages()[name].all_of("RUN")]
    installs = [part for line in lines for part in line.split(" && ") if " install " in part]
    assert len(installs) == 2
    for install in installs:
        assert "--no-cache-dir" in install
        assert "--only-binary :all:" in install
        assert re.search(r"--(requirement|constraint) requirements/\w+\.txt", install)


def test_labels_and_version_are_those_of_the_code() -> None:
    [labels] = dockerfiles.stages()["runtime"].all_of("LABEL")
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert f"ARG VERSION={VERSION}\n" in TEXT


def test_a_build_gets_the_code_and_no_more() -> None:
    named = dockerfiles.context()
    assert all((ROOT / name).exists() for name in named)
    packages = {path.parent.name for path in ROOT.glob("*/apps.py")}
    assert packages | {"manage.py", "static", "templates"} <= set(named)
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    assert not {name.split("/")[0] for name in named} & {
        "tests",
        "benchmarks",
        "loadtests",
        ".env",
        ".git",
        ".data",
        "deploy",
    }
