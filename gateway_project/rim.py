"""The rim of HTTP: what happens to every request before Django sees it, and to every answer after.

request id -> client address -> route -> admission (credential, rights, limits) -> body -> a place in the
queue for Django. On the way back the answer gets the caller's headers and is counted.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from accounts.authentication import SCOPE_KEY
from accounts.callers import ANONYMOUS
from explanations.problems import OUTCOME_HEADER
from gateway_project import (
    addresses,
    admission,
    bodies,
    bookkeeping,
    django_queue,
    django_threads,
    health,
    hot_reads,
    password_turns,
    preferences,
    refusals,
    routes,
    security_headers,
    suspicion,
    watchers,
)
from gateway_project.addresses import RawHeaders
from gateway_project.admission import Admission, Refused
from gateway_project.hot_conditions import Conditions
from gateway_project.house_headers import Pair, encoded
from gateway_project.wsgi import application as django_wsgi
from observability import exposition, metrics, request_context, request_tally

# WSGI in a fixed number of threads costs a fifth of Django's own ASGI handler, which starts threads per
# request (docs/adr/0001).
django_application = django_threads.DjangoThreads(django_wsgi, django_queue.THREADS)

_OUTCOME = OUTCOME_HEADER.lower().encode()


async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer one HTTP request."""
    arrived_at = datetime.now(UTC)
    request_id = request_context.of_headers(scope["headers"])
    address, scheme = addresses.find(scope), addresses.scheme_of(scope)
    request_context.bind(request_id, address=address, arrived_at=arrived_at)
    own_id = (request_context.RAW_HEADER, request_id.encode("ascii"))
    scope = {**scope, "scheme": scheme}
    answer = _Answer(scope, send, own_id, arrived_at)
    if scope["path"] in health.PATHS and scope["method"] in ("GET", "HEAD"):
        # They must answer while every thread is busy, and tell strangers as well.
        answer.route = "health"
        status, kind, body = await health.answer(scope["path"])
        await answer.give(status, refusals.uncached(kind.encode(), body, []), body)
        return
    # WSGI cannot tell X_API_Key from X-API-Key, and a proxy in front strips only one of them.
    headers = [(n, v) for n, v in scope["headers"] if n != request_context.RAW_HEADER and b"_" not in n]
    scope = {**scope, "headers": [*headers, own_id], "client": (address, 0)}
    metrics.http_in_flight.inc()
    try:
        suspicion.look_at_target(scope, address)
        await _admit(scope, answer, address, arrived_at)
        if answer.route in hot_reads.ROUTES and await _answer_hot(scope, answer):
            return
        if answer.route == "metrics" and scope["method"] in ("GET", "HEAD"):
            # Prometheus asks by an address, which is no host that Django answers to.
            text = await asyncio.to_thread(exposition.render)
            await answer.give(200, refusals.uncached(exposition.CONTENT_TYPE.encode(), text, []), text)
            return
        receive = suspicion.watch_body(scope, await bodies.receive_whole(scope, receive), address)
        await preferences.serve(answer.route, scope, receive, answer.send, _ask_django)
    except bodies.ClientGone:
        return
    except django_threads.TakenTooSlowly:
        answer.count()
    except bodies.BodyTooLarge:
        await answer.refuse(Refused("PAYLOAD_TOO_LARGE"))
    except bodies.BodyTooSlow:
        await answer.refuse(Refused("REQUEST_TIMEOUT"))
    except Refused as refused:
        await answer.refuse(refused)
    finally:
        metrics.http_in_flight.dec()


async def _answer_hot(scope: dict[str, Any], answer: _Answer) -> bool:
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    conditions = Conditions(scope["headers"], scope["client"][0], scope["scheme"])
    ready = await hot_reads.answer(scope["method"], target, conditions, answer.admission.caller)
    if ready is None:
        return False
    headers = [*ready.house.pairs, *ready.headers]
    await answer.send({"type": "http.response.start", "status": ready.status, "headers": headers})
    await answer.send(
        {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else ready.body}
    )
    return True


async def _ask_django(scope: dict[str, Any], receive: Any, send: Any) -> None:
    async with password_turns.take(scope), django_queue.place(scope["client"][0]):
        answer = await django_application.answer(scope, receive)
    # Whoever takes it slowly has given turn, place and thread back.
    await django_threads.send_answer(answer, send)


async def _admit(scope: dict[str, Any], answer: _Answer, address: str, now: datetime) -> None:
    path, method = scope["path"], scope["method"]
    answer.route = route = routes.find(path)
    need = routes.need_at(path, route, method)
    if need.watchers and watchers.is_watcher(scope, address):
        return
    cost = routes.cost_of(route, need, scope["query_string"])
    try:
        admitted = await admission.admit(
            scope["headers"], route=route, need=need, address=address, cost=cost, now=now
        )
    except Refused as refused:
        answer.admission = Admission(refused.caller)
        raise
    answer.admission = scope[SCOPE_KEY] = admitted
    agent = _header(scope["headers"], b"user-agent") or b""
    bookkeeping.note_use(admitted.caller, at=now, address=address, agent=agent)


class _Answer:
    """The way back of one request: headers are added where it begins, and it is counted where it ends."""

    def __init__(
        self, scope: dict[str, Any], send: Any, own_id: tuple[bytes, bytes], arrived_at: datetime
    ) -> None:
        self._scope = scope
        self._send = send
        self._own_id = own_id
        self._arrived_at = arrived_at
        self._began_s = time.perf_counter()
        self._status = 0
        self._is_error = False
        self._bytes = 0
        self.route = routes.UNMATCHED
        self.admission = Admission(ANONYMOUS)

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI's `send`, for whoever answers."""
        if message["type"] == "http.response.start":
            self._status = status = message["status"]
            self._is_error = status >= 500 and not any(n == _OUTCOME for n, _ in message["headers"])
            if self._is_error:
                request_tally.failed(self._scope["method"], self.route)
            extra = self.admission.settle(status, self._arrived_at)
            message["headers"] = [*message["headers"], *encoded(extra), self._own_id]
        else:
            self._bytes += len(message.get("body", b""))
            if not message.get("more_body", False):
                self.count()
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        """Answer with the problem that ends the request here."""
        status, headers, body = refusals.answer(
            refused, path=self._scope["path"], asked=self._scope["headers"]
        )
        await self.give(status, headers, body)

    async def give(self, status: int, headers: list[Pair], body: bytes) -> None:
        """Answer in one piece."""
        headers = [*headers, *security_headers.of_scheme(self._scope["scheme"])]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def count(self) -> None:
        """Note how it ended; `send` does so with the last part."""
        caller, seconds = self.admission.caller, time.perf_counter() - self._began_s
        bookkeeping.count_answer(
            caller,
            method=self._scope["method"],
            route=self.route,
            path=self._scope["path"],
            status=self._status,
            seconds=seconds,
            bytes_in=_length_of(self._scope["headers"]),
            bytes_out=self._bytes,
            request_id=self._own_id[1].decode("ascii"),
            address=addresses.find(self._scope),
            agent=_header(self._scope["headers"], b"user-agent") or b"",
        )
        if routes.is_counted(self._scope["path"]):
            bookkeeping.count_call(
                caller,
                route=self.route,
                status=self._status,
                at=self._arrived_at,
                seconds=seconds,
                bytes_out=self._bytes,
                is_error=self._is_error,
            )


def _length_of(headers: RawHeaders) -> int:
    """As the caller tells it; 0 where the body comes in chunks."""
    told = _header(headers, b"content-length") or b""
    return int(told) if told.isdigit() else 0


def _header(headers: RawHeaders, wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)
