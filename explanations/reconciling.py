"""What was accepted is finished, whatever was lost on the way: a loop that asks after jobs nobody hears of.

1. A computation without a sign of life for `SILENCE_S` is looked for at the place where the server had put
it.
2. There: it waits its turn, and is asked after again later.
3. Not there, in a stream that was made anew or no longer holds it: it is promised again, under the same id.
It may have been done already and its result lost on the way; then it is done again, and stored once.
4. A job that has outlived its computation is ended.
"""

from __future__ import annotations

import asyncio
import logging
import time

import nats.errors
from django.db import Error as DatabaseFailure
from django.utils import timezone
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError

from events import outbox, streams
from events.connection import Connection, ensure_stream
from events.outbox import Place
from events.relay import Relay
from explanations import results
from observability import blocking
from observability.outages import Outage

logger = logging.getLogger(__name__)

SILENCE_S = 10.0
INTERVAL_S = 1.0
_LEFT_EVERY_S = 30.0
_MOST_AT_ONCE = 500


async def reconcile_for_ever(connection: Connection, relay: Relay) -> None:
    """Sweep the outbox and look for lost jobs every second; for jobs that nobody has ended now and then."""
    outage = Outage("the database (outbox)")
    looked_at = float("-inf")
    while True:
        await asyncio.sleep(INTERVAL_S)
        try:
            await relay.sweep(timezone.now())
            await find_lost(connection)
            if time.monotonic() - looked_at > _LEFT_EVERY_S:
                looked_at = time.monotonic()
                await blocking.run(results.end_left, now=timezone.now(), most=_MOST_AT_ONCE)
            outage.succeeded()
        except (DatabaseFailure, TimeoutError) as error:
            outage.failed(error)
        except (nats.errors.Error, JetStreamError) as error:
            logger.debug("cannot look for lost jobs: %s", error)  # the connection logs its outages


async def find_lost(connection: Connection) -> int:
    """Promise again what was lost; returns how many."""
    if not connection.client.is_connected:
        return 0
    silent = await blocking.run(results.unheard, silence_s=SILENCE_S, now=timezone.now(), most=_MOST_AT_ONCE)
    if not silent:
        return 0
    epoch = await ensure_stream(connection.jetstream, streams.JOBS)
    places = await blocking.run(outbox.places_of, silent)
    lost = [
        id_
        for id_, place in places.items()
        if not (place.epoch == epoch and await _is_there(connection.jetstream, place))
    ]
    if lost:
        logger.warning("%d jobs were lost at NATS and are published again", len(lost))
        await blocking.run(outbox.forget_places, lost)
    await blocking.run(results.touch, silent, now=timezone.now())
    return len(lost)


async def _is_there(jetstream: JetStreamContext, place: Place) -> bool:
    try:
        message = await jetstream.get_msg(streams.JOBS.name, place.seq)
    except NotFoundError:
        return False
    except APIError as error:
        if error.code == 404:
            return False
        raise
    return (message.headers or {}).get(streams.MSG_ID_HEADER) == place.msg_id
