"""`manage.py nats_bridge`: run one bridge until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events.connection import ServerTooOld, connect
from realtime.bridge import Bridge, StoreStuck


class Command(BaseCommand):
    """Bridge predictions from NATS into the record, Redis and the channel layer."""

    help = "Bridge predictions from NATS JetStream into the database, Redis and the channel layer."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(self._run())
        except (ServerTooOld, ConnectionError) as error:
            raise CommandError(str(error)) from None
        except StoreStuck as stuck:
            self.stderr.write(str(stuck))
            logging.shutdown()
            # The interpreter would wait for the thread for ever; what it holds is delivered again.
            os._exit(1)

    async def _run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        config = settings.GATEWAY
        connecting = asyncio.create_task(connect(config.nats_url, name="nats_bridge"))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            connecting.cancel()
            return
        stopping.cancel()
        connection = await connecting
        bridge = Bridge(
            connection,
            symbol_pattern=config.compiled_symbol_pattern,
            batch_size=config.bridge_batch_size,
            linger_s=config.bridge_batch_ms / 1000,
            ack_wait_s=config.bridge_ack_wait_s,
        )
        try:
            await bridge.run(stop)
        finally:
            await connection.drain()
