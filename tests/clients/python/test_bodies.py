"""Bodies of answers as the Python client reads them: unpacked and counted."""

from __future__ import annotations

import gzip
import zlib

import pytest

from prediction_gateway import bodies
from prediction_gateway.bodies import Body
from prediction_gateway.errors import ApiError

PACKED = {"content-encoding": "gzip"}


def read(*pieces: bytes, **headers: str) -> bytes:
    body = Body(200, {name.replace("_", "-"): value for name, value in headers.items()})
    for piece in pieces:
        body.add(piece)
    return body.end()


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LONGEST_BODY", 1 << 20)


def test_a_body_is_its_pieces_plain_or_packed() -> None:
    assert read() == b""
    assert read(b"{", b"}", content_encoding="identity") == b"{}"
    packed = gzip.compress(b'{"symbol": "AAPL"}', mtime=0)
    assert read(packed[:9], packed[9:], content_encoding="GZIP") == b'{"symbol": "AAPL"}'
    assert read(content_encoding="gzip") == b""  # a 304 or 204


@pytest.mark.usefixtures("_short")
def test_one_that_is_too_long_is_an_error_that_says_so() -> None:
    piece = bytes(1 << 19)
    assert len(read(piece, piece)) == 1 << 20
    with pytest.raises(ApiError, match=r"200 Unexpected answer: .* longer than 1 MiB .*request r-1"):
        read(piece, piece, b"!", x_request_id="r-1")


@pytest.mark.usefixtures("_short")
def test_one_that_becomes_too_long_is_not_unpacked_to_its_end() -> None:
    packing = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packing.compress(bytes(1 << 20)) for _ in range(64)) + packing.flush()
    assert len(bomb) < 1 << 17
    with pytest.raises(ApiError, match="longer than 1 MiB"):
        read(bomb, content_encoding="gzip")


@pytest.mark.parametrize(
    ("encoding", "piece", "said"),
    [
        ("gzip, gzip", b"", "encoded as 'gzip, gzip', which was not asked for"),
        ("br", b"", "encoded as 'br'"),
        ("gzip", b"{}", "cannot be unpacked"),
        ("gzip", gzip.compress(b"0123456789" * 99, mtime=0)[:-4], "its end is missing"),
    ],
)
def test_one_that_is_not_packed_as_it_should_be_is_an_error(encoding: str, piece: bytes, said: str) -> None:
    with pytest.raises(ApiError, match=said):
        read(piece, content_encoding=encoding)
