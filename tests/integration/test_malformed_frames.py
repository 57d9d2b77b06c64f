"""Malformed requests of every kind over a real server: each is told what is wrong, and ten are forgiven."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from benchmarks.side_by_side.processes import own_resident_kb
from realtime.protocol import limits, requests
from tests.conftest import surviving_stack
from tests.stack import Stack, receive, send

ID = "7"
REQUIRED: dict[str, dict[str, Any]] = {
    "auth": {"api_key": "pgw_live_x"},
    "subscribe": {"symbols": ["AAPL"]},
    "unsubscribe": {"symbols": ["AAPL"]},
    "watch": {"job_id": "12345678-1234-1234-1234-123456789abc"},
    "ping": {},
}
BAD_IDS: list[Any] = [True, 1, 1.5, [], {}, "x" * 65]
BAD_SYMBOLS: list[Any] = [None, True, 1, "AAPL", {}, [], ["A"] * 1_001, ["A", 1], [None], [["A"]], [{}]]
BAD_FLAGS: list[Any] = [None, 0, 1, "true", []]
BAD_NUMBERS: list[Any] = [None, True, "1", [], -0.1]
BAD_VALUES: dict[str, dict[str, list[Any]]] = {
    "auth": {"api_key": [1, True, [], {}], "token": [1, False, [], {}], "id": BAD_IDS},
    "subscribe": {
        "symbols": BAD_SYMBOLS,
        "mode": [None, 1, [], "", "ALL", "x" * 5_000],
        "interval_ms": [None, True, "250", [], 0, 9, -1, 60_001, 10.5, 250.0, 2**63, 2**64, 10**400],
        "snapshot": BAD_FLAGS,
        "since": [True, 1, "1a1fd1987a2", [], {}, {"epoch": "e"}, {"seq": 1}],
        "min_confidence": [*BAD_NUMBERS, 1.01, 10**400],
        "min_move_pct": [*BAD_NUMBERS, 1_000.5, 10**400],
        "timing": BAD_FLAGS,
        "explanations": BAD_FLAGS,
        "id": BAD_IDS,
    },
    "unsubscribe": {"symbols": BAD_SYMBOLS, "id": BAD_IDS},
    "watch": {
        "job_id": [
            None,
            1,
            [],
            {},
            "",
            "x",
            "12345678-1234-1234-1234-123456789ab",
            "12345678-1234-1234-1234-123456789abcd",
            "{12345678-1234-1234-1234-123456789abc}",
            "12345678-1234-1234-1234-123456789abg",
        ],
        "id": BAD_IDS,
    },
    "ping": {"id": BAD_IDS},
}
BAD_SINCE: dict[str, list[Any]] = {
    "epoch": [None, 1, [], "x" * 33],
    "seq": [None, "1", True, 1.5, -1, 2**63, 10**400],
    "seqs": [None, 1, [], {"A": "1"}, {"A": -1}, {"A": 2**63}, {f"S{n}": 1 for n in range(1_001)}],
}
DEEP = "[" * 5_000 + "]" * 5_000


class Malformed(NamedTuple):
    """A frame, sent as text or as bytes, and its error: the code, what the detail names, and the id."""

    frame: str | bytes
    code: str
    named: str = ""
    id: str | None = None


def _with(action: str, **fields: Any) -> str:
    return json.dumps({"action": action, "id": ID, **REQUIRED[action], **fields})


def _field(action: str, field: str, value: Any, path: str) -> Malformed:
    return Malformed(_with(action, **{field: value}), "INVALID_MESSAGE", path, None if field == "id" else ID)


def _not_json() -> Iterator[Malformed]:
    texts = ["", " ", "\t", "{", "}", '"', "x", "{'action':'ping'}", "{action:ping}", "NaN", "\ufeff{}"]
    texts += ['{"action":"ping"', '{"action":"ping"}x', '{"action":"ping"}{}', '{"action":"ping",}']
    texts += ['{"action":"ping"} // why', '{"action" "ping"}', '{"action":"ping" "id":"7"}', "\x00", "tru"]
    # Not even where nobody looks.
    wrong = [
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "0x1",
        "nul",
        "[1,]",
        "[",
        DEEP,
    ]
    wrong += [r'"\ud800"', r'"\udc00"', r'"\ud800A"', r'"\u12"', r'"\x41"', '"\x01"', '"\n"']
    texts += [f'{{"action":"ping","more":{value}}}' for value in wrong]
    texts += [f'{{"action":"ping","id":{value}}}' for value in (r'"\ud800"', '"\x00"', "NaN")]
    texts += [f'{{"action":"subscribe","symbols":[{value}]}}' for value in (r'"\ud800"', "NaN", "A")]
    texts.append('{"a":' * 10_000)
    junk = [b"\x00", b"\xff\xfe", b"\x80", b"\x1f\x8b\x08\x00", '{"action":"ping"}'.encode("utf-16")]
    for bad in (b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"):
        junk += [b'{"action":"%s"}' % bad, b'{"action":"ping","id":"%s"}' % bad]
    frames: list[str | bytes] = [*texts, *junk]
    return (Malformed(frame, "INVALID_JSON") for frame in frames)


def _no_object() -> Iterator[Malformed]:
    for text in (
        "[",
        "[]",
        "1",
        "-1.5",
        "null",
        "true",
        '"ping"',
        '["ping"]',
        "[{}]",
        "[" * 10_000,
        '[{"action"',
    ):
        yield Malformed(text, "INVALID_MESSAGE", "object")


def _wrong_actions() -> Iterator[Malformed]:
    for text in ("{}", '{"Action":"ping"}', '{"type":"ping"}', '{"":"ping"}'):
        yield Malformed(text, "INVALID_MESSAGE", "`action`")
    unknown: list[Any] = [None, True, 1, 1.5, [], {}, ["ping"], "", "PING", "ping ", "pong", "x" * 5_000]
    for action in unknown:
        text = json.dumps({"id": ID, "action": action})
        yield Malformed(text, "INVALID_MESSAGE", "`$.action`", ID)
    for text in ('{"action":"dance","action":"ping"}', '{"action":"ping","action":"dance"}'):
        yield Malformed(text, "INVALID_MESSAGE", "`$.action`")


def _wrong_fields() -> Iterator[Malformed]:
    for action, fields in BAD_VALUES.items():
        for field, values in fields.items():
            yield from (_field(action, field, value, f"$.{field}") for value in values)
    for field, values in BAD_SINCE.items():
        for value in values:
            since = {"epoch": "e", "seq": 1, field: value}
            yield _field("subscribe", "since", since, f"$.since.{field}")
    # A number that no float can hold; and of two values of one name the last one counts.
    for text in ('"min_confidence":1e400', '"interval_ms":1e400', '"mode":"all","mode":"none"'):
        field = text[1 : text.index('":')]
        frame = f'{{"action":"subscribe","symbols":["A"],{text},"id":"{ID}"}}'
        yield Malformed(frame, "INVALID_MESSAGE", f"$.{field}", ID)


def _missing_fields() -> Iterator[Malformed]:
    for action, field in (("subscribe", "symbols"), ("unsubscribe", "symbols"), ("watch", "job_id")):
        yield Malformed(json.dumps({"action": action, "id": ID}), "INVALID_MESSAGE", f"`{field}`", ID)
    for fields in ({}, {"api_key": None}, {"api_key": "a", "token": "b"}):
        yield Malformed(json.dumps({"action": "auth", "id": ID, **fields}), "INVALID_MESSAGE", "api_key", ID)


KINDS: dict[str, list[Malformed]] = {
    "not JSON": list(_not_json()),
    "JSON, but no object": list(_no_object()),
    "no action, or an unknown one": list(_wrong_actions()),
    "a field of the wrong type or out of bounds": list(_wrong_fields()),
    "a field is missing": list(_missing_fields()),
}
EVERY_ONE = [one for kind in KINDS.values() for one in kind]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, subprocess.Popen[bytes]]]:
    """A gateway of these tests alone: at their end it still answers, and its log holds no trace."""
    with surviving_stack(tmp_path_factory.mktemp("malformed") / "log") as (made, processes):
        yield made, processes["web"]


@pytest.fixture(scope="module")
def gateway(web: tuple[Stack, subprocess.Popen[bytes]]) -> Stack:
    """The gateway without its process."""
    return web[0]


def assert_told(socket: ClientConnection, one: Malformed) -> None:
    """Send it and hear what is wrong."""
    socket.send(one.frame)
    error = receive(socket)
    assert (error["type"], error["code"], error.get("id")) == ("error", one.code, one.id), (one, error)
    assert one.named in error["detail"], (one, error)


def send_ten(gateway: Stack, ten: list[Malformed]) -> None:
    """Ten malformed frames are told, the connection stays; the eleventh is told and closes it."""
    one_more = Malformed("{}", "INVALID_MESSAGE", "action")
    with gateway.socket() as socket:
        for one in ten + [one_more] * (limits.MAX_BAD_FRAMES - len(ten)):
            assert_told(socket, one)
        send(socket, action="ping", id="still here")
        assert receive(socket) == {"type": "pong", "id": "still here"}
        assert_told(socket, one_more)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


def in_tens(frames: list[Malformed]) -> list[list[Malformed]]:
    """As many as one connection may send."""
    return [frames[n : n + limits.MAX_BAD_FRAMES] for n in range(0, len(frames), limits.MAX_BAD_FRAMES)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_malformed_frame_is_told_what_is_wrong_and_the_eleventh_closes(
    gateway: Stack, kind: str
) -> None:
    for ten in in_tens(KINDS[kind]):
        send_ten(gateway, ten)


def test_two_hundred_frames_of_which_none_is_like_another() -> None:
    frames = [one.frame for one in EVERY_ONE]
    assert len(set(frames)) == len(frames) >= 200


def test_every_field_of_every_request_is_among_them() -> None:
    for request in get_args(requests.Request):
        action = str(request.__struct_config__.tag)
        known = {field.name for field in msgspec.structs.fields(request)}
        assert set(BAD_VALUES[action]) == known, f"give BAD_VALUES wrong values for each field of {action}"
    assert set(BAD_SINCE) == {field.name for field in msgspec.structs.fields(requests.Since)}


def test_a_malformed_frame_before_the_credential_closes_at_once(gateway: Stack) -> None:
    with connect(gateway.socket_url, close_timeout=1) as socket:
        assert_told(socket, EVERY_ONE[0])
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


def test_malformed_frames_do_not_grow_the_server(web: tuple[Stack, subprocess.Popen[bytes]]) -> None:
    gateway, process = web

    def send_every_one() -> None:
        for ten in in_tens(EVERY_ONE):
            send_ten(gateway, ten)

    send_every_one()
    before = own_resident_kb(process.pid)
    for _ in range(3):
        send_every_one()
    assert own_resident_kb(process.pid) - before < 4 * 1024
