"""A WSGI application behind ASGI: what it is asked, what it answers, in how many threads."""

from __future__ import annotations

import asyncio
import contextvars
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.http import FileResponse, HttpResponse, StreamingHttpResponse

from gateway_project import django_threads
from gateway_project.django_threads import (
    PART_BYTES,
    DjangoThreads,
    Message,
    TakenTooSlowly,
    send_answer,
)

Answer = Callable[[dict[str, Any]], Any]
_place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


def application(answer: Answer) -> Any:
    """A WSGI application that answers as Django does: with its response object."""

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response = answer(environ)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        found: Iterable[bytes] = response
        return found

    return wsgi


async def ask(
    answer: Answer,
    *received: Message,
    method: str = "GET",
    headers: list[tuple[bytes, bytes]] | None = None,
    on_send: Callable[[], None] = lambda: None,
) -> list[Message]:
    """The messages of the answer to one request."""
    sent: list[Message] = []
    waiting = iter(received)

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        sent.append(message)
        on_send()

    scope = {
        "type": "http",
        "method": method,
        "path": "/a b",
        "query_string": b"c=d",
        "http_version": "1.1",
        "client": ("203.0.113.7", 1),
        "headers": headers or [],
    }
    made = await DjangoThreads(application(answer), ThreadPoolExecutor(2, "django")).answer(scope, receive)
    await send_answer(made, send)
    return sent


def part(body: bytes, more: bool = True) -> Message:
    """A piece of the request."""
    return {"type": "http.request", "body": body, "more_body": more}


async def test_an_answer_is_a_start_and_one_body() -> None:
    sent = await ask(
        lambda environ: HttpResponse(b"hello", status=202, headers={"X-Own": "ä", "ETag": '"1"'})
    )
    assert sent == [
        {
            "type": "http.response.start",
            "status": 202,
            "headers": [
                (b"x-own", b"\xe4"),
                (b"etag", b'"1"'),
                (b"content-type", b"text/html; charset=utf-8"),
            ],
        },
        {"type": "http.response.body", "body": b"hello", "more_body": False},
    ]


async def test_the_environment_has_the_request_and_the_scope() -> None:
    asked: list[dict[str, Any]] = []

    def note(environ: dict[str, Any]) -> HttpResponse:
        asked.append(environ)
        return HttpResponse()

    await ask(note, headers=[(b"x-api-key", b"k")])
    (environ,) = asked
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a b", "c=d")
    assert (environ["REMOTE_ADDR"], environ["HTTP_X_API_KEY"]) == ("203.0.113.7", "k")
    assert environ["asgi.scope"]["path"] == "/a b"


async def test_a_body_is_read_whole_and_only_where_there_is_one() -> None:
    def echo(environ: dict[str, Any]) -> HttpResponse:
        return HttpResponse(environ["wsgi.input"].read())

    for header in (b"content-length", b"transfer-encoding"):
        received = [part(b"one "), part(b"two", more=False)]
        sent = await ask(echo, *received, method="POST", headers=[(header, b"7")])
        assert sent[-1]["body"] == b"one two"
    assert (await ask(echo))[-1]["body"] == b""  # nothing was received


async def test_what_came_before_the_client_has_gone_is_the_body() -> None:
    sent = await ask(
        lambda environ: HttpResponse(environ["wsgi.input"].read()),
        part(b"half"),
        {"type": "http.disconnect"},
        headers=[(b"content-length", b"8")],
    )
    assert sent[-1]["body"] == b"half"


async def test_what_django_streams_goes_out_as_it_comes() -> None:
    made, sent_by_then = [], []

    def lines() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"%d\n" % number

    sent = await ask(
        lambda environ: StreamingHttpResponse(lines()), on_send=lambda: sent_by_then.append(len(made))
    )
    bodies = [(message["body"], message["more_body"]) for message in sent[1:]]
    assert bodies == [(b"0\n", True), (b"1\n", True), (b"2\n", True), (b"", False)]
    assert sent_by_then == [0, 1, 2, 3, 3]


class Content(io.BytesIO):
    """A file, in which threads it was read, and whether it was closed."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.read_in: list[str] = []
        self.is_closed = threading.Event()

    def close(self) -> None:
        super().close()
        self.is_closed.set()

    def read(self, size: int | None = -1) -> bytes:
        self.read_in.append(threading.current_thread().name)
        return super().read(size)


async def test_a_file_is_read_when_the_thread_is_free_again_and_closed() -> None:
    content = b"0123456789abcdef" * (PART_BYTES // 8) + b"rest"
    file = Content(content)
    sent = await ask(lambda environ: FileResponse(file))
    bodies = [message["body"] for message in sent[1:]]
    assert b"".join(bodies) == content
    assert [len(body) for body in bodies] == [PART_BYTES, PART_BYTES, 4, 0]
    assert [message["more_body"] for message in sent[1:]] == [True, True, True, False]
    assert file.closed
    assert not [name for name in file.read_in if name.startswith("django")]


@pytest.mark.parametrize("at", range(3))
async def test_a_file_that_is_not_read_is_closed_as_well(at: int) -> None:
    file = io.BytesIO(b"x")
    sent: list[None] = []

    def fail() -> None:
        sent.append(None)
        if len(sent) > at:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await ask(lambda environ: FileResponse(file), on_send=fail)
    assert file.closed


async def test_the_file_of_a_request_that_is_given_up_is_closed() -> None:
    file, begun, go_on = Content(b"x"), threading.Event(), threading.Event()

    def wait(environ: dict[str, Any]) -> FileResponse:
        begun.set()
        go_on.wait(60)
        return FileResponse(file)

    asked = asyncio.create_task(ask(wait))
    assert await asyncio.to_thread(begun.wait, 60)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    go_on.set()
    assert await asyncio.to_thread(file.is_closed.wait, 60)


async def test_a_file_response_without_a_file_is_an_answer_in_one_piece() -> None:
    sent = await ask(lambda environ: FileResponse((), status=304))
    assert [message.get("body") for message in sent] == [None, b""]


async def test_who_does_not_take_a_stream_loses_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_threads, "PART_WITHIN_S", 0.05)
    closed: list[bool] = []
    response = StreamingHttpResponse(iter([b"one", b"two"]))
    response._resource_closers.append(lambda: closed.append(True))  # type: ignore[attr-defined] # Django's own
    answer = django_threads.Answer({"type": "http.response.start"}, stream=response)
    never = asyncio.Event()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await never.wait()

    with pytest.raises(TakenTooSlowly):
        await send_answer(answer, send)
    assert closed == [True]


async def test_a_stream_that_was_given_up_before_it_began_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = ThreadPoolExecutor(1)
    monkeypatch.setattr(django_threads, "_STREAMS", busy)
    go_on = threading.Event()
    busy.submit(go_on.wait, 60)
    response = StreamingHttpResponse([b"x"])

    async def send(message: Message) -> None:
        raise AssertionError

    answer = django_threads.Answer({"type": "http.response.start"}, stream=response)
    sending = asyncio.create_task(send_answer(answer, send))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert response.closed
    go_on.set()


@pytest.mark.parametrize(("kind", "threads"), [(HttpResponse, "django"), (StreamingHttpResponse, "stream")])
async def test_the_response_is_closed(kind: type[Any], threads: str) -> None:
    closed = []
    response = kind([b"x"])
    response._resource_closers.append(lambda: closed.append(threading.current_thread().name))
    await ask(lambda environ: response)
    assert len(closed) == 1
    assert closed[0].startswith(threads)


async def test_context_goes_along_and_does_not_come_back() -> None:
    def look(environ: dict[str, Any]) -> HttpResponse:
        found = _place.get()
        _place.set("elsewhere")
        return HttpResponse(found)

    _place.set("here")
    assert (await ask(look))[-1]["body"] == b"here"
    assert _place.get() == "here"


async def test_what_the_application_raises_is_raised() -> None:
    def fail(environ: dict[str, Any]) -> HttpResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(fail)


async def test_no_more_requests_are_answered_at_once_than_there_are_threads() -> None:
    at_once, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=60)

    def meet(environ: dict[str, Any]) -> HttpResponse:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        both.wait()
        with lock:
            at_once -= 1
        return HttpResponse()

    threads = DjangoThreads(application(meet), ThreadPoolExecutor(2, "django"))
    scope = {"method": "GET", "path": "/", "query_string": b"", "http_version": "1.1", "headers": []}

    async def receive() -> Message:
        raise AssertionError

    await asyncio.gather(*(threads.answer(scope, receive) for _ in range(8)))
    assert most == 2
