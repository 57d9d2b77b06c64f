"""docker/Dockerfile as a list of instructions by stage, and its install commands moved to other folders."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "docker/Dockerfile"


@dataclass(frozen=True)
class Stage:
    """``FROM base AS name``, and its instructions in order."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all_of(self, instruction: str) -> list[str]:
        """What stands behind each `instruction`."""
        return [rest for word, rest in self.instructions if word == instruction]


def stages() -> dict[str, Stage]:
    """The stages of the Dockerfile by name, in order."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    text = re.sub(r"\s*\\\n\s*", " ", text)
    found: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = found[name] = Stage(name, base)
        elif stage is not None:
            stage.instructions.append((word, rest))
    return found


def chain(name: str) -> list[Stage]:
    """The stage `name` and those that it is made from, the first one first."""
    known = stages()
    made: list[Stage] = []
    while name in known:
        made.insert(0, known[name])
        name = known[name].base
    return made


def environment(name: str) -> dict[str, str]:
    """What ``ENV`` of the stage `name`, and of those below it, sets to values without a variable."""
    pairs = (
        pair.partition("=") for stage in chain(name) for line in stage.all_of("ENV") for pair in line.split()
    )
    return {key: value for key, _, value in pairs if "$" not in value}


def context() -> list[str]:
    """What .dockerignore lets into a build: it names what, and nothing else comes in."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


def copy_context(target: Path) -> None:
    """Put what a build would get into `target`."""
    for name in context():
        source, copy = ROOT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, copy)
