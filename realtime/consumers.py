"""The Channels consumer behind ``/ws/predictions``: decode a frame, ask the hub, answer.

It reads its own messages and skips Channels' dispatch: that would hop through a thread per message to
close database connections which socket code never opens, and would join the channel layer once per socket
instead of once per process.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any
from urllib.parse import parse_qs

from channels.consumer import AsyncConsumer
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from accounts import access, guessing, last_use, tickets
from accounts.credentials import Caller, CredentialRefused, authenticate, find_credential
from accounts.keys import KEY_PREFIX
from explanations import jobs
from observability import blocking
from predictions.reads import NoStoreReachable
from realtime import explained, hub, protocol, revocation
from realtime.connection import Connection
from realtime.protocol import BadFrame, Close
from realtime.revocation import Verdict, Watched
from realtime.watching import MAX_WATCHES

logger = logging.getLogger(__name__)

_MOST_BAD_FRAMES = 10
EXPLANATIONS_SCOPE = "explanations:read"


class PredictionConsumer(AsyncConsumer):  # type: ignore[misc] # channels ships no types
    """One socket: refused, or welcomed and then subscribed to what it asks for."""

    _watched: Watched | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope = scope
        self._bad_frames = 0
        self._address: str = scope["client"][0]
        self._connection = Connection(uuid.uuid4().hex, send)
        self._hub = hub.current()
        self._auth_timer: asyncio.TimerHandle | None = None
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect" or self._connection.closed:
                    break
                if message["type"] == "websocket.connect":
                    await send({"type": "websocket.accept"})
                    await self._open()
                else:
                    await self._take(message.get("text") or message.get("bytes") or "")
        finally:
            self._stop_auth_timer()
            if self._watched is not None:
                revocation.current().remove(self._watched)
            self._connection.gone()
            self._hub.remove(self._connection)

    async def _open(self) -> None:
        """Decide on the credential of the handshake; without one, wait for the auth frame."""
        if not self._is_origin_allowed():
            await self._refuse("ORIGIN_REFUSED", "This origin may not connect.", Close.FORBIDDEN)
            return
        try:
            credential = find_credential(self.scope["headers"])
            if credential is None:
                credential = self._find_token()
        except CredentialRefused as refused:
            await self._refuse("INVALID_CREDENTIAL", refused.detail, Close.CREDENTIAL)
            return
        if credential is None:
            loop = asyncio.get_running_loop()
            self._auth_timer = loop.call_later(
                protocol.AUTH_TIMEOUT_S, lambda: loop.create_task(self._time_out())
            )
        else:
            await self._authenticate(credential)

    def _find_token(self) -> str | None:
        """The ``token`` of the query. A key there would end up in the logs of every proxy: it is refused."""
        query = parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = query["token"][0] if "token" in query else None
        if token is not None and token.startswith(KEY_PREFIX):
            raise CredentialRefused(
                "malformed",
                "An API key does not belong into a URL: send it as X-API-Key or in the auth frame.",
            )
        return token

    async def _authenticate(self, credential: str, id_: str | None = None) -> None:
        self._stop_auth_timer()
        now = timezone.now()
        check = tickets.redeem if credential.startswith(tickets.PREFIX) else authenticate
        try:
            guessing.check(self._address)
            caller = await blocking.run(check, credential, now=now, address=self._address)
            access.check(
                access.SOCKET,
                authenticated=caller.is_authenticated,
                scopes=caller.scopes,
                anonymous_access=settings.GATEWAY.anonymous_access,
            )
        except CredentialRefused as refused:
            if refused.reason in guessing.REASONS:
                guessing.failed(self._address)
            await self._refuse("INVALID_CREDENTIAL", refused.detail, Close.CREDENTIAL)
        except guessing.TooManyGuesses as refused:
            await self._refuse("TOO_MANY_ATTEMPTS", str(refused), Close.TOO_FAST)
        except access.NotAllowed as refused:
            await self._refuse("SCOPE_MISSING", refused.detail, Close.FORBIDDEN)
        except (DatabaseFailure, tickets.TicketsUnavailable, TimeoutError) as error:
            logger.error("could not look a credential up: %s", type(error).__name__)
            await self._refuse("STORE_UNAVAILABLE", "Credentials cannot be checked right now.", Close.RESTART)
        else:
            self._admit(caller)
            self._connection.tell(protocol.welcome(self._connection.id, id_))

    def _admit(self, caller: Caller) -> None:
        """From here on the socket lives as long as the credential."""
        if caller.key_id is not None:
            agent = dict(self.scope["headers"]).get(b"user-agent", b"").decode("latin-1")
            last_use.note(caller.key_id, at=timezone.now(), address=self._address, agent=agent)
        self._watched = Watched(caller, self._address, self._on_verdict)
        revocation.current().add(self._watched)

    def _on_verdict(self, verdict: Verdict) -> None:
        """The credential has ended, or has other rights now than this socket was opened with."""
        if isinstance(verdict, CredentialRefused):
            code, detail, close = "CREDENTIAL_ENDED", verdict.detail, Close.CREDENTIAL
        else:
            code, detail, close = "CREDENTIAL_CHANGED", "The rights of the credential changed.", Close.RESTART
        self._closing = asyncio.get_running_loop().create_task(self._refuse(code, detail, close))

    async def _take(self, frame: str | bytes) -> None:
        try:
            request = protocol.decode(frame)
        except BadFrame as bad:
            await self._reject(bad)
            return
        if isinstance(request, protocol.Auth):
            await self._on_auth(request)
        elif self._watched is None:
            await self._refuse("UNAUTHENTICATED", "The first frame must be auth.", Close.CREDENTIAL)
        elif isinstance(request, protocol.Subscribe):
            await self._on_subscribe(request)
        elif isinstance(request, protocol.Unsubscribe):
            ended = self._hub.unsubscribe(self._connection, request.symbols)
            self._connection.tell(protocol.unsubscribed(ended, request.id))
        elif isinstance(request, protocol.Watch):
            await self._on_watch(request, self._watched.caller)
        else:
            self._connection.tell(protocol.pong(request.id))

    async def _on_auth(self, request: protocol.Auth) -> None:
        if self._watched is not None:
            self._connection.tell(
                protocol.error("ALREADY_AUTHENTICATED", "This connection has a credential.", request.id)
            )
            return
        await self._authenticate(request.credential, request.id)

    async def _on_subscribe(self, request: protocol.Subscribe) -> None:
        accepted, rejected = protocol.sort_symbols(
            request.symbols,
            pattern=settings.GATEWAY.compiled_symbol_pattern,
            already=self._connection.symbols,
        )
        self._hub.subscribe(self._connection, accepted)
        if request.explanations and self._may_read_explanations(request.id):
            self._hub.watching.follow(self._connection, accepted)
        self._connection.tell(protocol.subscribed(accepted, rejected, request.id))
        if not request.snapshot or not accepted:
            return
        try:
            await self._hub.send_snapshots(self._connection, accepted)
        except (NoStoreReachable, TimeoutError):
            self._connection.tell(
                protocol.error(
                    "SNAPSHOT_UNAVAILABLE",
                    "The newest values cannot be read right now; live updates follow.",
                    request.id,
                )
            )

    def _may_read_explanations(self, id_: str | None) -> bool:
        if self._watched is not None and EXPLANATIONS_SCOPE in self._watched.caller.scopes:
            return True
        detail = f"This credential does not have the scope {EXPLANATIONS_SCOPE}."
        self._connection.tell(protocol.error("SCOPE_MISSING", detail, id_))
        return False

    async def _on_watch(self, request: protocol.Watch, caller: Caller) -> None:
        """Watch first and look afterwards, so that no end is missed in between."""
        if not self._may_read_explanations(request.id):
            return
        code = ""
        try:
            job = await blocking.run(jobs.find, request.job_id, account_id=caller.account_id)
            if job is None:
                code, detail = "UNKNOWN_JOB", "There is no such job of this account."
            elif not self._hub.watching.watch(self._connection, str(job.computation_id), str(job.pk)):
                code, detail = "TOO_MANY_WATCHES", f"A connection watches {MAX_WATCHES} jobs at most."
            else:
                state = await blocking.run(explained.current_news, job.computation_id)
                if self._hub.watching.is_watched(self._connection, str(job.computation_id)):
                    self._hub.watching.tell(self._connection, state)
        except (DatabaseFailure, TimeoutError):
            code, detail = "STORE_UNAVAILABLE", "Jobs cannot be read right now; try again in a moment."
        if code:
            self._connection.tell(protocol.error(code, detail, request.id))

    async def _reject(self, bad: BadFrame) -> None:
        self._bad_frames += 1
        if bad.code == "MESSAGE_TOO_BIG":
            await self._refuse(bad.code, bad.detail, Close.TOO_BIG)
        elif self._watched is None or self._bad_frames > _MOST_BAD_FRAMES:
            await self._refuse(bad.code, bad.detail, Close.PROTOCOL_ERROR)
        else:
            self._connection.tell(protocol.error(bad.code, bad.detail, bad.id))

    async def _refuse(self, code: str, detail: str, close: Close) -> None:
        """Say why, then close: a client library shows its user the frame, not the handshake."""
        self._stop_auth_timer()
        self._connection.tell(protocol.error(code, detail))
        await self._connection.close(close, code)

    async def _time_out(self) -> None:
        await self._refuse(
            "AUTH_TIMEOUT",
            f"No credential within {protocol.AUTH_TIMEOUT_S:.0f} seconds.",
            Close.TIMEOUT,
        )

    def _stop_auth_timer(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
            self._auth_timer = None

    def _is_origin_allowed(self) -> bool:
        """Browsers send an Origin: it must be this host or on the list. Other clients send none."""
        headers = dict(self.scope["headers"])
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
