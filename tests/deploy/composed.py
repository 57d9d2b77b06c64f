"""docker/compose.yaml as Compose reads it: variables filled in, merge keys resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker"
SECRETS = ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "NATS_PASSWORD", "GRAFANA_PASSWORD")
# Something for each of them, as the person who starts the stack would give it.
GIVEN = {name: name.lower().replace("_", "") * 5 for name in SECRETS}
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


class VariableMissing(Exception):
    """What ``${NAME:?text}`` ends in."""


def interpolate(text: str, given: Mapping[str, str]) -> str:
    """`text` with ``${NAME}``, ``${NAME:-default}``, ``${NAME:?text}`` replaced; raises `VariableMissing`."""

    def value_of(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if given.get(name):
            return given[name]
        if operator == ":?":
            raise VariableMissing(f"{name} {rest}")
        return rest or ""

    return _VARIABLE.sub(value_of, text)


def load(name: str = "compose.yaml", given: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file `name`, filled in with `given`; by default with every secret and nothing else."""
    loaded: dict[str, Any] = _filled(
        yaml.safe_load((FOLDER / name).read_text()), GIVEN if given is None else given
    )
    return loaded


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return interpolate(value, given)
    if isinstance(value, list):
        return [_filled(item, given) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, given) for key, item in value.items()}
    return value


def variables(name: str = "compose.yaml") -> dict[str, set[str]]:
    """Every variable that the file `name` asks for, with what is given in its place."""
    found: dict[str, set[str]] = {}
    for variable, operator, rest in _VARIABLE.findall((FOLDER / name).read_text()):
        found.setdefault(variable, set()).add(operator + rest)
    return found


def example() -> dict[str, str]:
    """The variables of docker/.env.example."""
    lines = (FOLDER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
