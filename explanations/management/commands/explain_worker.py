"""`manage.py explain_worker`: explain what was ordered until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events import process_probes
from events.connection import ServerTooOld, connect_unless
from explanations.attempts import Policy
from explanations.children import ExplainerUnusable, Limits
from explanations.worker import ExplainWorker
from observability import tracing


class Command(BaseCommand):
    """Compute explanations. Needs NATS and the explainer; no database, no Redis."""

    help = "Compute the explanations that were ordered, with the class that EXPLAINER names."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=2, help="orders at a time, each in a process of its own"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["concurrency"] < 1:
            raise CommandError("--concurrency must be 1 or more")
        try:
            with tracing.exporting(
                settings.GATEWAY.otel_exporter_otlp_endpoint,
                service="worker",
                ratio=settings.GATEWAY.otel_traces_sampler_arg,
            ):
                asyncio.run(self._run(options["concurrency"]))
        except (ServerTooOld, ConnectionError, ExplainerUnusable) as error:
            raise CommandError(str(error)) from None

    async def _run(self, concurrency: int) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        config = settings.GATEWAY
        connection = await connect_unless(stop, config.nats_url, name="explain_worker")
        if connection is None:
            return
        worker = ExplainWorker(
            connection,
            Limits(config.explainer, config.explain_timeout_s, config.explainer_memory_mb),
            policy=Policy(config.explain_tries),
            concurrency=concurrency,
            ack_wait_s=config.explain_ack_wait_s,
        )
        try:
            async with process_probes.serving("worker", connection):
                await worker.run(stop)
        finally:
            await connection.drain()
