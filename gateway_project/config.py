"""The typed configuration: ``gateway.yaml`` overlaid by the environment, validated once at start.

A value is taken from the first place that has it: environment variable, ``gateway.yaml`` (or the file that
``GATEWAY_CONFIG`` names), the running `manage.py up` stack (``.data/endpoints.json``), the default.
What is wrong is told with the setting, its source, and what would be right.
Longer than most modules: every setting with its meaning stands in one place.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import quote, urlsplit

import msgspec

LOCK_FILE = "up.lock"
ENDPOINTS_FILE = "endpoints.json"
SECRET_KEY_FILE = "secret_key"  # noqa: S105 - a file name
_DEVELOPMENT_SECRET = "insecure-development-secret"  # noqa: S105 - refused unless DEBUG is on

_DEVELOPMENT_ENVIRONMENTS = ("demo", "development")

_SCHEMES = {
    "database_url": ("postgresql://", "postgres://", "sqlite:///"),
    "redis_url": ("redis://", "rediss://", "unix://"),
    "nats_url": ("nats://", "tls://", "ws://", "wss://"),
    "otel_exporter_otlp_endpoint": ("http://", "https://"),
}
_OPTIONAL = frozenset({"otel_exporter_otlp_endpoint"})

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
WorkerThreads = Annotated[int, msgspec.Meta(ge=1, le=100)]
DottedPath = Annotated[str, msgspec.Meta(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)+$")]


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
    environment: str = "production"
    """What stands at the top of every page of the admin; everything but `production` is shown calmly."""
    security_preset: Literal["auto", "production", "development"] = "auto"
    """What browsers are told: `auto` is `development` with DEBUG, or where ENVIRONMENT is `demo` or
    `development`, else `production`."""
    hsts_s: Annotated[int, msgspec.Meta(ge=0)] = 31_536_000
    """How long browsers are to come over https alone; told in production over https. 0: not told."""
    hsts_subdomains: bool = True
    """Whether that holds for all subdomains as well, and for the lists that browsers come with (preload)."""
    https_redirect: bool = False
    """Send a browser that asks for a page over plain http to https; the API is never redirected."""
    forwarded_proto: bool = False
    """Believe the X-Forwarded-Proto of TRUSTED_PROXIES, all of which must set it themselves."""
    tls_certificate: str = ""
    """A PEM file with the certificate and those that vouch for it: `manage.py serve` speaks TLS."""
    tls_key: str = ""
    """The PEM file with its private key, not encrypted."""
    allowed_hosts: list[str] = msgspec.field(default_factory=lambda: ["localhost", "127.0.0.1", "[::1]"])
    """Host names this gateway answers to."""
    cors_origins: list[str] = msgspec.field(default_factory=list)
    """Origins of browser pages that may call the API, e.g. `https://dashboard.example.com`."""
    gateway_role: Literal["all", "web", "ws"] = "all"
    """What `manage.py serve` answers: everything, only HTTP, or only WebSockets and probes."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "pretty"] = "auto"
    """One JSON object a line, or lines for people; `auto`: those where stderr is a terminal."""
    access_log: bool = True
    """Write a line for each answered request and each ended WebSocket, at INFO."""
    otel_exporter_otlp_endpoint: str = ""
    """Where an OpenTelemetry collector takes traces over HTTP, such as `http://127.0.0.1:4318`."""
    otel_traces_sampler_arg: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """The share of traces that is recorded, decided where they come in."""
    anonymous_access: bool = True
    """Serve GET of predictions to callers without a credential."""
    trusted_proxies: list[str] = msgspec.field(default_factory=list)
    """Networks of the proxies in front, as CIDR; only their X-Forwarded-For is believed."""
    batch_costs_per_symbol: bool = False
    """A batch of n symbols takes n from the quota instead of 1."""
    credential_grace_s: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """While the database is away, keys that were good this long ago are still let in."""
    open_registration: bool = False
    """Let strangers register an account and a first key, on the tier `free`."""
    login_attempts_per_minute: PositiveInt = 10
    """Tries at a login per user name, and ten times as many per address."""
    access_token_s: Annotated[int, msgspec.Meta(ge=30, le=3600)] = 600
    """How long an access token is good."""
    refresh_token_s: Annotated[int, msgspec.Meta(ge=60)] = 30 * 86_400
    """How long a login lasts, counted from the password."""
    jwt_keys: list[str] = msgspec.field(default_factory=list)
    """`kid:secret` of 32 or more characters, the signing one first; default: one from SECRET_KEY."""
    jwt_issuer: str = "prediction-gateway"
    """The `iss` of access tokens."""
    jwt_audience: str = "prediction-gateway-api"
    """The `aud` of access tokens."""
    usage_flush_s: PositiveFloat = 5.0
    """How often counted calls are written; a killed process loses at most this much."""
    usage_retention_days: PositiveInt = 90
    """How long usage and refused credentials are kept."""
    symbol_pattern: str = r"^[A-Z]{1,5}$"
    """What a symbol looks like, as a regular expression over the whole symbol."""
    cache_max_age_s: Annotated[int, msgspec.Meta(ge=0)] = 60
    """`max-age` of answers that carry predictions."""
    stale_after_s: PositiveFloat = 300.0
    """A prediction older than this is marked `stale`."""
    newest_ttl_s: PositiveInt = 7 * 86_400
    """How long Redis keeps the newest value of a symbol that gets no update any more."""
    ops_host: str = "127.0.0.1"
    """Where bridge and worker answer probes and Prometheus; in a container, `0.0.0.0`."""
    ops_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """The port for that; 0: nowhere."""
    metrics_networks: list[str] = msgspec.field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])
    """Networks (CIDR) from which `/metrics` is read without a key of the scope `metrics:read`."""
    database_pool_size: WorkerThreads = 20
    """Connections to Postgres each process may hold."""
    database_prepares: bool = True
    """Prepare statements that recur; off behind a pooler that changes the connection between transactions."""
    slow_query_ms: PositiveInt = 200
    """Statements that take longer are logged, without their values."""
    worker_threads: WorkerThreads = 16
    """Threads that serve what needs Django, per process."""
    hot_reads: bool = True
    """Whether the reads that make up nearly all traffic are answered before Django."""
    bridge_batch_size: Annotated[int, msgspec.Meta(ge=1, le=2_000)] = 500
    """Messages in a batch, at most."""
    bridge_batch_ms: PositiveInt = 20
    """How long the bridge collects a batch, in milliseconds."""
    bridge_ack_wait_s: PositiveFloat = 10.0
    """After this long without a sign of life the server gives a bridge's messages to another one."""
    explainer: DottedPath = "pipeline.explainer.ReferenceExplainer"
    """Dotted path of the class that explains; `explanations/explainer.py` has its interface."""
    explain_timeout_s: PositiveFloat = 60.0
    """An explainer that takes longer than this is killed, and its order tried again."""
    explain_tries: PositiveInt = 3
    """How often an order is given to an explainer that fails; then it has failed for good."""
    explain_ack_wait_s: PositiveFloat = 10.0
    """After this long without a sign of life the server gives a worker's orders to another one."""
    explainer_memory_mb: Annotated[int, msgspec.Meta(ge=256)] = 2048
    """Address space of a process that explains, in MiB; what goes beyond fails its order."""

    recent_updates: Annotated[int, msgspec.Meta(ge=1_000, le=1_000_000)] = 20_000
    """Updates that each server process remembers for sockets that come back; about 700 bytes each."""
    sockets_per_process: PositiveInt = 20_000
    """WebSockets that one server process holds, at most; more are told to come back."""
    explanations_in_flight: PositiveInt = 100
    """Jobs that an account may have ordered and not seen ended."""

    @property
    def is_production(self) -> bool:
        """Whether browsers are told all that is for https."""
        if self.security_preset == "auto":
            return not self.debug and self.environment not in _DEVELOPMENT_ENVIRONMENTS
        return self.security_preset == "production"

    @property
    def writes_access_log(self) -> bool:
        """Whether answered requests and ended WebSockets have their lines: at INFO and below."""
        return self.access_log and self.log_level in ("DEBUG", "INFO")

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
        sources["data_dir"] = "environment variable DATA_DIR"
    return _data_dir(base_dir, values, sources)


def _data_dir(base_dir: Path, values: dict[str, Any], sources: dict[str, str]) -> Path:
    chosen = values.get("data_dir", ".data")
    if not isinstance(chosen, str) or not chosen:
        raise _wrong("data_dir", chosen, sources, "must be the path of a folder")
    return base_dir / chosen


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


def _read_yaml(base_dir: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
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
    for name in values.keys() - {field.name for field in msgspec.structs.fields(Config)}:
        raise ConfigurationError(f"{name} ({sources[name]}) is no setting; docs/SETTINGS.md lists them")
    try:
        config = msgspec.convert(values, Config, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$.")
        name = re.split(r"[`\[]", where)[0]
        raise _wrong(name, values.get(name), sources, _explain(name, reason)) from None
    _check_urls(config, sources)
    _check_networks(config, sources)
    _check_https(config, sources)
    _check_jwt_keys(config, sources)
    try:
        re.compile(config.symbol_pattern)
    except (re.error, OverflowError, RecursionError) as error:
        reason = f"is no regular expression: {error}"
        raise _wrong("symbol_pattern", config.symbol_pattern, sources, reason) from None
    return config


def _wrong(name: str, value: Any, sources: dict[str, str], reason: str) -> ConfigurationError:
    """The error of one setting; secrets and URLs, which may hold some, are not repeated."""
    shown = "" if "secret" in name or "url" in name or "jwt" in name else f" = {value!r}"
    return ConfigurationError(f"{name.upper()}{shown} ({sources.get(name, 'default')}): {reason}")


def _explain(name: str, reason: str) -> str:
    """`reason`, with the allowed values where it leaves them out."""
    kind = next(field.type for field in msgspec.structs.fields(Config) if field.name == name)
    if "enum" in reason:
        return f"must be one of {', '.join(get_args(kind))}"
    return reason


def _check_urls(config: Config, sources: dict[str, str]) -> None:
    for name, schemes in _SCHEMES.items():
        url: str = getattr(config, name)
        if not url and name in _OPTIONAL:
            continue
        parts = url.split(",") if name == "nats_url" else [url]
        for part in parts:
            if not part.strip().startswith(schemes):
                reason = f"must start with one of {', '.join(schemes)}"
                raise _wrong(name, url, sources, reason)
            try:
                _ = urlsplit(part.strip()).port
            except ValueError:
                reason = (
                    "is no URL of the form scheme://user:password@host:port/name; "
                    "in the password, write / ? # @ : as %2F %3F %23 %40 %3A"
                )
                raise _wrong(name, url, sources, reason) from None


def _check_networks(config: Config, sources: dict[str, str]) -> None:
    for name in ("trusted_proxies", "metrics_networks"):
        networks: list[str] = getattr(config, name)
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                reason = f"{error}; write networks as 10.0.0.0/8 or fd00::/8"
                raise _wrong(name, networks, sources, reason) from None


def _check_https(config: Config, sources: dict[str, str]) -> None:
    for origin in config.cors_origins:
        schemes = "https" if config.is_production else "https?"
        if not re.fullmatch(rf"{schemes}://[^/?#\s@,*]+", origin):
            shown = "https://dashboard.example.com"
            reason = f"each must be scheme://host or scheme://host:port, such as {shown}"
            if config.is_production:
                reason += "; http:// is for SECURITY_PRESET=development alone"
            raise _wrong("cors_origins", config.cors_origins, sources, reason)
    if config.forwarded_proto and not config.trusted_proxies:
        reason = "needs TRUSTED_PROXIES: only what they say is believed"
        raise _wrong("forwarded_proto", config.forwarded_proto, sources, reason)
    if bool(config.tls_certificate) != bool(config.tls_key):
        missing = "tls_key" if config.tls_certificate else "tls_certificate"
        raise _wrong(missing, "", sources, "TLS_CERTIFICATE and TLS_KEY go together: set both or neither")


def _check_jwt_keys(config: Config, sources: dict[str, str]) -> None:
    seen = set()
    for entry in config.jwt_keys:
        kid, _, secret = entry.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", kid) or len(secret) < 32 or kid in seen:
            reason = "each must be kid:secret, the kid once, the secret 32 characters or more"
            raise _wrong("jwt_keys", "", sources, reason)
        seen.add(kid)


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
