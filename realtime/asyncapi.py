"""The protocol for machines, an AsyncAPI 3.0 document, and for people, the tables of codes. Pure.

What is said of a message is its docstring, and its form comes from its type; here is only what goes together,
and an example of each message. `manage.py asyncapi` writes both.
"""

from __future__ import annotations

import inspect
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast, get_args

import msgspec

from realtime import markdown
from realtime.protocol import limits, messages, requests
from realtime.protocol.codes import CLOSES, ERRORS, Code, Rejected, Warned

Example = requests.Request | messages.Message
Kind = type[msgspec.Struct]

REQUESTS: tuple[Kind, ...] = get_args(requests.Request)
MESSAGES: tuple[Kind, ...] = get_args(messages.Message)

REPLIES: dict[Kind, tuple[Kind, ...]] = {
    requests.Auth: (messages.Welcome, messages.Authenticated, messages.Error),
    requests.Subscribe: (messages.Subscribed, messages.Error),
    requests.Unsubscribe: (messages.Unsubscribed, messages.Error),
    requests.Watch: (
        messages.ExplanationProgress,
        messages.ExplanationCompleted,
        messages.ExplanationFailed,
        messages.Error,
    ),
    requests.Ping: (messages.Pong, messages.Error),
}
"""What answers a request."""

UNASKED: dict[str, tuple[str, tuple[Kind, ...]]] = {
    "greet": ("The handshake had a good credential.", (messages.Welcome,)),
    "update": ("What a subscription brings.", (messages.PredictionUpdate, messages.Batch, messages.Gap)),
    "explain": (
        "What a watch, or a subscription with `explanations`, brings.",
        (messages.ExplanationProgress, messages.ExplanationCompleted, messages.ExplanationFailed),
    ),
    "warn": ("Something to know; the connection stays.", (messages.Warning,)),
    "refuse": ("Why the connection is closed, as its last message.", (messages.Error,)),
}
"""What comes without a request, by the name of the operation."""

_UPDATE = messages.PredictionUpdate(
    symbol="AAPL",
    predicted_price=188.1,
    current_price=187.25,
    confidence=0.62,
    horizon="1d",
    model_version="m-7",
    timestamp=datetime(2026, 1, 5, 10, 0, 0, 125_000, tzinfo=UTC),
    as_of=datetime(2026, 1, 2, tzinfo=UTC),
    seq=124,
    epoch="1a1fd1987a2",
)
_JOB = "8e03978e-40d5-43dd-bc93-6894a57f9324"

EXAMPLES: tuple[Example, ...] = (
    requests.Auth(api_key="pgw_live_your_key", id="1"),
    requests.Auth(token="pgwt_your_ticket"),  # noqa: S106 - says itself that it is none
    requests.Subscribe(["AAPL", "MSFT"], id="2"),
    requests.Subscribe(["AAPL"], since=requests.Since("1a1fd1987a2", 124)),
    requests.Subscribe(
        ["AAPL", "MSFT"], since=requests.Since("1a1fd1987a2", 117, {"AAPL": 124, "MSFT": 117})
    ),
    requests.Subscribe(["AAPL"], mode="latest", interval_ms=1_000, min_confidence=0.6, timing=True),
    requests.Unsubscribe(["MSFT"], id="3"),
    requests.Watch(uuid.UUID(_JOB), id="4"),
    requests.Ping(id="5"),
    messages.welcome("c1512f2df0a54c1faa91105b06eb2539", frames_per_s=10, connections=50, id_=None),
    messages.Authenticated(datetime(2026, 1, 5, 10, 20, tzinfo=UTC), id="1"),
    messages.Authenticated(None, id="1"),
    messages.Subscribed(["AAPL"], [messages.Rejection("aapl", Rejected.INVALID_SYMBOL)], id="2"),
    messages.Unsubscribed(["MSFT"], id="3"),
    messages.Pong(id="5"),
    messages.Error(Code.UNKNOWN_JOB, "There is no such job of this account.", id="4"),
    messages.Warning(Warned.UPDATES_DROPPED, dropped=12),
    messages.Warning(Warned.CREDENTIAL_EXPIRES, expires_at=datetime(2026, 1, 5, 10, 10, tzinfo=UTC)),
    messages.Gap("AAPL", 124, 130, "1a1fd1987a2"),
    _UPDATE,
    msgspec.structs.replace(_UPDATE, snapshot=True),
    msgspec.structs.replace(
        _UPDATE,
        published_at=datetime(2026, 1, 5, 10, 0, 0, 126_118, tzinfo=UTC),
        bridged_at=datetime(2026, 1, 5, 10, 0, 0, 147_902, tzinfo=UTC),
        sent_at=datetime(2026, 1, 5, 10, 0, 0, 148_431, tzinfo=UTC),
    ),
    messages.Batch([_UPDATE, msgspec.structs.replace(_UPDATE, symbol="MSFT", seq=125)]),
    messages.ExplanationProgress("AAPL", "deep", "running", 0.4, "looking for similar days", _JOB, "9"),
    messages.ExplanationCompleted(
        "AAPL",
        "fast",
        datetime(2026, 1, 5, 10, 0, 2, tzinfo=UTC),
        {"depth": "fast", "summary": "The model expects that AAPL rises by 0.45 %."},
        {"symbol": "AAPL", "predicted_price": 188.1, "current_price": 187.25},
        _JOB,
        "9",
    ),
    messages.ExplanationFailed("AAPL", "deep", "The explainer gave up after 3 tries.", _JOB, "9"),
)
"""At least one of each message; the explanation and its prediction are shortened."""

_SECURITY: dict[str, dict[str, Any]] = {
    "key": {"type": "httpApiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or an access token."},
    "token": {
        "type": "httpApiKey",
        "in": "query",
        "name": "token",
        "description": "An access token of `POST /auth/login`, or a ticket of `POST /auth/ws-ticket`. Never "
        "a key: URLs end up in logs.",
    },
}

_DESCRIPTION = f"""\
Live predictions: requests (`action`) go to the gateway, messages (`type`) come back, each one JSON object in
a text frame. Fields that are not known are ignored, by both sides.

The credential needs the scope `stream`. It comes with the handshake, or else in the first frame, `auth`,
within {limits.AUTH_TIMEOUT_S:g} seconds. A refusal is told after the handshake: an error, then a close code.
docs/WEBSOCKET.md says the rest: modes, pace, resuming, guarantees, when to come back."""

_CHANNEL = "#/channels/predictions"


def build() -> dict[str, Any]:
    """The AsyncAPI 3.0 document, as seen from the gateway: it receives requests and sends messages."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Prediction Gateway: WebSocket",
            "version": f"{limits.VERSION}.0.0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"plain": _server("ws"), "tls": _server("wss")},
        "channels": {"predictions": _channel()},
        "operations": {**_receiving(), **_sending()},
        "components": {
            "schemas": _schemas(),
            "messages": {tag_of(kind): _message(kind) for kind in (*REQUESTS, *MESSAGES)},
            "correlationIds": {
                "id": {"location": "$message.payload#/id", "description": "Yours; comes back in the answer."}
            },
            "securitySchemes": _SECURITY,
        },
        "x-error-codes": {
            code: {"meaning": one.meaning, "closes": None if one.closes is None else int(one.closes)}
            for code, one in ERRORS.items()
        },
        "x-close-codes": {
            str(int(close)): {"name": close.name, "meaning": one.meaning, "reconnect": one.reconnect}
            for close, one in CLOSES.items()
        },
    }


def render(document: dict[str, Any]) -> str:
    """The document as text that a version control compares well."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def tag_of(kind: Kind) -> str:
    """The `action` or `type` of a request or a message."""
    return str(kind.__struct_config__.tag)


def payload_of(example: msgspec.Struct) -> dict[str, Any]:
    """What is sent of `example`: without fields that say what is said without them."""
    told = cast(dict[str, Any], msgspec.to_builtins(example))
    for field in msgspec.structs.fields(example):
        if field.default is not msgspec.NODEFAULT and getattr(example, field.name) == field.default:
            told.pop(field.encode_name, None)
    return told


def close_table() -> str:
    """Every close code as Markdown."""
    rows = [(f"{close:d}", one.meaning, one.reconnect) for close, one in CLOSES.items()]
    return markdown.table(("Close code", "Meaning", "Come back"), rows)


def error_table() -> str:
    """Every error code as Markdown."""
    rows = [
        (f"`{code}`", one.meaning, "none" if one.closes is None else f"{one.closes:d}")
        for code, one in ERRORS.items()
    ]
    return markdown.table(("Error code", "Meaning", "Closes with"), rows)


def with_tables(text: str) -> str:
    """Markdown `text` with both tables renewed between their markers; ValueError where one is missing."""
    for name, table in (("close codes", close_table()), ("error codes", error_table())):
        text = markdown.renewed(text, name, table)
    return text


def _server(protocol: str) -> dict[str, Any]:
    return {
        "host": "{host}",
        "protocol": protocol,
        "variables": {"host": {"default": "127.0.0.1:8000", "description": "Host and port of the gateway."}},
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _SECURITY],
    }


def _channel() -> dict[str, Any]:
    tags = [tag_of(kind) for kind in (*REQUESTS, *MESSAGES)]
    text = {"type": "string"}
    return {
        "address": "/ws/predictions",
        "messages": {tag: {"$ref": f"#/components/messages/{tag}"} for tag in tags},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {"token": text}},
                "headers": {"type": "object", "properties": {"X-API-Key": text, "Authorization": text}},
                "bindingVersion": "0.1.0",
            }
        },
    }


def _receiving() -> dict[str, Any]:
    return {
        tag_of(kind): {
            "action": "receive",
            "channel": {"$ref": _CHANNEL},
            "summary": _sentences(kind)[0],
            "messages": _refs([kind]),
            "reply": {"channel": {"$ref": _CHANNEL}, "messages": _refs(REPLIES[kind])},
        }
        for kind in REQUESTS
    }


def _sending() -> dict[str, Any]:
    return {
        name: {
            "action": "send",
            "channel": {"$ref": _CHANNEL},
            "summary": summary,
            "messages": _refs(kinds),
        }
        for name, (summary, kinds) in UNASKED.items()
    }


def _message(kind: Kind) -> dict[str, Any]:
    summary, description = _sentences(kind)
    told = {
        "name": tag_of(kind),
        "title": kind.__name__,
        "summary": summary,
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "examples": [{"payload": payload_of(example)} for example in EXAMPLES if type(example) is kind],
    }
    if description:
        told["description"] = description
    if "id" in kind.__struct_fields__:
        told["correlationId"] = {"$ref": "#/components/correlationIds/id"}
    return told


def _schemas() -> dict[str, Any]:
    _, found = msgspec.json.schema_components(
        [requests.Request, messages.Message], ref_template="#/components/schemas/{name}"
    )
    for schema in found.values():
        schema["description"] = inspect.cleandoc(schema["description"])
    return found


def _sentences(kind: Kind) -> tuple[str, str]:
    """The first paragraph of the docstring, and the rest."""
    first, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")
    return first, rest


def _refs(kinds: Iterable[Kind]) -> list[dict[str, str]]:
    return [{"$ref": f"{_CHANNEL}/messages/{tag_of(kind)}"} for kind in kinds]
