"""`manage.py nats_bridge`: run one bridge until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events import process_probes, streams
from events.connection import Connection, ServerTooOld, connect_unless
from events.relay import Relay
from explanations.reconciling import reconcile_for_ever
from observability import collector, tracing
from observability.tasks import end
from realtime import bridge_metrics
from realtime.bridge import Layer, Predictions
from realtime.courier import Courier, Freight, StoreStuck
from realtime.explained import Explanations
from realtime.settler import settle_for_ever


class Command(BaseCommand):
    """Bridge predictions and explanations from NATS into the record, Redis and the channel layer."""

    help = "Bridge predictions and explanations from NATS into the database, Redis and the channel layer."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with tracing.exporting(
                settings.GATEWAY.otel_exporter_otlp_endpoint,
                service="bridge",
                ratio=settings.GATEWAY.otel_traces_sampler_arg,
            ):
                uvloop.run(self._run())
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
        connection = await connect_unless(stop, settings.GATEWAY.nats_url, name="nats_bridge")
        if connection is None:
            return
        try:
            async with process_probes.serving("bridge", connection):
                await _bridge(connection, stop)
        finally:
            await connection.drain()


async def _bridge(connection: Connection, stop: asyncio.Event) -> None:
    """Carry both freights and look after what is owed, until `stop` is set or one of them fails."""
    config = settings.GATEWAY
    collector.settle()
    layer = Layer()
    predictions = Predictions(layer, symbol_pattern=config.compiled_symbol_pattern)
    relay = Relay(config.nats_url, streams.JOBS, name="nats_bridge outbox")
    relay.start()
    couriers = [
        _carry(connection, predictions, stop),
        _carry(connection, Explanations(layer), stop),
    ]
    beside = [
        asyncio.create_task(predictions.beat()),
        asyncio.create_task(bridge_metrics.watch_for_ever(connection, predictions.durable)),
        asyncio.create_task(reconcile_for_ever(connection, relay)),
        asyncio.create_task(settle_for_ever(connection, predictions.durable)),
    ]
    try:
        await asyncio.wait([*couriers, *beside], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.wait(couriers)
        for task in (*couriers, *beside):
            if task.done():
                task.result()
    finally:
        await end(beside)
        await relay.stop()


def _carry(connection: Connection, freight: Freight[Any, Any], stop: asyncio.Event) -> asyncio.Task[None]:
    config = settings.GATEWAY
    courier = Courier(
        connection,
        freight,
        batch_size=config.bridge_batch_size,
        linger_s=config.bridge_batch_ms / 1000,
        ack_wait_s=config.bridge_ack_wait_s,
    )
    return asyncio.create_task(courier.run(stop))
