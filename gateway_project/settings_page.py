"""What documents say of the settings, made from `config_fields`: tables of docs/SETTINGS.md, two examples."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway_project import config_fields, config_kinds
from gateway_project.config_fields import Config
from realtime import markdown

PAGE, YAML, VARIABLES = "docs/SETTINGS.md", "gateway.example.yaml", ".env.example"

_HEADING = re.compile(r" +# --- (.+)")
_MEANING = re.compile(r"(?s)(.+) \[([a-z, ]+)\]")
# Defaults that another setting decides: what is shown instead.
_DEFAULTS = {
    "database_url": "SQLite in `DATA_DIR`",
    "secret_key": "made by `manage.py up`",
    "jwt_keys": "derived from `SECRET_KEY`",
}
_EXAMPLES = {"database_url": "sqlite:///.data/gateway.sqlite3"}

_YAML_HEAD = """\
# Copy to gateway.yaml and take the # away from what is to be different; what is shown is the default.
# Environment variables win over this file. Secrets belong there rather than here. All of it: docs/SETTINGS.md
"""
_VARIABLES_HEAD = """\
# The settings as environment variables; what is shown is the default. All of it: docs/SETTINGS.md
# Nothing reads this file by itself: `set -a; . ./.env; set +a`, or your process manager's EnvironmentFile.
"""


class Setting(msgspec.Struct, frozen=True):
    """One setting, as the documents have it."""

    name: str
    group: str
    kind: Any
    default: Any
    meaning: str
    roles: str

    @property
    def sentence(self) -> str:
        """The first sentence of its meaning."""
        return re.split(r"(?<=\.) (?=[A-Z`])", self.meaning)[0]


def settings() -> Iterator[Setting]:
    """Every setting, in the order of the code; ValueError where one has no group, meaning or roles."""
    code, defaults = _read_code(), msgspec.structs.asdict(Config())
    for name, kind in config_fields.KINDS.items():
        group, text = code.get(name, ("", ""))
        found = _MEANING.fullmatch(" ".join(text.split()))
        if found is None or not group:
            raise ValueError(f"{name} needs a group, a meaning, and its roles in brackets at the end")
        yield Setting(name, group, kind, defaults[name], found[1], found[2])


def _read_code() -> dict[str, tuple[str, str]]:
    """Group and text of each field; Python keeps neither comments nor the text below a field."""
    source = inspect.getsource(Config)
    lines = source.splitlines()
    body = next(one.body for one in ast.parse(source).body if isinstance(one, ast.ClassDef))
    found: dict[str, tuple[str, str]] = {}
    for statement, after in itertools.pairwise(body):
        match statement, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = (_group_above(lines[: statement.lineno]), text)
    return found


def _group_above(lines: list[str]) -> str:
    headings = (_HEADING.fullmatch(line) for line in reversed(lines))
    return next((heading[1] for heading in headings if heading), "")


def tables() -> str:
    """The settings as Markdown, a table a group."""
    parts: list[str] = []
    group = ""
    for one in settings():
        if one.group != group:
            group = one.group
            parts.append(
                f"\n## {group}\n\n| Setting | Default | Value | Read by | Meaning |\n|---|---|---|---|---|"
            )
        value = config_kinds.told(one.name, one.kind)
        parts.append(f"| `{one.name.upper()}` | {_default(one)} | {value} | {one.roles} | {_meaning(one)} |")
    return "\n".join(parts).lstrip() + "\n"


def _default(one: Setting) -> str:
    return _DEFAULTS.get(one.name) or (f"`{as_text(one.default)}`" if as_text(one.default) else "none")


def _meaning(one: Setting) -> str:
    """With the names of other settings, and of headers, as code."""
    text = re.sub(
        r"(?<![`\w-])([A-Z]+(?:_[A-Z]+)+|DEBUG|ENVIRONMENT|X-[A-Z]\w+(?:-\w+)+)(?![`\w])",
        r"`\1`",
        one.meaning,
    )
    return text.replace("|", r"\|")


def as_text(value: Any) -> str:
    """A value as the environment has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(value) if isinstance(value, list) else str(value)


def with_tables(text: str) -> str:
    """Markdown `text` with the tables renewed between their markers; ValueError where one is missing."""
    return markdown.renewed(text, "settings", tables())


def example_yaml() -> str:
    """Every setting as a commented line of ``gateway.yaml``."""
    return _example(_YAML_HEAD, _yaml_line)


def example_variables() -> str:
    """Every setting as a commented line that a shell or a process manager reads."""
    return _example(_VARIABLES_HEAD, _variable_line)


def _example(head: str, line: Callable[[Setting], str]) -> str:
    parts, group = [head], ""
    for one in settings():
        if one.group != group:
            group = one.group
            parts.append(f"\n# --- {group}\n")
        parts.append(f"# {one.sentence}\n{line(one)}\n")
    return "".join(parts)


def _yaml_line(one: Setting) -> str:
    value = _EXAMPLES.get(one.name, one.default)
    shown = as_text(value) if isinstance(value, float) else json.dumps(value, default=str)
    return f"#{one.name}: {shown}"


def _variable_line(one: Setting) -> str:
    value = as_text(_EXAMPLES.get(one.name, one.default))
    return f"#{one.name.upper()}={shlex.quote(value) if value else ''}"


def write(folder: Path) -> None:
    """Renew all three files of the project in `folder`; raises OSError and ValueError."""
    page = folder / PAGE
    page.write_text(with_tables(page.read_text()))
    (folder / YAML).write_text(example_yaml())
    (folder / VARIABLES).write_text(example_variables())
