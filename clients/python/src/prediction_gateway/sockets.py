"""How the stream's WebSocket is opened, in both shells, and how the ways in which it ends are read."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime
from typing import Any, TypedDict

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from prediction_gateway import problems
from prediction_gateway.errors import ConnectionFailedError
from prediction_gateway.settings import USER_AGENT, Settings

BROKEN = (OSError, InvalidHandshake, ConnectionClosed)
"""What a connection ends with; a TimeoutError is an OSError."""
NO_CLOSE_CODE = 1006
NO_WELCOME = "no welcome in time"
"""Why a connection is left that opens, answers pings and says nothing: its pings alone would keep it up."""


class _WithoutCredential(logging.Filter):
    """At the level DEBUG the library logs the headers of the handshake, and the key is one of them."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and record.args and str(record.args[0]).lower() == "authorization":
            record.args = (record.args[0], "…")
        return True


logger = logging.getLogger("prediction_gateway.socket")
logger.addFilter(_WithoutCredential())


class Options(TypedDict):
    """The arguments of `connect` that both shells pass."""

    additional_headers: dict[str, str]
    user_agent_header: str
    compression: None
    open_timeout: float
    ping_interval: float
    ping_timeout: float
    close_timeout: float
    max_size: int
    max_queue: int
    logger: Any


def options(settings: Settings) -> Options:
    """Dead after 30 s without an answer to a ping; of a slow consumer 16 frames wait here, the rest there."""
    return {
        "additional_headers": settings.socket_headers,
        "user_agent_header": USER_AGENT,
        "compression": None,
        "open_timeout": settings.timeout_s,
        "ping_interval": 15,
        "ping_timeout": 15,
        "close_timeout": 2,
        "max_size": 4 * 1024 * 1024,
        "max_queue": 16,
        "logger": logger,
    }


def read_end(error: Exception, *, was_connected: bool) -> tuple[int | None, str]:
    """Close code and reason of a connection that ended with one of `BROKEN`; no code: it did not come about.

    Raises what speaks against the address that the client was given, as long as it never worked: `ApiError`
    for an answer such as 404 to the handshake, `ConnectionFailedError` for a certificate that is not
    trusted.
    """
    if isinstance(error, ConnectionClosed):
        end = error.rcvd or error.sent
        return (end.code, end.reason) if end else (NO_CLOSE_CODE, "the connection broke")
    if not was_connected:
        _raise_if_final(error)
    return None, str(error) or type(error).__name__


def _raise_if_final(error: Exception) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        raise ConnectionFailedError(f"the certificate is not trusted: {error.verify_message}") from error
    if isinstance(error, InvalidStatus):
        answer = error.response
        if 300 <= answer.status_code < 500 and answer.status_code not in (408, 429):
            headers = {name.lower(): value for name, value in answer.headers.raw_items()}
            body = bytes(answer.body or b"")
            refused = problems.make_error(answer.status_code, headers, body, now=datetime.now(UTC))
            refused.add_note("so was the handshake of the stream answered: is the URL that of a gateway?")
            raise refused from error
