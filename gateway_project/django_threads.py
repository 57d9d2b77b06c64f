"""Django, as WSGI, in a fixed number of threads: one hop there with the request, one back with the answer.

`a2wsgi` hands an answer over in three parts and waits for the event loop at each, which costs more than what
Django does meanwhile; its environment is taken.

1. No thread of Django's waits for a client: an answer is made there, and sent when the thread is free again.
2. A file is read part by part, each once the client has taken the one before.
3. What Django streams holds a connection to the database: it is made in one of a few threads of its own, and
   a client has a time for each part. Who takes longer loses the rest.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import io
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, cast

from a2wsgi.wsgi import build_environ
from django.db import close_old_connections
from django.http import FileResponse

from gateway_project.house_headers import encoded

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Any]

PART_BYTES = 64 * 1024
"""Of a file."""
PART_WITHIN_S = 10.0
"""Of what Django streams."""

_WITH_BODY = frozenset({b"content-length", b"transfer-encoding"})
_STREAMS = ThreadPoolExecutor(2, thread_name_prefix="stream")


class TakenTooSlowly(Exception):
    """The client has not taken a part of a stream within `PART_WITHIN_S`: the rest is not sent."""


class Answer(NamedTuple):
    """What is to be sent: `start`, then `body`, or what is read of `file`, or what `stream` gives.

    Whoever has it sends it, or closes it.
    """

    start: Message
    body: bytes = b""
    file: Any = None
    stream: Any = None

    def close(self) -> None:
        """Let go of what has not been sent."""
        for part in (self.file, self.stream):
            if part is not None:
                part.close()


class DjangoThreads:
    """Has `application` answer requests over HTTP in the threads of `pool`."""

    def __init__(self, application: WSGIApplication, pool: ThreadPoolExecutor) -> None:
        self._application = application
        self._pool = pool

    async def answer(self, scope: dict[str, Any], receive: Receive) -> Answer:
        """The answer to one request, whose body comes whole."""
        has_body = any(name in _WITH_BODY for name, _ in scope["headers"])
        body: Any = io.BytesIO(await _read(receive) if has_body else b"")
        environ = build_environ(cast(Any, scope), body)
        asked = self._pool.submit(contextvars.copy_context().run, self._answer, environ)
        try:
            return await asyncio.wrap_future(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(_close_unsent)
            raise

    def _answer(self, environ: Any) -> Answer:
        begun: list[Message] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            begun.append(
                {"type": "http.response.start", "status": int(status[:3]), "headers": encoded(headers)}
            )

        response = self._application(environ, start_response)
        (start,) = begun
        is_file = isinstance(response, FileResponse)
        if response.streaming and not is_file:
            close_old_connections()  # the stream opens one in its own thread
            return Answer(start, stream=response)
        file = response.file_to_stream if is_file else None
        if file is not None:  # whoever sends it closes it
            response._resource_closers.remove(file.close)
        try:
            return Answer(start, b"".join(response) if file is None else b"", file)
        finally:
            response.close()


async def send_answer(answer: Answer, send: Send) -> None:
    """Send all of it, however slowly a client takes what is no stream; may raise `TakenTooSlowly`."""
    if answer.stream is not None:
        await _send_stream(answer, send)
        return
    try:
        await send(answer.start)
        if answer.file is not None:
            await _send_file(answer.file, send)
        await send(_body(answer.body))
    finally:
        answer.close()


async def _send_file(file: Any, send: Send) -> None:
    loop = asyncio.get_running_loop()
    while part := await loop.run_in_executor(None, file.read, PART_BYTES):
        await send(_body(part, more=True))


async def _send_stream(answer: Answer, send: Send) -> None:
    loop = asyncio.get_running_loop()

    def send_now(message: Message) -> None:
        sent = asyncio.run_coroutine_threadsafe(_sent(send, message), loop)
        try:
            sent.result(PART_WITHIN_S)
        except TimeoutError:
            sent.cancel()
            raise TakenTooSlowly from None

    make = functools.partial(contextvars.copy_context().run, _make_stream, answer, send_now)
    made = _STREAMS.submit(make)
    try:
        await asyncio.wrap_future(made)
    finally:
        if made.cancelled():  # before it began
            answer.close()
    await send(_body(b""))


def _make_stream(answer: Answer, send_now: Callable[[Message], None]) -> None:
    try:
        send_now(answer.start)
        for part in answer.stream:
            send_now(_body(part, more=True))
    finally:
        answer.close()


def _close_unsent(asked: Future[Answer]) -> None:
    """Of a request that was given up while a thread had it."""
    if not asked.cancelled() and asked.exception() is None:
        asked.result().close()


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
