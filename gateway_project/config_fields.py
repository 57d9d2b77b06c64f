"""Every setting of the gateway with its kind, its default and its meaning, in one place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gateway_project.config_kinds import (
    DottedPath,
    FilePath,
    Networks,
    PositiveFloat,
    PositiveInt,
    PublicKey,
    RegularExpression,
    Secret,
    Secrets,
    Url,
    Urls,
    WorkerThreads,
)

_DEVELOPMENT_ENVIRONMENTS = ("demo", "development")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of the gateway. The environment variable is the name in upper case.

    `manage.py settings_page` makes the documents from here: a comment that begins with three dashes heads a
    group; the text below a field is its meaning, of which the first sentence stands in the example files; the
    brackets at its end name the processes that read it.
    """

    # --- Servers
    database_url: Url = ""
    """`postgresql://user:password@host:port/name` or `sqlite:///path`. Default: SQLite in DATA_DIR.
    [web, ws, bridge]"""
    database_pool_size: WorkerThreads = 20
    """Connections to Postgres each process may hold. [web, ws, bridge]"""
    database_prepares: bool = True
    """Postgres prepares statements that recur. Off behind a pooler that changes the connection between
    transactions. [web, ws, bridge]"""
    slow_query_ms: PositiveInt = 200
    """Statements that take longer are logged, without their values. [web, ws, bridge]"""
    redis_url: Url = "redis://127.0.0.1:6379/0"
    """Redis 7 or newer, or Valkey: newest values, limits, the channel layer. [web, ws, bridge]"""
    newest_ttl_s: PositiveInt = 7 * 86_400
    """How long Redis keeps the newest value of a symbol that gets no update any more. [web, bridge]"""
    nats_url: Urls = "nats://127.0.0.1:4222"
    """NATS 2.12 or newer with JetStream; members of a cluster are separated by commas. [every]"""
    data_dir: Path = Path(".data")
    """Where `manage.py up` keeps its files, and other commands find them; relative to the project. The bridge
    tells Prometheus how full its disk is. [every]"""

    # --- The process
    gateway_role: Literal["all", "web", "ws"] = "all"
    """What `manage.py serve` answers unless `--role` says so: everything, HTTP only (`web`), or WebSockets
    and probes only (`ws`). [web, ws]"""
    environment: str = "production"
    """What stands at the top of every page of the admin. `manage.py up` says `demo`. [web]"""
    debug: bool = False
    """Development only: Django's debug pages and an insecure default for SECRET_KEY. [every]"""
    worker_threads: WorkerThreads = 16
    """Threads that serve what needs Django, per process. [web, ws]"""
    hot_reads: bool = True
    """The reads that make up nearly all traffic are answered before Django. [web]"""

    # --- Hosts, browsers, https
    allowed_hosts: list[str] = msgspec.field(default_factory=lambda: ["localhost", "127.0.0.1", "[::1]"])
    """Host names this gateway answers to. [web, ws]"""
    cors_origins: list[str] = msgspec.field(default_factory=list)
    """Origins of browser pages that may call, also over the WebSocket, as `https://dashboard.example.com`.
    In production `https://` alone. [web, ws]"""
    trusted_proxies: Networks = msgspec.field(default_factory=list)
    """Networks (CIDR) of the proxies in front; only their X-Forwarded-For is believed. [web, ws]"""
    forwarded_proto: bool = False
    """Believe the X-Forwarded-Proto of TRUSTED_PROXIES, all of which must set it themselves. [web, ws]"""
    https_redirect: bool = False
    """Send a browser that asks for a page over plain http to https; the API is never redirected. [web]"""
    hsts_s: Annotated[int, msgspec.Meta(ge=0)] = 31_536_000
    """How long browsers are to come over https alone; 0: they are not told. Told in production over https.
    [web]"""
    hsts_subdomains: bool = True
    """That holds for all subdomains as well, and for the lists that browsers come with (`preload`). [web]"""
    security_preset: Literal["auto", "production", "development"] = "auto"
    """What browsers are told. `auto`: `development` with DEBUG, or where ENVIRONMENT is `demo` or
    `development`; else `production`. What differs is below. [web, ws]"""
    tls_certificate: FilePath = ""
    """PEM file with the certificate and those that vouch for it: `manage.py serve` speaks TLS 1.2 and 1.3.
    [web, ws]"""
    tls_key: FilePath = ""
    """PEM file with its private key, not encrypted. [web, ws]"""

    # --- Callers
    secret_key: Secret = ""
    """Signs sessions; required, unless DEBUG is on or `manage.py up` has made one. Give 50 or more random
    characters, the same to all processes of web and ws. [every]"""
    anonymous_access: bool = True
    """Serve GET of predictions to callers without a credential. [web, ws]"""
    batch_costs_per_symbol: bool = False
    """A batch of n symbols takes n from the limits instead of 1. [web]"""
    credential_grace_s: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """While the database does not answer, keys that were good this long ago are still let in. [web, ws]"""
    open_registration: bool = False
    """Let strangers register an account and a first key, on the tier `free`. [web]"""
    login_attempts_per_minute: PositiveInt = 10
    """Tries at a login per user name, and ten times as many per address. [web]"""
    access_token_s: Annotated[int, msgspec.Meta(ge=30, le=3600)] = 600
    """How long an access token is good. [web]"""
    refresh_token_s: Annotated[int, msgspec.Meta(ge=60)] = 30 * 86_400
    """How long a login lasts, counted from the password. [web]"""
    jwt_keys: Secrets = msgspec.field(default_factory=list)
    """`kid:secret` pairs, secrets of 32 or more characters; the first signs, all verify. Default: one derived
    from SECRET_KEY. [web, ws]"""
    jwt_issuer: str = "prediction-gateway"
    """The `iss` of access tokens. [web, ws]"""
    jwt_audience: str = "prediction-gateway-api"
    """The `aud` of access tokens. [web, ws]"""
    usage_flush_s: PositiveFloat = 5.0
    """How often counted calls are written; a killed process loses at most this much. [web, ws]"""
    usage_retention_days: PositiveInt = 90
    """How long usage and refused credentials are kept. [web, ws]"""

    # --- Predictions
    symbol_pattern: RegularExpression = r"^[A-Z]{1,5}$"
    """What a symbol looks like, as a regular expression over the whole symbol. [web, ws, bridge]"""
    cache_max_age_s: Annotated[int, msgspec.Meta(ge=0)] = 60
    """`max-age` of answers that carry predictions. [web]"""
    stale_after_s: PositiveFloat = 300.0
    """A prediction older than this is marked `stale`. [web]"""

    # --- The dashboard
    dashboard_key: PublicKey = ""
    """The key that the dashboard at `/` calls with; `manage.py dashboard_key` makes it. It is no secret:
    everybody who can open the page can read it. A key that can do more than read, stream and order
    explanations is not shown. Without one the page asks for a key. `manage.py up` makes one by itself.
    [web]"""

    # --- Sockets
    recent_updates: Annotated[int, msgspec.Meta(ge=1_000, le=1_000_000)] = 20_000
    """Updates that each process remembers for sockets that come back; about 700 bytes each. [web, ws]"""
    sockets_per_process: PositiveInt = 20_000
    """WebSockets that one process holds, at most; more are told to come back. [ws]"""

    # --- The bridge
    bridge_batch_size: Annotated[int, msgspec.Meta(ge=1, le=2_000)] = 500
    """Messages in a batch, at most. [bridge]"""
    bridge_batch_ms: PositiveInt = 20
    """How long the bridge collects a batch. [bridge]"""
    bridge_ack_wait_s: PositiveFloat = 10.0
    """After this long without a sign of life the server gives a bridge's messages to another one. [bridge]"""

    # --- Explanations
    explanations_in_flight: PositiveInt = 100
    """Jobs that an account may have ordered and not seen ended. [web]"""
    explainer: DottedPath = "pipeline.explainer.ReferenceExplainer"
    """The class that explains; `explanations/explainer.py` has its interface. [worker]"""
    explainer_memory_mb: Annotated[int, msgspec.Meta(ge=256)] = 2048
    """Address space of a process that explains; what goes beyond fails its order. [worker]"""
    explain_timeout_s: PositiveFloat = 60.0
    """An explainer that takes longer than this is killed, and its order tried again. [worker]"""
    explain_tries: PositiveInt = 3
    """How often an order is given to an explainer that fails; then it has failed for good. [worker]"""
    explain_ack_wait_s: PositiveFloat = 10.0
    """After this long without a sign of life the server gives a worker's orders to another one. [worker]"""

    # --- Watching it
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least that is logged. [every]"""
    log_format: Literal["auto", "json", "pretty"] = "auto"
    """`json`: one object a line; `pretty`: lines for people; `auto`: `pretty` where stderr is a terminal.
    [every]"""
    access_log: bool = True
    """A line for each answered request and each ended WebSocket, at INFO. [web, ws]"""
    otel_exporter_otlp_endpoint: Url = ""
    """An OpenTelemetry collector that takes traces over HTTP, such as `http://127.0.0.1:4318`; without one
    nothing is traced. [every]"""
    otel_traces_sampler_arg: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """The share of traces that is recorded, decided where they come in. [every]"""
    metrics_networks: Networks = msgspec.field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])
    """Networks (CIDR) from which `/metrics` is read without a key of the scope `metrics:read`. [web, ws]"""
    ops_host: str = "127.0.0.1"
    """Where bridge and worker answer probes and Prometheus; in a container, `0.0.0.0`. [bridge, worker]"""
    ops_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """The port for that; 0: nowhere. [bridge, worker]"""

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


KINDS = {field.name: field.type for field in msgspec.structs.fields(Config)}
"""The kind of each setting, in the order of the documents."""
