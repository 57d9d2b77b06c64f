"""HTTP while a server ends: who is connected is answered, and told by `Connection: close` to come no more.

uvicorn closes idle connections at once, also when the next request is already on its way; that request
would fail. Here they stay open for a moment, and the answer to their next request closes them.
"""

from __future__ import annotations

import asyncio

from uvicorn.server import ServerState

from gateway_project import http_protocol

IDLE_S = 1.0
_LOOK_EVERY_S = 0.05


class State(ServerState):
    """uvicorn's state of a server, and whether it ends."""

    draining = False

    def http_connections(self) -> list[HttpProtocol]:
        """Those on which HTTP is spoken."""
        return [one for one in self.connections if isinstance(one, HttpProtocol)]

    async def drain_http(self) -> None:
        """End connections with their next answer; returns when there are none, or after `IDLE_S`."""
        self.draining = True
        for one in self.http_connections():
            one.close_after_answer()
        for _ in range(round(IDLE_S / _LOOK_EVERY_S)):
            # First, since who was accepted last is among the connections only some turns of the loop later.
            await asyncio.sleep(_LOOK_EVERY_S)
            if not self.http_connections():
                return


class HttpProtocol(http_protocol.HttpProtocol):
    """HTTP whose answers close their connections while the server drains."""

    def on_headers_complete(self) -> None:
        if isinstance(self.server_state, State) and self.server_state.draining:
            self.is_ending = True
        super().on_headers_complete()
        if self.is_ending:
            self.close_after_answer()

    def close_after_answer(self) -> None:
        """Close the connection after the answer under way, if its headers can still say so."""
        self.is_ending = True
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False
