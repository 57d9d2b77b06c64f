"""The typed configuration: ``gateway.yaml`` overlaid by the environment, validated once at start.

A value is taken from the first place that has it: environment variable, ``gateway.yaml`` (or the file that
``GATEWAY_CONFIG`` names), the running `manage.py up` stack (``.data/endpoints.json``), the default.
What is wrong is told with the setting, its source, and what would be right.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

LOCK_FILE = "up.lock"
ENDPOINTS_FILE = "endpoints.json"
SECRET_KEY_FILE = "secret_key"  # noqa: S105 - a file name
_DEVELOPMENT_SECRET = "insecure-development-secret"  # noqa: S105 - refused unless DEBUG is on

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
WorkerThreads = Annotated[int, msgspec.Meta(ge=1, le=100)]


class ConfigurationError(Exception):
    """The configuration cannot be used; the text names the setting and the remedy."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of the gateway. The environment variable is the name in upper case."""

    database_url: str = ""
    """`postgresql://user:password@host:port/name` or `sqlite:///path`; default: SQLite in `data_dir`."""
    redis_url: str = "redis://127.0.0.1:6379/0"
    """Redis 7 or newer, or Valkey: newest values and the channel layer."""
    nats_url: str = "nats://127.0.0.1:4222"
    """NATS 2.12 or newer with JetStream; several servers of a cluster are separated by commas."""
    data_dir: Path = Path(".data")
    """Where `manage.py up` keeps its servers' files; relative to the project."""
    secret_key: str = ""
    """Signs sessions. Required unless DEBUG is on or `manage.py up` has made one."""
    debug: bool = False
    """Development only: Django's debug pages and an insecure default for SECRET_KEY."""
    allowed_hosts: list[str] = msgspec.field(default_factory=lambda: ["localhost", "127.0.0.1", "[::1]"])
    """Host names this gateway answers to."""
    cors_origins: list[str] = msgspec.field(default_factory=list)
    """Origins of browser pages that may call the API, e.g. `https://dashboard.example.com`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    anonymous_access: bool = True
    """Serve GET of predictions to callers without a credential."""
    symbol_pattern: str = r"^[A-Z]{1,5}$"
    """What a symbol looks like, as a regular expression over the whole symbol."""
    cache_max_age_s: Annotated[int, msgspec.Meta(ge=0)] = 60
    """`max-age` of answers that carry predictions."""
    stale_after_s: PositiveFloat = 300.0
    """A prediction older than this is marked `stale`."""
    newest_ttl_s: PositiveInt = 7 * 86_400
    """How long Redis keeps the newest value of a symbol that gets no update any more."""
    database_pool_size: WorkerThreads = 20
    """Connections to Postgres each process may hold."""
    worker_threads: WorkerThreads = 16
    """Threads that serve what needs Django, per process."""
    bridge_batch_size: PositiveInt = 500
    bridge_batch_ms: PositiveInt = 20
    bridge_ack_wait_s: PositiveFloat = 10.0
    """After this long without a sign of life the server gives a bridge's messages to another one."""

    @property
    def compiled_symbol_pattern(self) -> re.Pattern[str]:
        """The symbol pattern, ready for `fullmatch`."""
        return re.compile(self.symbol_pattern)


def load(base_dir: Path, environ: Mapping[str, str]) -> Config:
    """Return the validated configuration; raises `ConfigurationError`."""
    values, sources = _read_yaml(base_dir, environ)
    for field in msgspec.structs.fields(Config):
        name = field.name.upper()
        if name in environ:
            values[field.name] = _parse_variable(environ[name], field.type)
            sources[field.name] = f"environment variable {name}"
    data_dir = base_dir / str(values.get("data_dir", ".data"))
    values["data_dir"] = str(data_dir)
    for name, url in read_endpoints(data_dir).items():
        key = {"database": "database_url", "redis": "redis_url", "nats": "nats_url"}.get(name)
        if key and key not in values:
            values[key] = url
    values.setdefault("database_url", f"sqlite:///{data_dir / 'gateway.sqlite3'}")
    config = _convert(values, sources)
    return _with_secret(config)


def given_settings(base_dir: Path, environ: Mapping[str, str]) -> set[str]:
    """Names of the settings that the environment or ``gateway.yaml`` sets."""
    values, _ = _read_yaml(base_dir, environ)
    names = {field.name for field in msgspec.structs.fields(Config)}
    return values.keys() | {name for name in names if name.upper() in environ}


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
    except msgspec.MsgspecError:
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


def _read_yaml(base_dir: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    named = environ.get("GATEWAY_CONFIG")
    path = Path(named) if named else base_dir / "gateway.yaml"
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        if named:
            raise ConfigurationError(f"GATEWAY_CONFIG names {path}, which does not exist") from None
        return {}, {}
    try:
        values = msgspec.yaml.decode(text, type=dict[str, Any]) if text.strip() else {}
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path} is not a YAML mapping of settings: {error}") from None
    return values, dict.fromkeys(values, str(path))


def _parse_variable(text: str, wanted: Any) -> Any:
    """Environment variables are text: lists are comma separated, booleans also 1/0, yes/no, on/off."""
    if wanted is bool:
        word = text.strip().lower()
        return {"1": True, "yes": True, "on": True, "0": False, "no": False, "off": False}.get(word, word)
    if wanted == list[str]:
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _convert(values: dict[str, Any], sources: dict[str, str]) -> Config:
    try:
        config = msgspec.convert(values, Config, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$.")
        name = re.split(r"[`\[]", where)[0]
        if not name:  # an unknown field: the text itself names it
            raise ConfigurationError(f"{reason}; the settings are in docs/SETTINGS.md") from None
        shown = "" if "secret" in name or "url" in name else f" = {values.get(name)!r}"
        source = sources.get(name, "default")
        raise ConfigurationError(f"{name.upper()}{shown} ({source}): {reason}") from None
    _check_urls(config)
    try:
        re.compile(config.symbol_pattern)
    except re.error as error:
        raise ConfigurationError(
            f"SYMBOL_PATTERN = {config.symbol_pattern!r} is no regular expression: {error}"
        ) from None
    return config


def _check_urls(config: Config) -> None:
    for name, schemes in (
        ("database_url", ("postgresql://", "postgres://", "sqlite:///")),
        ("redis_url", ("redis://", "rediss://", "unix://")),
        ("nats_url", ("nats://", "tls://", "ws://", "wss://")),
    ):
        if not getattr(config, name).startswith(schemes):
            raise ConfigurationError(f"{name.upper()} must start with one of {', '.join(schemes)}")


def _with_secret(config: Config) -> Config:
    if config.secret_key:
        return config
    path = config.data_dir / SECRET_KEY_FILE
    if path.exists():
        return msgspec.structs.replace(config, secret_key=path.read_text().strip())
    if config.debug:
        return msgspec.structs.replace(config, secret_key=_DEVELOPMENT_SECRET)
    raise ConfigurationError(
        "SECRET_KEY is not set. Set it to 50 or more random characters (for instance "
        '`python3 -c "import secrets; print(secrets.token_urlsafe(50))"`), start the embedded stack '
        "once with `make run`, or set DEBUG=true for development."
    )


def load_from_process(base_dir: Path) -> Config:
    """The configuration of this process, from its own environment."""
    return load(base_dir, os.environ)
