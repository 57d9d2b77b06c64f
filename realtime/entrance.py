"""Who may open a socket: origin, credential, scope, room. REST asks the same functions of accounts."""

from __future__ import annotations

import contextlib
import logging
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from accounts import access, directory, guessing, tickets, visitors
from accounts.callers import Caller
from accounts.credentials import CredentialRefused, authenticate_from_memory, find_credential, look_up
from accounts.directory import TierRecord, UnknownTier
from accounts.keys import KEY_PREFIX
from observability import blocking, request_context
from realtime import leases
from realtime.protocol.codes import Close, Code

logger = logging.getLogger(__name__)


class Refused(Exception):
    """The socket is not let in: code and detail of the error frame, and the code that it closes with."""

    def __init__(self, code: Code, detail: str, close: Close) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.close = close


def bind_request(scope: dict[str, Any]) -> tuple[bytes, bytes]:
    """Give the socket the id of its handshake, as any request has one; returns the header that tells it."""
    request_id = request_context.of_headers(scope["headers"])
    request_context.bind(request_id, address=scope["client"][0])
    return request_context.RAW_HEADER, request_id.encode("ascii")


def find_offered(scope: dict[str, Any]) -> str | None:
    """The credential of the handshake: a header, or the ``token`` of the query; None without one.

    Raises `Refused`, also for a page of another origin.
    """
    headers = dict(scope["headers"])
    if not _is_origin_allowed(headers):
        raise Refused(Code.ORIGIN_REFUSED, "This origin may not connect.", Close.FORBIDDEN)
    try:
        credential = find_credential(scope["headers"])
        return _find_token(scope["query_string"]) if credential is None else credential
    except CredentialRefused as refused:
        raise Refused(Code.INVALID_CREDENTIAL, refused.detail, Close.CREDENTIAL) from None


async def admit(credential: str, address: str) -> Caller:
    """The caller behind `credential`, who may open a socket; raises `Refused`."""
    try:
        caller = await _find_caller(credential, address)
        access.check(access.SOCKET, caller, anonymous_access=settings.GATEWAY.anonymous_access)
    except CredentialRefused as refused:
        if refused.reason in guessing.REASONS:
            guessing.failed(address)
        raise Refused(Code.INVALID_CREDENTIAL, refused.detail, Close.CREDENTIAL) from None
    except guessing.TooManyGuesses as refused:
        raise Refused(Code.TOO_MANY_ATTEMPTS, str(refused), Close.TOO_FAST) from None
    except access.NotAllowed as refused:
        raise Refused(Code.SCOPE_MISSING, refused.detail, Close.FORBIDDEN) from None
    except (DatabaseFailure, tickets.TicketsUnavailable, TimeoutError) as error:
        logger.error("could not look a credential up: %s", type(error).__name__)
        detail = "Credentials cannot be checked right now."
        raise Refused(Code.STORE_UNAVAILABLE, detail, Close.RESTART) from None
    return caller


async def tier_of(caller: Caller) -> TierRecord:
    """The caller's tier, from memory; raises `Refused` where it cannot be read."""
    known = directory.current()
    try:
        if known.knows_tiers:
            with contextlib.suppress(UnknownTier):
                return known.tier(caller.tier)
        return await blocking.run(known.find_tier, caller.tier)
    except (DatabaseFailure, TimeoutError, UnknownTier):
        detail = "Tiers cannot be read right now."
        raise Refused(Code.STORE_UNAVAILABLE, detail, Close.RESTART) from None


async def take_place(caller: Caller, address: str, tier: TierRecord) -> str | None:
    """Take one of the sockets that may be open, and say who holds it (`leases`): nobody for a stranger.

    Raises `Refused`.
    """
    if caller.account_id is None:
        return None
    holder, most = visitors.holder_of_sockets(caller, address, tier.most_connections)
    if not await leases.current().take(holder, most):
        whose = "Your address" if caller.is_shared else "This account"
        detail = f"{whose} has {most} connections open, as many as its tier allows."
        raise Refused(Code.TOO_MANY_CONNECTIONS, detail, Close.TOO_MANY_CONNECTIONS)
    return holder


async def _find_caller(credential: str, address: str) -> Caller:
    """A key that is in memory costs no thread: thousands may come back at once.

    Only what has to be looked up can be a guess: who guesses does not lock out good keys of its address.
    """
    now = timezone.now()
    if not credential.startswith(tickets.PREFIX):
        caller = authenticate_from_memory(credential, now=now, address=address)
        if caller is not None:
            return caller
    guessing.check(address)
    if credential.startswith(tickets.PREFIX):
        return await blocking.run(tickets.redeem, credential, now=now, address=address)
    return await look_up(credential, now=now, address=address)


def _find_token(query_string: bytes) -> str | None:
    """The ``token`` of the query. A key there would end up in the logs of every proxy: it is refused."""
    query = parse_qs(query_string.decode("latin-1"), keep_blank_values=True)
    token = query["token"][0] if "token" in query else None
    if token is not None and token.startswith(KEY_PREFIX):
        raise CredentialRefused(
            "malformed",
            "An API key does not belong into a URL: send it as X-API-Key or in the auth frame.",
        )
    return token


def _is_origin_allowed(headers: dict[bytes, bytes]) -> bool:
    """Browsers send an Origin: it must be this host or on the list. Other clients send none."""
    if b"origin" not in headers:
        return True
    origin = headers[b"origin"].decode("latin-1")
    if origin in settings.GATEWAY.cors_origins:
        return True
    host = headers.get(b"host", b"").decode("latin-1")
    # A host name that is not ours would make any page its own origin (DNS rebinding).
    return origin.partition("://")[2] == host and validate_host(
        split_domain_port(host)[0], settings.ALLOWED_HOSTS
    )
