"""uvicorn's protocol for HTTP, with a bound for all that a peer may send or leave out.

1. A head and what is left of a body have a time; a head, and what comes between two pieces of a body, a size.
2. Where a request ends is read in one way only, and nothing that cannot be read passes for the answer to
   another request.
3. A connection on which no request follows is closed.
"""

from __future__ import annotations

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway_project import house_headers, security_headers

HEADERS_WITHIN_S = 10.0
BODY_REST_WITHIN_S = 10.0
MAX_HEAD_BYTES = 64 * 1024
# More digits than these are zeros, or more bytes than there are.
_MOST_DIGITS = 19


def _last_words(status: bytes, told: bytes) -> bytes:
    """An answer to what cannot be read as a request."""
    headers = house_headers.as_lines(
        (
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(told)),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
            *security_headers.OF_DATA,
        )
    )
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, headers, told)


_HEAD_TOO_LARGE = _last_words(
    b"431 Request Header Fields Too Large", b"The head of a request has %d bytes at most.\n" % MAX_HEAD_BYTES
)
_MALFORMED = _last_words(b"400 Bad Request", b"This is no HTTP that can be read in one way only.\n")


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, but a connection on which no request gets complete is cut off.

    uvicorn limits only the time between requests: half a header would hold a connection for ever, and
    headers without an end would fill the memory.
    """

    _answered_at = 0.0
    _idle_timer: asyncio.TimerHandle | None = None
    _timer: asyncio.TimerHandle | None = None
    _is_in_head = False
    _is_in_body = False
    _body_timer: asyncio.TimerHandle | None = None
    # Of a head, or between two pieces of a body.
    _bytes_without_body = 0
    _has_body_come = False
    # True where a head that ends in this read may be too large: it has begun before, or the read is.
    _may_be_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        if self._bytes_without_body > MAX_HEAD_BYTES:
            return
        awaited, was_in_body = self._timer, self._is_in_body
        self._has_body_come = False
        self._may_be_large = self._is_in_head or len(data) > MAX_HEAD_BYTES
        if not self._feed(data):
            return
        if awaited is not None and self._timer is awaited:  # all of it was one head, and more is to come
            self._bytes_without_body += len(data)
            if self._bytes_without_body > MAX_HEAD_BYTES:
                self._refuse_head()
        elif self._is_in_head and self._timer is None:
            # Nearly all heads come in one piece, and need no timer.
            self._expect_headers()
        elif was_in_body and self._is_in_body and not self._has_body_come:
            # Trailers, of which the parser keeps one until it is whole, or what stands around chunks.
            self._bytes_without_body += len(data)
            if self._bytes_without_body > MAX_HEAD_BYTES:
                self.transport.abort()

    def _feed(self, data: bytes) -> bool:
        """Parse it; returns False where this connection is none of HTTP any more."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as paused:
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
                    return False
                data = self._head_without_upgrade() + data[paused.args[0] :]
                # The old one reads nothing more where the head says that the connection ends.
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            except httptools.HttpParserError:
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("")
                return False
            else:
                return True

    def _head_without_upgrade(self) -> bytes:
        """The head again, without the offer of another protocol that is not taken (RFC 9110, 7.8).

        The parser has passed over the body, as if that were spoken from here on: what is a body to a proxy
        would be the next request to us.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                kept = (one for one in value.split(b",") if one.strip().lower() != b"upgrade")
                lines.append(b"connection: " + b",".join(kept))
            elif name != b"upgrade":
                lines.append(b"%b: %b" % (name, value))
        return b"%b\r\n\r\n" % b"\r\n".join(lines)

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser cannot read."""
        if self._bytes_without_body > MAX_HEAD_BYTES:
            self._refuse_head()
        elif self._is_answered or self._is_body_awaited:
            self.transport.write(_MALFORMED)
            self.transport.close()
        else:  # it would pass for the answer to another request
            self.transport.abort()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        # Nothing reaches this protocol any more, and its parser holds it, and with it the transport.
        self.parser = None  # type: ignore[assignment] # as uvicorn does at the end of a connection

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, but of heads alone; raises ValueError for a length that no body has."""
        if not self._is_in_head:
            return  # a trailer, which nobody has looked at before it came
        name = name.lower()
        if name == b"content-length" and len(value) > _MOST_DIGITS:
            raise ValueError(name)
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._bytes_without_body = self._measure_head() if self._may_be_large else 0
        if self._bytes_without_body > MAX_HEAD_BYTES:
            raise ValueError(self._bytes_without_body)
        self._is_in_head, self._is_in_body = False, True
        if self._answer_at_once() or self._is_read_again():
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._has_body_come, self._bytes_without_body = True, 0
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._body_timer is not None:
            self._body_timer.cancel()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None
        if self.cycle is not None:  # else all requests so far were answered at once
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # uvicorn's timer ends with the next byte, also where that begins no request.
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        if self._is_in_body and self._body_timer is None:
            # What is left of it is read and discarded, but not for ever.
            self._body_timer = self.loop.call_later(BODY_REST_WITHIN_S, self.transport.abort)
        self._begin_idling()

    def _answer_at_once(self) -> bool:
        """True where the request is answered here, without the application."""
        return False

    def _begin_idling(self) -> None:
        self._answered_at = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)

    def _close_if_idle(self) -> None:
        """Instead of a timer after each answer that ends with the next request, this one looks back."""
        self._idle_timer = None
        if not self._is_answered:
            return  # the end of that answer sets it again
        left_s = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if self._is_in_head or self._is_in_body or left_s > 0:
            self._idle_timer = self.loop.call_later(max(left_s, 1.0), self._close_if_idle)
        else:
            self.timeout_keep_alive_handler()

    @property
    def _is_answered(self) -> bool:
        """True while no answer is under way through ASGI."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _is_body_awaited(self) -> bool:
        """True while the only request that is under way has neither come whole nor been answered at all."""
        return self._is_in_body and not self.pipeline and not self.cycle.response_started

    def _is_read_again(self) -> bool:
        """True where the head offers another protocol that is not taken; raises ValueError for a tunnel."""
        if not self.parser.should_upgrade() or self._should_upgrade():
            return False
        if self.parser.get_method() == b"CONNECT":
            self._is_in_body = False
            raise ValueError(self.url)
        return True

    def _should_upgrade(self) -> bool:
        """Not behind an answer under way, which would go on as this protocol's when it is none any more."""
        return self._is_answered and super()._should_upgrade()

    def _measure_head(self) -> int:
        """Its bytes, as they would be written."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _expect_headers(self) -> None:
        self._bytes_without_body = 0
        self._timer = self.loop.call_later(HEADERS_WITHIN_S, self.transport.abort)

    def _refuse_head(self) -> None:
        """Say so, and discard what comes until the peer has gone, or the time for its head is up."""
        if self.transport.is_closing():
            return
        if self._is_answered:
            if self._timer is None:
                self._timer = self.loop.call_later(HEADERS_WITHIN_S, self.transport.abort)
            self.transport.write(_HEAD_TOO_LARGE)
            self._say_no_more()
        else:  # the answer to another request is under way: it cannot be told
            self.transport.abort()

    def _say_no_more(self) -> None:
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:  # TLS has no half that stays open; its end waits for the peer's
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
