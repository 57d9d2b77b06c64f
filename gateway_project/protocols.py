"""uvicorn's protocols, with what they lack: an end for peers that stall, and frames written at once."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from realtime import wire

HEADERS_WITHIN_S = 10.0
CLOSE_WITHIN_S = 5.0


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, but whoever does not read is cut off, and `realtime.wire.Frames`.

    uvicorn closes in good order, which waits for ever for a peer that does not read. And a frame that goes
    through its `send` costs twice as much as one that is written straight to the transport.
    """

    listener: wire.Listener | None = None

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: Any = self.scope["extensions"]
            extensions[wire.EXTENSION] = self

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
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_WITHIN_S, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.listener is not None:
            self.listener.on_blocked()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.listener is not None:
            self.listener.on_writable()

    def handle_close(self, event: Any) -> None:
        super().handle_close(event)
        self._tell_lost()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._tell_lost()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def send_receive_event_to_app(self) -> None:
        """As uvicorn, which logs a trace for text that is no UTF-8: that is the peer's fault, not ours."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(1007, "text must be UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def _tell_lost(self) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.on_lost()


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, but a connection on which no request gets complete is cut off.

    uvicorn limits only the time between requests; half a header would hold a connection for ever.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._expect_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(HEADERS_WITHIN_S, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
