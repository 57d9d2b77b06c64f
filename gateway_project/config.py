"""The typed configuration: ``gateway.yaml`` overlaid by the environment, validated once at start.

A value is taken from the first place that has it: environment variable, ``gateway.yaml`` (or the file that
``GATEWAY_CONFIG`` names), the running `manage.py up` stack (``.data/endpoints.json``), the default.
In the file, ``${NAME}`` stands for an environment variable, ``${NAME:-text}`` for one that may be missing.
What is wrong is told with the setting, its source, and what would be right. The settings themselves are in
`config_fields`, what must hold of them in `config_checks`.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import inspect

from gateway_project import config_checks, config_kinds
from gateway_project.config_checks import ConfigurationError, Source, find_misspelt, wrong
from gateway_project.config_fields import KINDS, Config

__all__ = [
    "ENDPOINTS_FILE",
    "LOCK_FILE",
    "SECRET_KEY_FILE",
    "Config",
    "ConfigurationError",
    "choose_data_dir",
    "find_misspelt",
    "given_settings",
    "is_locked",
    "load",
    "load_from_process",
    "read_endpoints",
]

LOCK_FILE = "up.lock"
ENDPOINTS_FILE = "endpoints.json"
SECRET_KEY_FILE = "secret_key"  # noqa: S105 - a file name
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_DEVELOPMENT_SECRET = "insecure-development-secret"  # noqa: S105 - refused unless DEBUG is on


def load(base_dir: Path, environ: Mapping[str, str]) -> Config:
    """Return the validated configuration; raises `ConfigurationError`."""
    config_checks.check_variables(environ)
    values, sources = _read_yaml(base_dir, environ)
    for name, kind in KINDS.items():
        variable = name.upper()
        if variable in environ:
            values[name] = _parse_variable(environ[variable], kind)
            sources[name] = Source(f"environment variable {variable}")
    data_dir = _data_dir(base_dir, values, sources)
    values["data_dir"] = str(data_dir)
    for name, url in read_endpoints(data_dir).items():
        key = {"database": "database_url", "redis": "redis_url", "nats": "nats_url"}.get(name)
        if key and key not in values:
            values[key] = url
    values.setdefault("database_url", f"sqlite:///{quote(str(data_dir / 'gateway.sqlite3'))}")
    config = _convert(values, sources)
    return _with_secret(config)


def choose_data_dir(base_dir: Path, environ: Mapping[str, str]) -> Path:
    """The folder that environment and ``gateway.yaml`` name, before anything else is validated."""
    values, sources = _read_yaml(base_dir, environ)
    if "DATA_DIR" in environ:
        values["data_dir"] = environ["DATA_DIR"]
        sources["data_dir"] = Source("environment variable DATA_DIR")
    return _data_dir(base_dir, values, sources)


def _data_dir(base_dir: Path, values: dict[str, Any], sources: dict[str, Source]) -> Path:
    chosen = values.get("data_dir", ".data")
    if not isinstance(chosen, str) or not chosen:
        raise wrong("data_dir", chosen, sources, "must be the path of a folder")
    return base_dir / chosen


def given_settings(base_dir: Path, environ: Mapping[str, str]) -> set[str]:
    """Names of the settings that the environment or ``gateway.yaml`` sets."""
    values, _ = _read_yaml(base_dir, environ)
    return values.keys() | {name for name in KINDS if name.upper() in environ}


def read_endpoints(data_dir: Path) -> dict[str, str]:
    """The URLs of the stack that `manage.py up` runs in `data_dir`; empty when none is running."""
    try:
        text = (data_dir / ENDPOINTS_FILE).read_bytes()
    except OSError:
        return {}
    if not is_locked(data_dir / LOCK_FILE):
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def is_locked(path: Path) -> bool:
    """True while another process holds the lock file `path`."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _read_yaml(base_dir: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Source]]:
    named = environ.get("GATEWAY_CONFIG")
    path = Path(named) if named else base_dir / "gateway.yaml"
    try:
        text = path.read_bytes()
    except OSError as error:
        if named or not isinstance(error, FileNotFoundError):
            raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
        return {}, {}
    try:
        values = msgspec.yaml.decode(text, type=dict[str, Any] | None) or {}
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        # The error may quote a value, and a value may be a secret: only its place is told.
        place = re.search(r"line \d+, column \d+", str(error))
        where = f" ({place[0]})" if place else ""
        raise ConfigurationError(f"{path} is not a YAML mapping of settings{where}") from None
    expanded = {name: _expand(name, value, path, environ) for name, value in values.items()}
    return expanded, {name: Source(str(path), _written(value)) for name, value in values.items()}


def _written(value: Any) -> str | None:
    """`value` as it stands in the file if it has references, else None."""
    texts = value if isinstance(value, list) else [value]
    found = [one for one in texts if isinstance(one, str) and _REFERENCE.search(one)]
    return ", ".join(found) or None


def _expand(name: str, value: Any, path: Path, environ: Mapping[str, str]) -> Any:
    """Put in what references stand for; a value with one is read as that of a variable is."""

    def find(reference: re.Match[str]) -> str:
        variable, instead = reference.groups()
        if variable in environ or instead is not None:
            return environ.get(variable, instead)
        raise ConfigurationError(
            f"{name} ({path}): there is no environment variable {variable}. Set it, or write "
            f"${{{variable}:-something}} to do without it"
        )

    if isinstance(value, list):
        return [_REFERENCE.sub(find, item) if isinstance(item, str) else item for item in value]
    if not isinstance(value, str) or not _REFERENCE.search(value):
        return value
    text = _REFERENCE.sub(find, value)
    return _parse_variable(text, KINDS[name]) if name in KINDS else text


def _parse_variable(text: str, wanted: Any) -> Any:
    """Environment variables are text: lists are comma separated, booleans also 1/0, yes/no, on/off."""
    kind = config_kinds.bare(wanted)
    if isinstance(kind, inspect.BoolType):
        word = text.strip().lower()
        return {"1": True, "yes": True, "on": True, "0": False, "no": False, "off": False}.get(word, word)
    if isinstance(kind, inspect.ListType):
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _convert(values: dict[str, Any], sources: dict[str, Source]) -> Config:
    config_checks.check_names(values, sources)
    try:
        config = msgspec.convert(values, Config, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        name = re.split(r"[`\[]", str(error).partition(" - at `$.")[2])[0]
        reason = f"must be {config_kinds.told(name, KINDS[name])}"
        raise wrong(name, values.get(name), sources, reason) from None
    config_checks.check(config, sources)
    return config


def _with_secret(config: Config) -> Config:
    path = config.data_dir / SECRET_KEY_FILE
    secret = config.secret_key.strip()
    if not secret and path.exists():
        try:
            secret = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError(f"cannot read the secret key in {path}") from None
    if not secret and config.debug:
        secret = _DEVELOPMENT_SECRET
    if secret == _DEVELOPMENT_SECRET and not config.debug:
        raise ConfigurationError("SECRET_KEY is the development default, which only DEBUG=true allows")
    if not secret:
        raise ConfigurationError(
            "SECRET_KEY is not set. Set it to 50 or more random characters (for instance "
            '`python3 -c "import secrets; print(secrets.token_urlsafe(50))"`), start the embedded '
            "stack once with `make run`, or set DEBUG=true for development."
        )
    return msgspec.structs.replace(config, secret_key=secret)


def load_from_process(base_dir: Path) -> Config:
    """The configuration of this process, from its own environment."""
    return load(base_dir, os.environ)
