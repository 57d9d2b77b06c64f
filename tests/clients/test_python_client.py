"""The Python client on a real gateway: every method in both shells, drops, the command, its installation."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket as sockets
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_project.settings import BASE_DIR
from prediction_gateway import (
    ApiError,
    AsyncClient,
    Client,
    ConflictError,
    Connected,
    ConnectionFailedError,
    Disconnected,
    Gap,
    Job,
    JobFailedError,
    JobTimeoutError,
    Message,
    NotFoundError,
    Response,
    Stream,
    StreamClosedError,
    Update,
    __version__,
)
from prediction_gateway.command.main import main
from tests.explained import add_job
from tests.people import add_key, add_tier
from tests.stack import Stack, event, eventually, numbered

FOLDER = BASE_DIR / "clients/python"


@pytest.fixture(scope="session")
def known(stack: Stack) -> str:
    """A symbol with seven predictions."""
    stack.publish(*[{**one, "features": {"momentum": 0.25}} for one in numbered("PYCLI", 7)])
    eventually(lambda: stack.count_rows("PYCLI") == 7)
    return "PYCLI"


@pytest.fixture(scope="module")
def explained(stack: Stack) -> Iterator[str]:
    """A symbol whose explanations succeed, while a worker runs; PYBAD's fail."""
    stack.environ["EXPLAINER"] = "tests.explanations.explainers.Versatile"
    stack.environ["EXPLAIN_TRIES"] = "1"
    worker = stack.start_worker()
    stack.publish(event("PYEXP", model_version="good"), event("PYBAD", model_version="telling"))
    eventually(lambda: stack.read("PYEXP") and stack.read("PYBAD"))
    yield "PYEXP"
    worker.terminate()
    worker.wait(timeout=60)


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """A client with the stack's key."""
    with Client(stack.base_url, stack.key) as made:
        yield made


def test_every_read(client: Client, known: str) -> None:
    read = client.prediction(known, include_features=True)
    assert (read.symbol, read.predicted_price, read.features) == (known, 7.0, {"momentum": 0.25})
    oldest = list(client.history(known))[-1]
    assert client.prediction(known, as_of=oldest.timestamp).predicted_price == 1.0
    many = client.predictions([known, "ZZZZZ"])
    assert (list(many.predictions), many.missing) == ([known], ["ZZZZZ"])
    assert [one.predicted_price for one in client.history(known, page_size=2)] == [7, 6, 5, 4, 3, 2, 1]
    assert len(list(client.history(known, limit=3, page_size=2, include_features=True))) == 3
    assert next(client.history(known, end=oldest.timestamp, include_outcome=True)).seq == oldest.seq
    assert client.accuracy(known).symbol == known
    assert known in list(client.symbols(page_size=1))
    assert client.profile(days=1).caller.kind == "key"
    assert client.version().name == "prediction-gateway"


def test_pages_are_read_as_they_are_needed(stack: Stack, known: str) -> None:
    seen: list[Response] = []
    with Client(stack.base_url, stack.key, on_response=seen.append) as client:
        history = client.history(known, page_size=2)
        assert not seen
        assert [next(history).predicted_price for _ in range(3)] == [7, 6, 5]
    assert len(seen) == 2


async def test_every_call_of_the_asynchronous_client(stack: Stack, known: str, explained: str) -> None:
    async with AsyncClient(stack.base_url, stack.key) as client:
        assert (await client.prediction(known)).predicted_price == 7
        assert (await client.predictions([known])).missing == []
        assert [one.predicted_price async for one in client.history(known, limit=3, page_size=2)] == [7, 6, 5]
        assert known in [one async for one in client.symbols()]
        assert (await client.accuracy(known)).symbol == known
        assert (await client.profile()).days == 7
        assert (await client.version()).name == "prediction-gateway"
        told: list[Job] = []
        found = await client.explain(explained, "medium", on_progress=told.append)
        assert (found.summary, found.depth, told[-1].status) == ("It goes to 188.1.", "medium", "done")
        assert (await client.explanation(explained, "medium")).job_id == found.job_id
        job = await client.order_explanation(explained, "medium")
        assert (await client.job(job.job_id)).status == "done"
        with pytest.raises(ConflictError):
            await client.cancel_job(job.job_id)
        with pytest.raises(NotFoundError):
            await client.prediction("ZZZZZ")


async def test_nobody_answers_the_asynchronous_client() -> None:
    async with AsyncClient("http://127.0.0.1:9", retries=0) as client:
        with pytest.raises(ConnectionFailedError, match="after 1 attempt"):
            await client.version()


def test_a_read_again_is_a_304(stack: Stack, known: str) -> None:
    seen: list[Response] = []
    with Client(stack.base_url, stack.key, on_response=seen.append) as client:
        first, second = client.prediction(known), client.prediction(known)
    assert [one.status for one in seen] == [200, 304]
    assert second.age_seconds > first.age_seconds
    assert second.predicted_price == first.predicted_price


def test_a_429_is_waited_out_or_raised(stack: Stack, known: str) -> None:
    key = add_key(stack, add_tier(stack, ("two", "account", 1, 1, None))).secret
    seen: list[Response] = []
    with Client(stack.base_url, key, cache_size=0, on_response=seen.append) as client:
        for _ in range(2):
            assert client.prediction(known).predicted_price == 7
    assert [one.status for one in seen] == [200, 429, 200]
    assert (seen[1].retry_in_s or 0) >= 1
    slow = add_key(stack, add_tier(stack, ("one", "account", 1, 3600, None))).secret
    with Client(stack.base_url, slow, cache_size=0) as client:
        client.prediction(known)
        with pytest.raises(ApiError) as raised:
            client.prediction(known)
    assert raised.value.status == 429
    assert (raised.value.retry_after or 0) > 60


def test_explanations(client: Client, explained: str) -> None:
    told: list[Job] = []
    found = client.explain(explained, "deep", on_progress=told.append)
    assert (found.summary, found.depth) == ("It goes to 188.1.", "deep")
    assert client.explanation(explained, "deep") == found
    first = client.order_explanation(explained, "fast", idempotency_key="python-1", wait_s=5)
    assert first.explanation is not None
    assert client.order_explanation(explained, "fast", idempotency_key="python-1").job_id == first.job_id
    with pytest.raises(ConflictError):
        client.cancel_job(first.job_id)


def test_an_explanation_that_fails_says_why(client: Client, explained: str) -> None:
    with pytest.raises(JobFailedError, match="there is no history") as raised:
        client.explain("PYBAD", "fast")
    assert (raised.value.status, raised.value.code) == (500, "EXPLANATION_FAILED")


def test_a_job_that_was_cancelled_is_gone(stack: Stack) -> None:
    key = add_key(stack, "enterprise")
    job_id = str(add_job(stack, key.account_id))
    with Client(stack.base_url, key.secret) as client:
        assert client.job(job_id).status == "queued"
        client.cancel_job(job_id)
        with pytest.raises(NotFoundError, match="JOB_CANCELLED"):
            client.job(job_id)


def answer_queued(_: httpx.Request) -> httpx.Response:
    """A gateway whose jobs are never done."""
    return httpx.Response(202, json={"job_id": "1", "status": "queued", "depth": "fast"})


async def test_an_explanation_is_not_waited_for_without_end() -> None:
    transport = httpx.MockTransport(answer_queued)
    with Client(transport=transport) as client, pytest.raises(JobTimeoutError, match="job 1 goes on"):
        client.explain("AAPL", wait_s=0.01)
    async with AsyncClient(transport=transport) as other:
        with pytest.raises(JobTimeoutError):
            await other.explain("AAPL", wait_s=0.01)


def prices(messages: list[Message]) -> list[float]:
    return [message.predicted_price for message in messages if isinstance(message, Update)]


def take_until(stream: Iterator[Message], count: int) -> list[Message]:
    """Messages until there were `count` updates."""
    taken: list[Message] = []
    while len(prices(taken)) < count:
        taken.append(next(stream))
    return taken


def cut(stream: Stream) -> None:
    """End the connection without a word, as a network does."""
    assert stream._socket is not None
    stream._socket.socket.shutdown(sockets.SHUT_RDWR)


@pytest.mark.parametrize("mode", ["all", "batch"])
def test_what_was_missed_comes_in_order_and_once(
    stack: Stack, client: Client, symbol: str, mode: Any
) -> None:
    payloads = numbered(symbol, 30)
    stack.publish(*payloads[:5])
    eventually(lambda: stack.count_rows(symbol) == 5)
    with client.stream([symbol], mode=mode, snapshot=False) as stream:
        assert not stream.connected
        assert isinstance(next(iter(stream)), Connected)
        publish_when_subscribed(stack, stream, payloads[5:10])
        assert prices(take_until(stream, 5)) == [6, 7, 8, 9, 10]
        cut(stream)
        stack.publish(*payloads[10:20])
        again = take_until(stream, 10)
        assert prices(again) == [float(n) for n in range(11, 21)]
        assert [type(one) for one in again[:2]] == [Disconnected, Connected]
        assert isinstance(again[0], Disconnected)
        assert again[0].code == 1006
        assert again[1] == Connected(connection_id=again[1].connection_id, resumed=True)  # type: ignore[union-attr]
        stack.publish(*payloads[20:])
        assert prices(take_until(stream, 10)) == [float(n) for n in range(21, 31)]
    assert list(stream) == []


def publish_when_subscribed(stack: Stack, stream: Stream, payloads: list[dict[str, Any]]) -> None:
    """Publish from beside: the subscription is sent when the next message is asked for."""

    def publish() -> None:
        eventually(lambda: stream.positions)
        stack.publish(*payloads)

    threading.Thread(target=publish, daemon=True).start()


def test_the_first_updates_of_a_symbol_that_were_missed_are_a_gap(
    stack: Stack, client: Client, symbol: str, known: str
) -> None:
    with client.stream([symbol, known]) as stream:
        take_until(stream, 1)
        cut(stream)
        stack.publish(*numbered(symbol, 3))
        eventually(lambda: stack.count_rows(symbol) == 3)
        taken = take_until(stream, 1)
    gap, last = taken[-2:]
    assert isinstance(gap, Gap)
    assert isinstance(last, Update)
    assert (gap.symbol, gap.from_seq, gap.to_seq) == (symbol, 0, last.seq)
    assert (last.snapshot, last.predicted_price) == (True, 3.0)


async def test_the_asynchronous_stream_comes_back_as_well(stack: Stack, symbol: str) -> None:
    payloads = numbered(symbol, 9)
    await asyncio.to_thread(stack.publish, *payloads[:3])
    await asyncio.to_thread(eventually, lambda: stack.count_rows(symbol) == 3)
    got: list[Message] = []
    async with (
        AsyncClient(stack.base_url, stack.key) as client,
        client.stream([symbol], timing=True) as stream,
    ):
        async for message in stream:
            got.append(message)
            if prices(got) == [3] and isinstance(message, Update):
                assert stream.connected
                assert stream.positions[symbol].seq == message.seq
                assert stream._socket is not None
                stream._socket.transport.abort()
                await asyncio.to_thread(stack.publish, *payloads[3:])
            if len(prices(got)) == 7:
                break
        assert prices(got) == [3, 4, 5, 6, 7, 8, 9]
        assert sum(isinstance(one, Disconnected) for one in got) == 1
    assert [message async for message in stream] == []


async def test_another_task_may_end_an_asynchronous_stream(stack: Stack, known: str) -> None:
    async with AsyncClient(stack.base_url, stack.key) as client:
        stream = client.stream([known])
        first = await anext(aiter(stream.updates()))
        assert first.snapshot
        task = asyncio.create_task(anext(stream.updates(), None))
        await asyncio.sleep(0)
        await stream.aclose()
        assert await task is None


def test_another_thread_may_end_a_stream(client: Client, known: str) -> None:
    stream = client.stream([known])
    assert next(stream.updates()).snapshot
    ended = threading.Event()

    def wait() -> None:
        assert list(stream) == []
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    client.close()
    assert ended.wait(10)


def test_a_stream_with_a_bad_key_ends_with_the_reason(stack: Stack, known: str) -> None:
    with (
        Client(stack.base_url, "pgw_live_mistyped") as client,
        pytest.raises(StreamClosedError, match="malformed") as raised,
    ):
        next(client.stream([known]))
    assert (raised.value.code, raised.value.reason) == (4401, "INVALID_CREDENTIAL")


async def test_a_stream_to_another_path_is_an_error(stack: Stack, known: str) -> None:
    with Client(stack.base_url + "/no", stack.key) as client, pytest.raises(NotFoundError):
        next(client.stream([known]))
    async with AsyncClient(stack.base_url + "/no", stack.key) as other:
        with pytest.raises(NotFoundError):
            await anext(other.stream([known]))


def test_a_stream_without_a_key_is_not_even_tried() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(ValueError, match="PGW_API_KEY"):
        client.stream(["AAPL"])


def test_a_stream_to_nobody_gives_up_when_it_is_told_to() -> None:
    with Client("http://127.0.0.1:9", "pgw_test_key") as client:
        stream = client.stream(["AAPL"], give_up_after_s=0.1)
        gone = next(stream)
        assert isinstance(gone, Disconnected)
        assert gone.code is None
        with pytest.raises(ConnectionFailedError):
            next(stream)


def test_the_key_is_in_no_log(stack: Stack, known: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), Client(stack.base_url, stack.key) as client:
        client.prediction(known)
        next(client.stream([known]))
        assert stack.key not in repr(client.settings)
    assert "Authorization: …" in caplog.text
    assert stack.key not in caplog.text


class Command:
    """``pgw`` with the address and the key of a stack."""

    def __init__(self, stack: Stack) -> None:
        self.environ = {
            **os.environ,
            "PGW_URL": stack.base_url,
            "PGW_API_KEY": stack.key,
            "PYTHONPATH": str(FOLDER / "src"),
        }

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start Python with `arguments`."""
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Tests that run in the background of a shell ignore Ctrl-C, and so would the program.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
            **options,
        )


@pytest.fixture
def command(stack: Stack) -> Command:
    return Command(stack)


def run(stack: Stack, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The command within this process: status, stdout, stderr."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGW_URL", stack.base_url)
        patch.setenv("PGW_API_KEY", stack.key)
        status = main(arguments)
    return status, *capsys.readouterr()


def test_pgw_get(stack: Stack, known: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = run(stack, capsys, "get", known, "--features")
    assert (status, err) == (0, "")
    assert known in out
    assert "momentum  0.25" in out
    status, out, err = run(stack, capsys, "get", known, "ZZZZZ", "--json")
    assert (status, json.loads(out)["predicted_price"]) == (1, 7.0)
    assert "no prediction of ZZZZZ" in err
    status, out, err = run(stack, capsys, "get", "ZZZZZ", "YYYYY")
    assert (status, out) == (1, "")
    status, _, err = run(stack, capsys, "get", "zz")
    assert status == 1
    assert err.startswith("pgw: 400 INVALID_SYMBOL")
    assert "(request " in err
    (tmp_path / "key").write_text("pgw_live_mistyped\n")
    status, _, err = run(stack, capsys, "get", known, "--key-file", str(tmp_path / "key"))
    assert (status, "401 INVALID_CREDENTIAL" in err, "mistyped" in err) == (1, True, False)
    status, _, err = run(stack, capsys, "get", known, "--key-file", str(tmp_path / "none"))
    assert status == 2
    status, _, err = run(stack, capsys, "get", known, "--url", "ftp://x")
    assert (status, "URL of the gateway" in err) == (2, True)


def test_pgw_explain(stack: Stack, explained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(stack, capsys, "explain", explained, "--depth", "deep")
    assert status == 0
    assert "It goes to 188.1." in out
    assert "momentum" in out
    status, out, _ = run(stack, capsys, "explain", explained, "--json")
    assert (status, json.loads(out)["depth"]) == (0, "fast")
    status, _, err = run(stack, capsys, "explain", "PYBAD", "--depth", "deep")
    assert (status, "there is no history" in err) == (1, True)


def test_pgw_replay_is_in_the_order_in_which_it_was_made(
    stack: Stack, known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(stack, capsys, "replay", known, "--speed", "1000", "--json")
    assert status == 0
    assert [json.loads(line)["predicted_price"] for line in out.splitlines()] == [1, 2, 3, 4, 5, 6, 7]
    assert "REPLAY, not live: 7 stored predictions" in err
    status, out, err = run(stack, capsys, "replay", known, "--speed", "1000", "--longest-pause", "0.0001")
    assert "is cut short" in err
    assert all(line.startswith("replay  ") for line in out.splitlines())
    assert run(stack, capsys, "replay", known, "--to", "2000-01-01")[0] == 1
    with pytest.raises(SystemExit):
        run(stack, capsys, "replay", known, "--speed", "0")


def test_pgw_watch_ends_with_ctrl_c_and_without_a_trace(stack: Stack, known: str, command: Command) -> None:
    with command.start("-m", "prediction_gateway.command", "watch", known) as watching:
        assert watching.stdout is not None
        assert "newest value" in watching.stdout.readline()
        stack.publish(event(known))
        assert "in the gateway" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.stderr is not None
        assert watching.stderr.read() == "-- connected\n"
    assert watching.returncode == 130


def test_pgw_in_a_pipe_whose_reader_goes(known: str, command: Command) -> None:
    with command.start("-m", "prediction_gateway.command", "replay", known, "--speed", "9") as writing:
        assert writing.stdout is not None
        writing.stdout.readline()
        writing.stdout.close()
        assert writing.stderr is not None
        assert "Traceback" not in writing.stderr.read()
    assert writing.returncode == 141


@pytest.mark.parametrize("name", ["errors", "reconnects", "explain"])
def test_an_example_runs_as_it_stands(
    stack: Stack, known: str, explained: str, command: Command, name: str
) -> None:
    arguments = {"errors": [], "reconnects": [known], "explain": [explained]}[name]
    command.environ["UPDATES"] = "3"
    with command.start(str(FOLDER / f"examples/{name}.py"), *arguments) as running:
        while name == "reconnects" and running.poll() is None:
            stack.publish(event(known))
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert {"errors": "has never been predicted", "reconnects": "connected", "explain": "It goes"}[
        name
    ] in out


def test_it_is_installed_from_its_folder(known: str, command: Command, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv/bin"
    installing = [str(scripts / "pip"), "install", "--quiet", str(FOLDER)]
    done = subprocess.run(installing, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    del command.environ["PYTHONPATH"]
    for arguments, told in ((["--version"], f"pgw {__version__}"), (["get", known], known)):
        shown = subprocess.run(
            [scripts / "pgw", *arguments],
            env=command.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert told in shown.stdout
