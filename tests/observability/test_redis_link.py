"""The connection to Redis: what shares a write, and what happens when Redis is late, away, or says no."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway_project import embedded
from observability import redis_link
from observability.redis_link import RedisLink, RedisRefused, RedisUnavailable
from tests.servers import Server, running_valkey, temporary_folder

TRICKLE = b"$11\r\nhello"


@contextlib.asynccontextmanager
async def linked(url: str) -> AsyncIterator[RedisLink]:
    """A link to `url`."""
    link = RedisLink(url, name="tests")
    try:
        yield link
    finally:
        await link.close()


@contextlib.asynccontextmanager
async def listening(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that is polite at the greeting, says `answer` to each PING, and keeps what it has read."""
    read: list[bytes] = []
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            await reader.read(65536)  # CLIENT SETNAME
            writer.write(b"+OK\r\n")
            while data := await reader.read(1 << 20):
                read.append(data)
                writer.write(answer * data.count(b"PING"))
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", read
        await ended.wait()


async def test_calls_of_one_tick_share_one_write_and_get_their_own_replies() -> None:
    async with linked(os.environ["REDIS_URL"]) as link:
        replies = await asyncio.gather(*(link.call("ECHO", f"{n}") for n in range(200)))
        assert replies == [f"{n}".encode() for n in range(200)]
    async with listening(b"+PONG\r\n") as (url, read), linked(url) as link:
        await link.call("PING")
        read.clear()
        assert await asyncio.gather(*(link.call("PING") for _ in range(50))) == [b"PONG"] * 50
        assert len(read) == 1


async def test_a_reply_may_come_in_pieces() -> None:
    async with listening(TRICKLE) as (url, _), linked(url) as link:
        asked = [asyncio.ensure_future(link.call("PING")) for _ in range(2)]
        with pytest.raises(RedisUnavailable):  # the second half of the first never comes
            await asyncio.gather(*asked)


async def test_a_caller_that_has_gone_does_not_shift_the_replies_of_others() -> None:
    async with linked(os.environ["REDIS_URL"]) as link:
        await link.call("PING")
        first, second = (asyncio.ensure_future(link.call("ECHO", word)) for word in ("one", "two"))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == b"two"


async def test_an_error_of_redis_is_raised_and_the_link_goes_on() -> None:
    async with linked(os.environ["REDIS_URL"]) as link:
        with pytest.raises(RedisRefused, match="unknown command"):
            await link.call("NO-SUCH-COMMAND")
        link.tell("NO-SUCH-COMMAND")
        assert await link.call("PING") == b"PONG"


async def test_the_url_names_user_password_and_database() -> None:
    with running_valkey() as server:
        place = server.url.removeprefix("redis://").partition("/")[0]
        async with linked(server.url) as link:
            await link.call("ACL", "SETUSER", "ann", "on", ">secret", "~*", "&*", "+@all")
            await link.call("CONFIG", "SET", "requirepass", "other")
        async with linked(f"redis://ann:secret@{place}/3") as link:
            assert b"user=ann" in await link.call("CLIENT", "INFO")
            assert b" db=3 " in await link.call("CLIENT", "INFO")
            assert b" name=prediction-gateway-tests " in await link.call("CLIENT", "INFO")
        async with linked(f"redis://:other@{place}/0") as link:
            assert await link.call("PING") == b"PONG"
        async with linked(f"redis://:wrong@{place}/0") as link:
            with pytest.raises(RedisUnavailable):
                await link.call("PING")


async def test_a_unix_socket_will_do() -> None:
    with temporary_folder() as folder:
        made = embedded.valkey(folder, embedded.free_port())
        path = folder / "socket"
        server = Server([*made.command, "--unixsocket", str(path)], made.port, made.url, folder)
        server.start()
        try:
            async with linked(f"unix://{path}?db=2") as link:
                assert b" db=2 " in await link.call("CLIENT", "INFO")
        finally:
            server.stop()


async def test_a_reply_that_is_late_fails_every_waiting_call_and_later_ones_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_link, "TIMEOUT_S", 0.2)
    loop = asyncio.get_running_loop()
    with running_valkey() as server:
        async with linked(server.url) as link:
            await link.call("PING")
            server.freeze()
            results = await asyncio.gather(*(link.call("PING") for _ in range(20)), return_exceptions=True)
            assert all(isinstance(result, RedisUnavailable) for result in results)
            began = loop.time()
            with pytest.raises(RedisUnavailable):
                await link.call("PING")
            assert loop.time() - began < 0.15
            server.thaw()
            assert await _until_it_answers(link) == b"PONG"


async def test_a_killed_redis_fails_at_once_and_is_found_again_after_its_start() -> None:
    with running_valkey() as server:
        async with linked(server.url) as link:
            await link.call("PING")
            server.kill()
            with pytest.raises(RedisUnavailable):
                await link.call("PING")
            with pytest.raises(RedisUnavailable):
                await link.call("PING")
            server.start()
            assert await _until_it_answers(link) == b"PONG"


async def _until_it_answers(link: RedisLink) -> bytes:
    async with asyncio.timeout(10):
        while True:
            try:
                answer: bytes = await link.call("PING")
            except RedisUnavailable:
                await asyncio.sleep(0.05)
            else:
                return answer


async def test_nonsense_from_the_other_side_is_no_reply() -> None:
    async with listening(b"this is not the protocol\r\n") as (url, _), linked(url) as link:
        with pytest.raises(RedisUnavailable):
            await link.call("PING")


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_link, "_MOST_WAITING", 10)
    async with linked(os.environ["REDIS_URL"]) as link:
        await link.call("PING")
        results = await asyncio.gather(*(link.call("PING") for _ in range(15)), return_exceptions=True)
        assert results.count(b"PONG") == 10
        assert sum(isinstance(result, RedisUnavailable) for result in results) == 5


async def test_callers_that_come_while_it_connects_share_the_connection() -> None:
    with running_valkey() as server:
        async with linked(server.url) as link:
            await asyncio.gather(*(link.call("PING") for _ in range(30)))
            listed = await link.call("CLIENT", "LIST")
            assert listed.count(b"name=prediction-gateway-tests") == 1


async def test_closing_waits_for_replies_and_a_closed_link_to_nowhere_is_no_error(tmp_path: Path) -> None:
    link = RedisLink(os.environ["REDIS_URL"], name="tests")
    await link.call("PING")
    asked = asyncio.ensure_future(link.call("ECHO", "last"))
    await asyncio.sleep(0)
    await link.close()
    assert await asked == b"last"
    nowhere = RedisLink(f"unix://{tmp_path}/nobody", name="tests")
    with pytest.raises(RedisUnavailable):
        await nowhere.call("PING")
    nowhere.tell("PING")
    await nowhere.close()
