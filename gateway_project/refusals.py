"""The answer to a request that ends before Django sees it."""

from __future__ import annotations

import msgspec

from gateway_project import cors, security_headers
from gateway_project.addresses import RawHeaders
from gateway_project.admission import Refused
from gateway_project.bodies import MAX_BODY_BYTES
from gateway_project.house_headers import Pair, encoded
from gateway_project.problems import CONTENT_TYPE, problem

_MOST_DISCARDED_BYTES = 8 * MAX_BODY_BYTES


def answer(refused: Refused, *, path: str, asked: RawHeaders) -> tuple[int, list[Pair], bytes]:
    """Status, headers and body of the problem that `refused` is, for who has sent the headers `asked`.

    It bears the id of the current request.
    """
    body = problem(refused.code, path=path, detail=refused.detail, **refused.extra)
    headers = [
        *encoded([("Vary", "Authorization, X-API-Key"), *refused.headers]),
        *cors.headers_for(path, asked),
    ]
    if not _is_short(asked):
        headers.append((b"connection", b"close"))  # what is still on its way is not read
    sent = msgspec.json.encode(body)
    return body["status"], uncached(CONTENT_TYPE.encode(), sent, headers), sent


def uncached(content_type: bytes, body: bytes, more: list[Pair]) -> list[Pair]:
    """The headers of an answer in one piece that nobody may keep."""
    return [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *security_headers.OF_DATA,
        *more,
    ]


def _is_short(headers: RawHeaders) -> bool:
    """Whether the body is read to its end: to close before that resets the connection, answer and all."""
    told = dict(headers)
    length = told.get(b"content-length", b"0")
    return b"transfer-encoding" not in told and length.isdigit() and int(length) <= _MOST_DISCARDED_BYTES
