"""The dead letters for people, on a real NATS: listed by page, read, put back, deleted; never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.js import JetStreamContext

from events import connection, dead_letter_box, streams
from events.dead_letter_box import DeadLettersAway, NoSuchLetter, NotPutBack
from tests.servers import Server

DEAD = streams.dead_letter_subject(streams.EXPLAIN)


def on_nats(url: str, work: Callable[[JetStreamContext], Awaitable[Any]]) -> Any:
    """What `work` returns, on a connection of its own, with the streams there."""

    async def run() -> Any:
        opened = await connection.connect(url, name="tests")
        try:
            for stream in (streams.DEAD_LETTERS, streams.JOBS):
                await connection.ensure_stream(opened.jetstream, stream)
            return await work(opened.jetstream)
        finally:
            await opened.drain()

    return asyncio.run(run())


def bury(url: str, *bodies: bytes, subject: str = DEAD, **headers: str) -> None:
    """Put dead letters there."""
    told = {
        streams.MSG_ID_HEADER: "old",
        streams.REQUEST_ID_HEADER: "request-1",
        streams.DEAD_LETTER_REASON_HEADER: "no such depth",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }

    async def publish(jetstream: JetStreamContext) -> None:
        for number, body in enumerate(bodies):
            await jetstream.publish(
                subject, body, headers={**told, streams.MSG_ID_HEADER: f"{subject}-{number}"}
            )

    on_nats(url, publish)


def orders(url: str) -> list[Any]:
    """The messages in the stream of jobs."""

    async def read(jetstream: JetStreamContext) -> list[Any]:
        state = (await jetstream.stream_info(streams.JOBS.name)).state
        return [
            await jetstream.get_msg(streams.JOBS.name, seq)
            for seq in range(max(1, state.first_seq), state.last_seq + 1)
        ]

    return list(on_nats(url, read))


def test_where_nothing_has_died_the_list_is_empty(nats_url: str) -> None:
    assert dead_letter_box.list_letters(nats_url) == dead_letter_box.Page([], 0, None)


def test_letters_are_listed_newest_first_a_page_at_a_time(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_box, "PAGE_SIZE", 2)
    bury(nats_url, b"one", b"three", b"seven", b"!")
    dead_letter_box.delete(nats_url, 3)
    first = dead_letter_box.list_letters(nats_url)
    assert ([one.seq for one in first.letters], first.total) == ([4, 2], 3)
    second = dead_letter_box.list_letters(nats_url, before=first.older)
    assert [(one.seq, one.size, one.body) for one in second.letters] == [(1, 3, b"")]
    assert second.older is None
    [letter] = second.letters
    assert (letter.subject, letter.reason, letter.request_id) == (
        streams.EXPLAIN,
        "no such depth",
        "request-1",
    )
    assert letter.at is not None


def test_where_many_were_deleted_a_page_ends_and_the_next_goes_on(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_box, "_MOST_LOOKED_AT", 2)
    bury(nats_url, b"one", b"two", b"three", b"four")
    for seq in (2, 3):
        dead_letter_box.delete(nats_url, seq)
    first = dead_letter_box.list_letters(nats_url)
    second = dead_letter_box.list_letters(nats_url, before=first.older)
    assert [one.seq for one in first.letters] == [4]
    assert [one.seq for one in second.letters] == [1]


def test_a_letter_that_is_put_back_is_a_message_again_and_no_letter(nats_url: str) -> None:
    bury(nats_url, b"{}", X_Kind="kept")
    letter = dead_letter_box.put_back(nats_url, 1)
    assert letter.body == b"{}"
    [message] = orders(nats_url)
    headers = dict(message.headers)
    assert headers.pop(streams.MSG_ID_HEADER).startswith(f"{streams.EXPLAIN}-dead-")
    assert headers.pop("Nats-Expected-Stream", "JOBS") == "JOBS"
    assert headers == {"X-Request-ID": "request-1", "X-Kind": "kept"}
    assert (message.subject, message.data) == (streams.EXPLAIN, b"{}")
    assert dead_letter_box.list_letters(nats_url).total == 0
    with pytest.raises(NoSuchLetter):
        dead_letter_box.put_back(nats_url, 1)


def test_a_letter_that_could_not_be_deleted_is_put_back_once(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(jetstream: JetStreamContext, seq: int) -> None:
        raise TimeoutError

    bury(nats_url, b"{}")
    with monkeypatch.context() as patch:
        patch.setattr(dead_letter_box, "_remove", fail)
        with pytest.raises(DeadLettersAway):
            dead_letter_box.put_back(nats_url, 1)
    dead_letter_box.put_back(nats_url, 1)
    assert len(orders(nats_url)) == 1


def test_a_letter_without_its_end_is_not_put_back(nats_url: str) -> None:
    bury(nats_url, b"begin", X_Dead_Letter_Bytes="300000")
    assert dead_letter_box.get_letter(nats_url, 1).size == 300_000
    with pytest.raises(NotPutBack, match="beginning"):
        dead_letter_box.put_back(nats_url, 1)
    assert (orders(nats_url), dead_letter_box.list_letters(nats_url).total) == ([], 1)


def test_a_letter_is_not_put_back_to_a_subject_that_no_stream_of_ours_takes(nats_url: str) -> None:
    bury(nats_url, b"{}", subject="dlq.$JS.API.STREAM.DELETE.JOBS")
    with pytest.raises(NotPutBack, match="stream"):
        dead_letter_box.put_back(nats_url, 1)
    assert orders(nats_url) == []


def test_a_letter_is_deleted_once(nats_url: str) -> None:
    bury(nats_url, b"{}")
    assert dead_letter_box.delete(nats_url, 1).seq == 1
    for ask in (dead_letter_box.delete, dead_letter_box.get_letter):
        with pytest.raises(NoSuchLetter):
            ask(nats_url, 1)


def test_servers_that_refuse_are_not_asked_until_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DeadLettersAway):
        dead_letter_box.list_letters("nats://127.0.0.1:1, nats://127.0.0.1:2")
    assert "NoServersError" in caplog.text  # and no TimeoutError


def test_a_nats_that_hangs_is_given_up_after_the_deadline(
    nats_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_box, "DEADLINE_S", 0.3)
    nats_server.freeze()
    try:
        with pytest.raises(DeadLettersAway):
            dead_letter_box.list_letters(nats_server.url)
    finally:
        nats_server.thaw()
