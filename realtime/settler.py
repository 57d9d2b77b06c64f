"""The bridge's duty beside its freight: what came of each prediction is settled when it is known.

The rules it keeps:
1. What the freight does never waits for it: it reads what is recorded, in threads and transactions of its
   own, and while much is owed it rests as long as it works; much longer while messages wait for a bridge.
2. It goes as far as JetStream's floor of acknowledgements: all below is in the record or among the dead
   letters, whichever bridge has it carried. A bridge that records more slowly is waited for.
3. Of several bridges one settles at a time; each tries, and who comes too late rests.
4. Whatever fails is told and tried again; nothing of it ends the bridge.

A batch that another bridge still carries while the stream is made anew may be passed over; `manage.py
settle_again` finds it.
"""

from __future__ import annotations

import asyncio
import logging
import time

import nats.errors
from django.db import Error as DatabaseFailure
from django.db import connection as database
from django.utils import timezone
from nats.js.errors import Error as JetStreamError

from events import streams
from events.connection import Connection, find_epoch
from observability import blocking, metrics
from observability.outages import Outage
from predictions import settling
from predictions.settling import Place, Slice

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
MOST = 2_000
# SQLite has one writer: the freight waits for each slice.
_MOST_ON_SQLITE = 250
MOST_SETTLED = 5_000
# So many messages wait for a bridge that it is the database which they wait for.
_BUSY = 1_000
_REST_WHILE_BUSY_S = 5.0


async def settle_for_ever(connection: Connection, durable: str) -> None:
    """Settle every second, and while something is left again after a rest."""
    outage = Outage("settling of outcomes")
    while True:
        rest_s = INTERVAL_S
        try:
            rest_s = await settle_once(connection, durable)
            outage.succeeded()
        except (DatabaseFailure, TimeoutError) as error:
            outage.failed(error)
        except (nats.errors.Error, JetStreamError) as error:
            logger.debug("cannot ask how far the record is: %s", error)  # the connection logs its outages
        except Exception:
            # Predictions are carried whatever becomes of their outcomes.
            logger.exception("settling of outcomes has failed")
        await asyncio.sleep(rest_s)


async def settle_once(connection: Connection, durable: str) -> float:
    """Settle one slice; the seconds to rest then. Raises errors of NATS and of the database."""
    if not connection.client.is_connected:
        return INTERVAL_S
    # The epoch first: of a stream that is made anew in between, the floor is too low, which does no harm.
    epoch = await find_epoch(connection.jetstream, streams.PREDICTIONS)
    consumer = await connection.jetstream.consumer_info(streams.PREDICTIONS.name, durable)
    upto = Place(epoch, consumer.ack_floor.stream_seq if consumer.ack_floor else 0)
    begun = time.monotonic()
    done = await blocking.run(_settle, upto)
    if done is None:
        return INTERVAL_S
    metrics.outcomes_settled.inc(done.settled)
    metrics.outcomes_waiting.set(_waiting(done.place, upto))
    if done.is_last:
        return INTERVAL_S
    is_busy = (consumer.num_pending or 0) >= _BUSY
    return _REST_WHILE_BUSY_S if is_busy else min(time.monotonic() - begun, INTERVAL_S)


def _settle(upto: Place) -> Slice | None:
    most = MOST if database.vendor == "postgresql" else _MOST_ON_SQLITE
    return settling.settle_slice(upto=upto, now=timezone.now(), most=most, most_settled=MOST_SETTLED)


def _waiting(place: Place, upto: Place) -> int:
    """How many messages lie between; those of earlier lives of the stream are not counted."""
    return max(0, upto.seq - (place.seq if place.epoch == upto.epoch else 0))
