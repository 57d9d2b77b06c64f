"""gzip for answers above 1 KB; below that the header costs more than the compression saves."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware import gzip
from django.utils.text import compress_string

SMALLEST_BYTES = 1024


class Body:
    """The body of an answer that may be given often: compressed once, at the first caller who takes that."""

    __slots__ = ("_compressed", "plain")

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self._compressed: bytes | None = None

    def compressed(self) -> bytes | None:
        """As the middleware compresses it; None where that is not worth it."""
        if len(self.plain) < SMALLEST_BYTES:
            return None
        if self._compressed is None:
            self._compressed = compress_string(self.plain, max_random_bytes=GZipMiddleware.max_random_bytes)
        return self._compressed if len(self._compressed) < len(self.plain) else None


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an answer to a request with this ``Accept-Encoding`` may be compressed."""
    return gzip.re_accepts_gzip.search(accept_encoding) is not None


class GZipMiddleware(gzip.GZipMiddleware):
    """Django's middleware (level 6, with padding against BREACH) with a higher threshold."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.streaming and len(getattr(response, "content", b"")) < SMALLEST_BYTES:
            return response
        return super().process_response(request, response)
