"""What must hold of settings beyond their kinds, and how what does not is told: setting, value, remedy."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from accounts import keys
from gateway_project.config_fields import KINDS, Config
from gateway_project.config_kinds import is_secret

_SCHEMES = {
    "database_url": ("postgresql://", "postgres://", "sqlite:///"),
    "redis_url": ("redis://", "rediss://", "unix://"),
    "nats_url": ("nats://", "tls://", "ws://", "wss://"),
    "otel_exporter_otlp_endpoint": ("http://", "https://"),
}
_OPTIONAL = frozenset({"otel_exporter_otlp_endpoint"})

_VARIABLES = {name.upper() for name in KINDS}
# They begin like ours: one names the file of settings, the other what is built into an image.
_OTHER_VARIABLES = {"GATEWAY_CONFIG", "GATEWAY_COMMIT"}
_PREFIX = "GATEWAY_"
_AFTER_PREFIX = {
    name.removeprefix(_PREFIX) for name in _VARIABLES | _OTHER_VARIABLES if name.startswith(_PREFIX)
}


class ConfigurationError(Exception):
    """The configuration cannot be used; the text names the setting and the remedy."""


class Source(NamedTuple):
    """Where a value comes from, in words.

    `written` is what stands there instead of it, if it refers to variables: those may be of another program,
    or a secret that was put into the wrong place, so what they hold is not repeated.
    """

    told: str
    written: str | None = None


Sources = Mapping[str, Source]
_DEFAULT = Source("default")


def wrong(name: str, value: Any, sources: Sources, reason: str, *, quoting: str = "") -> ConfigurationError:
    """The error of one setting; secrets and URLs, which may hold some, are not repeated.

    Neither is what a reference stands for. `quoting` is what a library says of the value: it may repeat it.
    """
    source = sources.get(name, _DEFAULT)
    is_shown = not is_secret(KINDS[name]) and source.written is None
    shown = f" = {value!r}" if is_shown else f" = {source.written}" if source.written else ""
    because = f": {quoting}" if quoting and is_shown else ""
    return ConfigurationError(f"{name.upper()}{shown} ({source.told}): {reason}{because}")


def check_names(values: Iterable[str], sources: Sources) -> None:
    """Refuse keys of a file that are no settings, all of them at once."""
    unknown = sorted(set(values) - KINDS.keys())
    if unknown:
        told = [f"{name} ({sources[name].told}) is no setting{_near(name)}" for name in unknown]
        raise ConfigurationError(f"{'; '.join(told)}; docs/SETTINGS.md lists them")


def _near(name: str) -> str:
    found = difflib.get_close_matches(name.lower().replace("-", "_"), KINDS, n=1)
    return f", did you mean {found[0]}?" if found else ""


def check_variables(environ: Iterable[str]) -> None:
    """Refuse variables that can be meant for this gateway alone and are no settings.

    That is a setting with ``GATEWAY_`` before it, or one of those that begin so, misspelt. Others with that
    beginning are let be: Kubernetes makes some for a Service of that name.
    """
    given = {name.removeprefix(_PREFIX) for name in environ if name.startswith(_PREFIX)}
    for rest in sorted(given - _AFTER_PREFIX):
        near = difflib.get_close_matches(rest, _AFTER_PREFIX - given, 1, 0.75)
        meant = rest if rest in _VARIABLES else _PREFIX + near[0] if near else ""
        if meant:
            name = _PREFIX + rest
            raise ConfigurationError(f"{name} (environment variable) is no setting; its name is {meant}")


def find_misspelt(environ: Iterable[str]) -> dict[str, str]:
    """Variables that look like a setting that is not given, and that setting.

    They may be another program's, so they are for telling, not for refusing. OpenTelemetry reads its own.
    """
    given = set(environ)
    missing = sorted(_VARIABLES - given)
    found: dict[str, str] = {}
    for name in sorted(given - _VARIABLES - _OTHER_VARIABLES):
        near = difflib.get_close_matches(name, missing, 1, 0.87)
        if near and not name.startswith("OTEL_"):
            found[name] = near[0]
    return found


def check(config: Config, sources: Sources) -> None:
    """Raise `ConfigurationError` for the first value that cannot be used."""
    _check_numbers(config, sources)
    _check_urls(config, sources)
    _check_networks(config, sources)
    _check_https(config, sources)
    _check_jwt_keys(config, sources)
    _check_symbol_pattern(config, sources)
    _check_dashboard_key(config, sources)


def _check_dashboard_key(config: Config, sources: Sources) -> None:
    if not config.dashboard_key:
        return
    try:
        keys.parse_key(config.dashboard_key)
    except keys.MalformedKey as error:
        reason = f"is no key: {error}; `manage.py dashboard_key` makes one"
        raise wrong("dashboard_key", "", sources, reason) from None


def _check_symbol_pattern(config: Config, sources: Sources) -> None:
    try:
        re.compile(config.symbol_pattern)
    except RecursionError:
        reason = "is no regular expression: it is nested too deep"
        raise wrong("symbol_pattern", config.symbol_pattern, sources, reason) from None
    except (re.error, OverflowError) as error:
        reason = "is no regular expression"
        raise wrong("symbol_pattern", config.symbol_pattern, sources, reason, quoting=str(error)) from None


def _check_numbers(config: Config, sources: Sources) -> None:
    for name in KINDS:
        value = getattr(config, name)
        if isinstance(value, float) and not math.isfinite(value):
            raise wrong(name, value, sources, "must be a number with an end")


def _check_urls(config: Config, sources: Sources) -> None:
    for name, schemes in _SCHEMES.items():
        url: str = getattr(config, name)
        if not url and name in _OPTIONAL:
            continue
        parts = url.split(",") if name == "nats_url" else [url]
        for part in parts:
            if not part.strip().startswith(schemes):
                reason = f"must start with one of {', '.join(schemes)}"
                raise wrong(name, url, sources, reason)
            try:
                _ = urlsplit(part.strip()).port
            except ValueError:
                reason = (
                    "is no URL of the form scheme://user:password@host:port/name; "
                    "in the password, write / ? # @ : as %2F %3F %23 %40 %3A"
                )
                raise wrong(name, url, sources, reason) from None


def _check_networks(config: Config, sources: Sources) -> None:
    for name in ("trusted_proxies", "metrics_networks"):
        networks: list[str] = getattr(config, name)
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                reason = "write networks as 10.0.0.0/8 or fd00::/8"
                raise wrong(name, networks, sources, reason, quoting=str(error)) from None


def _check_https(config: Config, sources: Sources) -> None:
    for origin in config.cors_origins:
        schemes = "https" if config.is_production else "https?"
        if not re.fullmatch(rf"{schemes}://[^/?#\s@,*]+", origin):
            shown = "https://dashboard.example.com"
            reason = f"each must be scheme://host or scheme://host:port, such as {shown}"
            if config.is_production:
                reason += "; http:// is for SECURITY_PRESET=development alone"
            raise wrong("cors_origins", config.cors_origins, sources, reason)
    if config.forwarded_proto and not config.trusted_proxies:
        reason = "needs TRUSTED_PROXIES: only what they say is believed"
        raise wrong("forwarded_proto", config.forwarded_proto, sources, reason)
    if bool(config.tls_certificate) != bool(config.tls_key):
        missing = "tls_key" if config.tls_certificate else "tls_certificate"
        raise wrong(missing, "", sources, "TLS_CERTIFICATE and TLS_KEY go together: set both or neither")


def _check_jwt_keys(config: Config, sources: Sources) -> None:
    seen = set()
    for entry in config.jwt_keys:
        kid, _, secret = entry.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", kid) or len(secret) < 32 or kid in seen:
            reason = "each must be kid:secret, the kid once, the secret 32 characters or more"
            raise wrong("jwt_keys", "", sources, reason)
        seen.add(kid)
