"""What a client is told when it is made: address, key, patience. Values are checked here, once. No I/O."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from prediction_gateway.version import __version__

DEFAULT_URL = "http://127.0.0.1:8000"
USER_AGENT = f"prediction-gateway-client/{__version__} python/{platform.python_version()}"


@dataclass(frozen=True)
class Settings:
    """Where the gateway is, and how long to try. The key is in no repr.

    `timeout_s` holds for each attempt; `retries` are attempts after the first one; a wait before one of
    longer than `max_wait_s` seconds is not waited. `cache_size` answers are kept for conditional reads.
    """

    url: str
    api_key: str | None = field(repr=False)
    timeout_s: float = 10.0
    retries: int = 3
    max_wait_s: float = 60.0
    cache_size: int = 256

    def __post_init__(self) -> None:
        _check_url(self.url)
        _check_key(self.api_key)
        if self.timeout_s <= 0:
            raise ValueError("timeout_s must be more than 0")
        if min(self.retries, self.max_wait_s, self.cache_size) < 0:
            raise ValueError("retries, max_wait_s and cache_size must not be negative")

    def check_stream(self) -> None:
        """Raise ValueError where no stream can be opened: nobody has one without a credential."""
        if self.api_key is None:
            raise ValueError("a stream needs an API key: set PGW_API_KEY, or give one (pgw: --key-file)")

    @property
    def headers(self) -> dict[str, str]:
        """What every request says."""
        told = {"User-Agent": USER_AGENT}
        return told | {"X-API-Key": self.api_key} if self.api_key else told

    @property
    def socket_headers(self) -> dict[str, str]:
        """What every handshake says: the header that the library takes away when it is sent elsewhere."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def socket_url(self) -> str:
        """Where predictions are streamed; without the key, which never stands in a URL."""
        return f"ws{self.url.removeprefix('http')}/ws/predictions"


def make_settings(
    url: str | None,
    api_key: str | None,
    *,
    timeout_s: float,
    retries: int,
    max_wait_s: float,
    cache_size: int,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings with what is not given taken from ``PGW_URL`` and ``PGW_API_KEY``. Raises ValueError."""
    return Settings(
        (url or environ.get("PGW_URL") or DEFAULT_URL).rstrip("/"),
        (api_key if api_key is not None else environ.get("PGW_API_KEY")) or None,
        timeout_s=timeout_s,
        retries=retries,
        max_wait_s=max_wait_s,
        cache_size=cache_size,
    )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    # What such a URL holds may be a secret, so the message does not repeat it.
    if not is_good or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "the URL of the gateway must be http(s)://host[:port][/path], without credentials or query"
        )


def _check_key(api_key: str | None) -> None:
    # Libraries would put a header that is not fit to be sent into the text of their error.
    if api_key is not None and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise ValueError(
            "the API key has characters that no key has: is there a line break or a space in it?"
        )
