"""uvicorn's protocol for WebSockets, and what it lacks: an end and a bound for every peer, frames at once."""

from __future__ import annotations

import codecs
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Response
from websockets.server import ServerProtocol

from gateway_project import security_headers
from realtime import wire
from realtime.pace import Pace

CLOSE_WITHIN_S = 5.0
MOST_FRAMES_PER_S = 1_000

_SLICE_BYTES = 8 * 1024

_decoder_of_utf8 = codecs.getincrementaldecoder("utf-8")


class _CarefulHandshakes(ServerProtocol):
    """As the library's, but a refused handshake tells browsers what every other answer does."""

    def reject(self, status: Any, text: str) -> Response:
        response = super().reject(status, text)
        response.headers["Cache-Control"] = "no-store"
        for name, value in security_headers.OF_DATA:
            response.headers[name.decode()] = value.decode()
        return response


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, but it ends whatever the peer does, and `realtime.wire.Frames`.

    1. Whoever does not read is cut off. uvicorn closes in good order, which waits for ever for such a peer.
    2. Whoever is refused is told why: half of the connection stays open until the peer has gone. uvicorn
       closes at once, and the kernel answers what is still on its way with a reset that overtakes the reason.
    3. What a peer can make us hold is bounded: its message, and one pong; and so is how many frames it may
       send in a second.
    4. A frame goes straight to the transport: through uvicorn's `send` it costs twice as much.
    """

    listener: wire.Listener | None = None
    _is_deaf = False
    # Of any kind: the parser takes all frames that have come before the consumer sees the first.
    _frames_in: Pace | None = None
    _owed_pong = b""
    # Checks the text message under way; None in a binary one.
    _decoder: codecs.IncrementalDecoder | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # uvicorn names the class in the middle of its own; a second object would cost every socket memory.
        self.conn.__class__ = _CarefulHandshakes

    # From the application

    def write(self, framed: bytes) -> None:
        """Write the bytes of a frame; nothing after a close frame."""
        if not (self.close_sent or self.disconnected):
            self.transport.write(framed)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame; who has not answered it after `CLOSE_WITHIN_S` is cut off."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.stop_keepalive()
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            self.transport.abort()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._await_end()

    # From the peer

    def data_received(self, data: bytes) -> None:
        """In slices: the parser handles all frames of what it is given before anything else may run."""
        for start in range(0, len(data), _SLICE_BYTES):
            if self._is_deaf or self.disconnected:
                return
            super().data_received(data[start : start + _SLICE_BYTES])
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._refuse_handshake()

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: Any = self.scope["extensions"]
            extensions[wire.EXTENSION] = self

    def handle_text(self, event: Any) -> None:
        self._decoder = _decoder_of_utf8()
        if not self._is_flood() and self._is_taken(event):
            super().handle_text(event)

    def handle_bytes(self, event: Any) -> None:
        self._decoder = None
        if not self._is_flood() and self._is_taken(event):
            super().handle_bytes(event)

    def handle_cont(self, event: Any) -> None:
        """Add to one buffer: a list of fragments would grow with empty ones, of which there is no end."""
        if self._is_flood() or not self._is_taken(event):
            return
        whole: Any = self.frames[0]
        if not isinstance(whole, bytearray):
            whole = bytearray(whole)
        whole += event.data
        self.frames = [bytes(whole) if event.fin else whole]
        if event.fin:
            self.send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer; a peer that does not read is owed the newest answer alone (RFC 6455, 5.5.3)."""
        if self._is_flood():
            return
        answers = [one for one in self.conn.data_to_send() if one]
        if not answers:
            return
        if self.writable.is_set() or self.conn.eof_sent:
            self.transport.write(b"".join(answers))
        else:
            self._owed_pong = answers[-1]

    def handle_pong(self, event: Any) -> None:
        if not self._is_flood():
            super().handle_pong(event)

    def handle_close(self, event: Any) -> None:
        super().handle_close(event)
        self._tell_lost()

    def handle_parser_exception(self) -> None:
        """The peer has broken the protocol: tell it, and read no more."""
        refusal = self.conn.close_sent
        if refusal is None:  # before it was accepted: there is no WebSocket to close
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
            self.transport.abort()
            return
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": refusal.code, "reason": refusal.reason}
        )
        self._tell_last(b"".join(self.conn.data_to_send()))

    # From the transport and the server

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.listener is not None:
            self.listener.on_blocked()

    def resume_writing(self) -> None:
        super().resume_writing()
        pong, self._owed_pong = self._owed_pong, b""
        if pong and not self.conn.eof_sent:
            self.transport.write(pong)
        if self.listener is not None:
            self.listener.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._tell_lost()
        self._break_cycles()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def shutdown(self) -> None:
        """As uvicorn, whose close frame is an error on a connection that the peer has closed already."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            super().shutdown()

    def _is_flood(self) -> bool:
        """True for a peer that is cut off: a frame costs it six bytes."""
        if self._frames_in is None:
            self._frames_in = Pace(MOST_FRAMES_PER_S)
        if self._frames_in.take(self.loop.time()):
            return False
        if not self._is_deaf:
            self._is_deaf = True
            self.transport.abort()
        return True

    def _is_taken(self, event: Any) -> bool:
        """False after the end; and for text that is no UTF-8, which is the end (RFC 6455, 8.1)."""
        if self.close_sent:
            return False
        if self._decoder is not None:
            try:
                self._decoder.decode(event.data, event.fin)
            except UnicodeDecodeError:
                self.conn.fail(1007, "text must be UTF-8")
                self.handle_parser_exception()
                return False
        return True

    def _refuse_handshake(self) -> None:
        """Answer what is HTTP, but no handshake that can be read: uvicorn leaves it open for ever."""
        told = b"".join(self.conn.data_to_send())
        if not told:
            text = f"Failed to open a WebSocket connection: {self.conn.handshake_exc}.\n"
            told = self.conn.reject(400, text).serialize()
        self.handshake_initiated = self.handshake_complete = True
        self._tell_last(told)

    def _tell_last(self, told: bytes) -> None:
        """Write `told` and nothing after it; then discard what comes until the peer has read it and goes."""
        self.transport.write(told)
        self.close_sent = self._is_deaf = True
        self.stop_keepalive()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:  # TLS has no half that stays open; its end waits for the peer's
            self.transport.close()
        self._await_end()

    def _await_end(self) -> None:
        """The peer closes now; who does not is cut off."""
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(CLOSE_WITHIN_S, self.transport.abort)

    def _break_cycles(self) -> None:
        """Go by reference count: full collections are rare (`observability.collector`)."""
        if self.handshake_initiated and hasattr(self, "scope"):
            extensions: Any = self.scope["extensions"]
            extensions.pop(wire.EXTENSION, None)
        self.conn.parser.close()  # a generator that holds it
        # Their traces hold all that was at work when the peer broke the protocol.
        self.conn.parser_exc = self.conn.handshake_exc = None

    def _tell_lost(self) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.on_lost()
