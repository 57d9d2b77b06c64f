"""Tickets for sockets: a browser cannot send headers with a WebSocket, and a key must not stand in a URL.

``pgw:ticket:{sha256}`` in Redis holds whose ticket it is, for 30 seconds and one use; no secret is in it.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Literal

import msgspec
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from accounts import credentials
from accounts.callers import Caller

PREFIX = "pgwt_"
LIFETIME_S = 30
_KEY = "pgw:ticket:"


class TicketsUnavailable(Exception):
    """Redis did not answer."""


class _Holder(msgspec.Struct, frozen=True):
    kind: Literal["key", "family"]
    id: uuid.UUID
    # Of the access token that it was bought with: a ticket must not make more of it than it is.
    expires_at: datetime | None = None


def issue(caller: Caller) -> str:
    """A ticket for `caller`, who must be authenticated. Raises `TicketsUnavailable`."""
    ticket = PREFIX + secrets.token_urlsafe(32)
    if caller.key_id is not None:
        holder = _Holder("key", caller.key_id)
    else:
        holder = _Holder("family", _family_of(caller), caller.expires_at)
    try:
        _redis().set(_name_of(ticket), msgspec.json.encode(holder), ex=LIFETIME_S)
    except redis.RedisError as error:
        raise TicketsUnavailable from error
    return ticket


def redeem(ticket: str, *, now: datetime, address: str) -> Caller:
    """The caller whose ticket it is, as they stand now; the ticket is good no more.

    Raises `credentials.CredentialRefused`, `TicketsUnavailable` and Django's database errors.
    """
    try:
        found = _redis().getdel(_name_of(ticket))
    except redis.RedisError as error:
        raise TicketsUnavailable from error
    if not isinstance(found, bytes):
        raise credentials.refuse("token", "The ticket is not valid: it is used, too old, or none.", address)
    holder = msgspec.json.decode(found, type=_Holder)
    if holder.kind == "key":
        return credentials.authenticate_key_id(holder.id, now=now, address=address)
    if holder.expires_at is not None and now >= holder.expires_at:
        raise credentials.refuse("expired", "The login behind the ticket has expired; refresh it.", address)
    caller = credentials.authenticate_family(holder.id, now=now, address=address)
    return msgspec.structs.replace(caller, expires_at=holder.expires_at)


def _family_of(caller: Caller) -> uuid.UUID:
    if caller.family_id is None:
        raise ValueError("an anonymous caller gets no ticket")
    return caller.family_id


def _name_of(ticket: str) -> str:
    return _KEY + hashlib.sha256(ticket.encode(errors="replace")).hexdigest()


@functools.cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(
        settings.GATEWAY.redis_url,
        socket_timeout=1,
        socket_connect_timeout=1,
        # Not after a time-out: the first try may have used the ticket up.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        client_name="prediction-gateway-tickets",
    )
