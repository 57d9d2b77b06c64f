"""The Channels consumer behind ``/ws/predictions``: decode a frame, ask the hub, answer.

It reads its own messages and skips Channels' dispatch: that would hop through a thread per message to
close database connections which socket code never opens, and would join the channel layer once per socket
instead of once per process.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import uuid
from datetime import datetime
from typing import Any

from channels.consumer import AsyncConsumer
from django.conf import settings
from django.utils import timezone

from accounts import last_use
from accounts.callers import Caller
from accounts.credentials import CredentialRefused
from observability import access_log, request_context
from observability.access_lines import Socket
from realtime import entrance, hub, job_watching, leases, revocation, wire
from realtime.connection import Connection, Peer
from realtime.entrance import Refused
from realtime.job_watching import NotWatched
from realtime.pace import Pace
from realtime.protocol import limits, messages, requests
from realtime.protocol.codes import Close, Code, Warned
from realtime.protocol.requests import BadFrame
from realtime.revocation import Verdict, Watched
from realtime.terms import terms_of

logger = logging.getLogger(__name__)

# Nothing is read of a peer meanwhile, its pongs neither.
_LONGEST_REST_S = 10.0

EXPLANATIONS_SCOPE = "explanations:read"


class PredictionConsumer(AsyncConsumer):  # type: ignore[misc] # channels ships no types
    """One socket: refused, or welcomed and then subscribed to what it asks for."""

    _watched: Watched | None = None
    _leased: str | None = None
    _auth_timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope = scope
        self._bad_frames = 0
        self._pace = Pace(limits.FRAMES_IN_PER_S)
        self._hub = hub.current()
        self._connection = self._connect(scope, send)
        code, reason = None, ""
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    code, reason = message.get("code"), message.get("reason") or ""
                    break
                if message["type"] == "websocket.connect":
                    await send({"type": "websocket.accept", "headers": [entrance.bind_request(scope)]})
                    await self._open()
                elif not self._connection.closed:
                    await self._take(message.get("text") or message.get("bytes") or "")
        finally:
            self._leave(code, reason)

    def _connect(self, scope: dict[str, Any], send: Any) -> Connection:
        agent = dict(scope["headers"]).get(b"user-agent", b"").decode("latin-1")
        peer = Peer(scope["client"][0], agent[:200], timezone.now())
        connection = Connection(
            uuid.uuid4().hex,
            peer,
            alarms=self._hub.alarms,
            lag=self._hub.lag,
            reach=functools.partial(wire.wire_of, scope, send),
        )
        self._hub.add(connection)
        return connection

    def _leave(self, code: int | None, reason: str) -> None:
        """Give back what the socket held."""
        connection = self._connection
        if self._leased is not None:
            leases.current().give_back(self._leased)
        self._stop_auth_timer()
        connection.on_lost()
        self._hub.remove(connection)
        if self._watched is not None:
            revocation.current().remove(self._watched)
            self._watched = None
        self._log_end(code, reason)

    def _log_end(self, code: int | None, reason: str) -> None:
        connection = self._connection
        now, peer = timezone.now(), connection.peer
        if settings.GATEWAY.writes_access_log:
            access_log.note_socket(
                Socket(
                    at_s=now.timestamp(),
                    request_id=request_context.current(),
                    connection=connection.id,
                    caller=peer.name,
                    account_id=peer.account_id,
                    address=peer.address,
                    code=code,
                    # What a client writes there is none of ours.
                    reason=reason if reason in Code.__members__ else "",
                    seconds=(now - peer.since).total_seconds(),
                    sent=connection.sent,
                    dropped=connection.dropped,
                )
            )

    # The handshake

    async def _open(self) -> None:
        """Decide on the credential of the handshake; without one, wait for the auth frame."""
        try:
            if len(self._hub.connections) > settings.GATEWAY.sockets_per_process:
                detail = "This server takes no more connections."
                raise Refused(Code.SERVER_FULL, detail, Close.RESTART)
            credential = entrance.find_offered(self.scope)
        except Refused as refused:
            self._refuse(refused)
            return
        if credential is None:
            self._auth_timer = asyncio.get_running_loop().call_later(
                limits.AUTH_TIMEOUT_S, self._on_auth_timeout
            )
        else:
            await self._authenticate(credential)

    async def _authenticate(self, credential: str, id_: str | None = None) -> None:
        """Let the caller in, or refuse."""
        self._stop_auth_timer()
        changes = revocation.current().changes
        try:
            caller = await entrance.admit(credential, self._connection.peer.address)
            tier = await entrance.tier_of(caller)
            self._leased = await entrance.take_place(caller, self._connection.peer.address, tier)
        except Refused as refused:
            self._refuse(refused)
            return
        if self._connection.closed:
            return
        self._watch_over(caller, changes)
        self._connection.pace(tier.frames_per_s)
        self._connection.tell(
            messages.welcome(
                self._connection.id,
                frames_per_s=tier.frames_per_s,
                connections=tier.most_connections,
                id_=id_,
            )
        )
        logger.info(
            "socket %s opened by %s from %s", self._connection.id, caller.name, self._connection.peer.address
        )

    def _watch_over(self, caller: Caller, changes: int) -> None:
        """From here on the socket lives as long as the credential, which was checked after `changes`."""
        peer = self._connection.peer
        peer.name, peer.account_id = caller.name, caller.account_id
        if caller.key_id is not None:
            last_use.note(caller.key_id, at=timezone.now(), address=peer.address, agent=peer.agent)
        if self._watched is not None:
            revocation.current().remove(self._watched)
        self._watched = Watched(caller, peer.address, self._on_verdict, self._on_expiring)
        revocation.current().add(self._watched)
        revocation.current().judge_if_changed(self._watched, changes)

    def _on_verdict(self, verdict: Verdict) -> None:
        """The credential has ended, or has other rights now than this socket was opened with."""
        if isinstance(verdict, CredentialRefused):
            self._connection.refuse(Code.CREDENTIAL_ENDED, verdict.detail, Close.CREDENTIAL)
        else:
            detail = "The rights of the credential changed."
            self._connection.refuse(Code.CREDENTIAL_CHANGED, detail, Close.RESTART)

    def _on_expiring(self, expires_at: datetime) -> None:
        self._connection.tell(messages.Warning(Warned.CREDENTIAL_EXPIRES, expires_at=expires_at))

    def _on_auth_timeout(self) -> None:
        detail = f"No credential within {limits.AUTH_TIMEOUT_S:.0f} seconds."
        self._connection.refuse(Code.AUTH_TIMEOUT, detail, Close.TIMEOUT)

    def _stop_auth_timer(self) -> None:
        if self._auth_timer is not None:
            self._auth_timer.cancel()
            self._auth_timer = None

    def _refuse(self, refused: Refused) -> None:
        self._stop_auth_timer()
        self._connection.refuse(refused.code, refused.detail, refused.close)

    # Requests

    async def _take(self, frame: str | bytes) -> None:
        now = self._connection.heard_at = self._hub.alarms.now()
        try:
            request = requests.decode(frame)
        except BadFrame as bad:
            self._reject(bad)
            return
        if not self._pace.take(now):
            detail = f"A connection may send {limits.FRAMES_IN_PER_S} frames a second."
            self._connection.refuse(Code.TOO_FAST, detail, Close.TOO_FAST)
        elif isinstance(request, requests.Auth) and self._watched is None:
            await self._authenticate(request.credential, request.id)
        elif self._watched is None:
            detail = "The first frame must be auth."
            self._connection.refuse(Code.UNAUTHENTICATED, detail, Close.CREDENTIAL)
        elif isinstance(request, requests.Auth):
            await self._renew(request, self._watched.caller)
        elif isinstance(request, requests.Subscribe):
            await self._on_subscribe(request)
        elif isinstance(request, requests.Unsubscribe):
            ended = self._hub.unsubscribe(self._connection, request.symbols)
            self._connection.tell(messages.Unsubscribed(ended, request.id))
        elif isinstance(request, requests.Watch):
            await self._on_watch(request, self._watched.caller)
        else:
            self._connection.tell(messages.Pong(request.id))

    def _reject(self, bad: BadFrame) -> None:
        """Bad frames have a limit of their own, in number: they are not counted by the second."""
        self._bad_frames += 1
        if bad.code == Code.MESSAGE_TOO_BIG:
            self._connection.refuse(bad.code, bad.detail, Close.TOO_BIG)
        elif self._watched is None or self._bad_frames > limits.MAX_BAD_FRAMES:
            self._connection.refuse(bad.code, bad.detail, Close.PROTOCOL_ERROR)
        else:
            self._tell_error(bad.code, bad.detail, bad.id)

    async def _renew(self, request: requests.Auth, present: Caller) -> None:
        """Live on with another credential of the same rights; what is refused leaves the present one."""
        changes = revocation.current().changes
        try:
            caller = await entrance.admit(request.credential, self._connection.peer.address)
        except Refused as refused:
            self._tell_error(refused.code, refused.detail, request.id)
            return
        if self._connection.closed:
            return
        if revocation.rights(caller) != revocation.rights(present):
            detail = "That is another account, or has other rights: open another connection for it."
            self._tell_error(Code.ALREADY_AUTHENTICATED, detail, request.id)
            return
        self._watch_over(caller, changes)
        self._connection.tell(messages.Authenticated(caller.expires_at, request.id))

    async def _on_subscribe(self, request: requests.Subscribe) -> None:
        """Read first what memory does not have, then subscribe and answer in one step."""
        connection, recall = self._connection, self._hub.recall
        accepted, rejected = requests.sort_symbols(
            request.symbols,
            pattern=settings.GATEWAY.compiled_symbol_pattern,
            already=connection.symbols,
        )
        since, snapshot = request.since, request.snapshot
        await self._hub.until_filled()
        read = await recall.read(accepted, since=since, snapshot=snapshot)
        if connection.closed:
            return
        follows = request.explanations and self._may_read_explanations(request.id)
        connection.tell(messages.Subscribed(accepted, rejected, request.id))
        owed = recall.owed(accepted, read, since=since, snapshot=snapshot) if since or snapshot else None
        hastened = self._hub.subscribe(connection, accepted, terms_of(request), owed)
        self._hub.watching.unfollow(connection, accepted)
        if follows:
            self._hub.watching.follow(connection, accepted)
        if read.failed:
            detail = "The newest values cannot be read right now; live updates follow."
            self._tell_error(Code.SNAPSHOT_UNAVAILABLE, detail, request.id)
        rest_s = min(_LONGEST_REST_S, connection.lasts_s(hastened))
        await asyncio.sleep(max(rest_s, 0.0 if owed is None else owed.rest_s))

    def _may_read_explanations(self, id_: str | None) -> bool:
        if self._watched is not None and EXPLANATIONS_SCOPE in self._watched.caller.scopes:
            return True
        detail = f"This credential does not have the scope {EXPLANATIONS_SCOPE}."
        self._tell_error(Code.SCOPE_MISSING, detail, id_)
        return False

    async def _on_watch(self, request: requests.Watch, caller: Caller) -> None:
        if not self._may_read_explanations(request.id):
            return
        try:
            await job_watching.watch(self._hub.watching, self._connection, request, caller)
        except NotWatched as reason:
            self._tell_error(reason.code, reason.detail, request.id)

    def _tell_error(self, code: Code, detail: str, id_: str | None) -> None:
        self._connection.tell(messages.Error(code, detail, id_))
