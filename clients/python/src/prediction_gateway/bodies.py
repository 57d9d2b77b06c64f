"""The body of an answer as it comes: unpacked here, and counted, so that no server can fill the memory. Pure.

httpx would unpack whatever is in one piece before anybody could count it, and packings in packings as well: a
few kilobytes become terabytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from prediction_gateway import problems

LONGEST_BODY = 32 * 1024 * 1024
"""Bytes, unpacked: the longest page of a history has less than a tenth of it."""
ENCODING = "gzip"
"""The one that is asked for."""


class Body:
    """The body of the answer with `status` and `headers` (by names in lower case)."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self._status = status
        self._headers = headers
        self._read = bytearray()
        encoding = headers.get("content-encoding", "").strip().lower()
        self._unpacking = zlib.decompressobj(wbits=31) if encoding in ("gzip", "x-gzip") else None
        if self._unpacking is None and encoding not in ("", "identity"):
            raise self._unexpected(f"it is encoded as {encoding[:40]!r}, which was not asked for")

    def add(self, piece: bytes) -> None:
        """Take the next piece. Raises `ApiError` when it is too much, or not packed as the answer says."""
        if self._unpacking is not None:
            piece = self._unpack(self._unpacking, piece)
        if len(self._read) + len(piece) > LONGEST_BODY:
            raise self._unexpected(f"it is longer than {LONGEST_BODY >> 20} MiB")
        self._read += piece

    def end(self) -> bytes:
        """All of it. Raises `ApiError` where its end is missing."""
        if self._unpacking is not None and self._read and not self._unpacking.eof:
            raise self._unexpected("its end is missing")
        return bytes(self._read)

    def _unpack(self, unpacking: zlib._Decompress, piece: bytes) -> bytes:
        """One byte more than there may be, at most: it is enough to know."""
        try:
            return unpacking.decompress(piece, LONGEST_BODY - len(self._read) + 1)
        except zlib.error as error:
            raise self._unexpected(f"it cannot be unpacked: {error}") from error

    def _unexpected(self, said: str) -> Exception:
        return problems.unexpected(self._status, self._headers, f"the answer is not read: {said}")
