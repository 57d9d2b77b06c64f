"""Django, as WSGI, in a fixed number of threads: one hop there with the request, one back with the answer.

`a2wsgi` hands an answer over in three parts and waits for the event loop at each, which costs more than what
Django does meanwhile; its environment is taken. Only what Django streams goes over in parts.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import io
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from a2wsgi.wsgi import build_environ

from gateway_project.house_headers import encoded

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_WITH_BODY = frozenset({b"content-length", b"transfer-encoding"})


class DjangoThreads:
    """`application` as an ASGI application for HTTP, in the threads of `pool`."""

    def __init__(self, application: WSGIApplication, pool: ThreadPoolExecutor) -> None:
        self._application = application
        self._pool = pool

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, whose body comes whole."""
        has_body = any(name in _WITH_BODY for name, _ in scope["headers"])
        body: Any = io.BytesIO(await _read(receive) if has_body else b"")
        environ = build_environ(cast(Any, scope), body)
        loop = asyncio.get_running_loop()

        def send_now(message: Message) -> None:
            asyncio.run_coroutine_threadsafe(_sent(send, message), loop).result()

        answer = functools.partial(contextvars.copy_context().run, self._answer, environ, send_now)
        for message in await loop.run_in_executor(self._pool, answer):
            await send(message)

    def _answer(self, environ: Any, send_now: Callable[[Message], None]) -> list[Message]:
        """In a thread: what is left to be sent of the answer, which is all of it unless Django streams it."""
        begun: list[Message] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            begun.append(
                {"type": "http.response.start", "status": int(status[:3]), "headers": encoded(headers)}
            )

        parts = self._application(environ, start_response)
        try:
            if not getattr(parts, "streaming", True):
                return [*begun, _body(b"".join(parts))]
            for message in begun:
                send_now(message)
            for part in parts:
                send_now(_body(part, more=True))
            return [_body(b"")]
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()


def _body(part: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": part, "more_body": more}


async def _sent(send: Send, message: Message) -> None:
    await send(message)


async def _read(receive: Receive) -> bytes:
    """The body; what has come of it where the client has gone."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
