"""The bridge's duty beside its freight: what came of each prediction is settled when it is known.

The rules it keeps:
1. What the freight does never waits for it: it reads what is recorded, in threads and transactions of its
   own, and while much is owed it rests as long as it works; much longer while messages wait for a bridge.
2. It goes as far as JetStream's floor of acknowledgements: all below is in the record or among the dead
   letters, whichever bridge has it carried. A bridge that records more slowly is waited for.
3. Of several bridges one settles at a time; each tries, and who comes too late rests.
4. Whatever fails is told and tried again; nothing of it ends the bridge.
5. A slice that is too slow is halved, and a single message that is too slow is passed over, counted and told:
   no message keeps the others from their outcomes. After that slices grow again.

A batch that another bridge still carries while the stream is made anew may be passed over; `manage.py
settle_again` finds it, and what was passed over as too slow.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

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
from predictions.settling import Place, Slice, SliceTooSlow

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
MOST = 2_000
# SQLite has one writer: the freight waits for each slice.
_MOST_ON_SQLITE = 250
MOST_SETTLED = 5_000
# So many messages wait for a bridge that it is the database which they wait for.
_BUSY = 1_000
_REST_WHILE_BUSY_S = 5.0


@dataclass(slots=True)
class Pace:
    """How many messages the next slice has: half as many after one that was too slow, then more again."""

    most: int = MOST


async def settle_for_ever(connection: Connection, durable: str) -> None:
    """Settle every second, and while something is left again after a rest."""
    outage, pace = Outage("settling of outcomes"), Pace()
    while True:
        rest_s = INTERVAL_S
        try:
            rest_s = await settle_once(connection, durable, pace)
            outage.succeeded()
        except (DatabaseFailure, TimeoutError) as error:
            outage.failed(error)
        except (nats.errors.Error, JetStreamError) as error:
            logger.debug("cannot ask how far the record is: %s", error)  # the connection logs its outages
        except Exception:
            # Predictions are carried whatever becomes of their outcomes.
            logger.exception("settling of outcomes has failed")
        await asyncio.sleep(rest_s)


async def settle_once(connection: Connection, durable: str, pace: Pace) -> float:
    """Settle one slice; the seconds to rest then. Raises errors of NATS and of the database."""
    if not connection.client.is_connected:
        return INTERVAL_S
    # The epoch first: of a stream that is made anew in between, the floor is too low, which does no harm.
    epoch = await find_epoch(connection.jetstream, streams.PREDICTIONS)
    consumer = await connection.jetstream.consumer_info(streams.PREDICTIONS.name, durable)
    upto = Place(epoch, consumer.ack_floor.stream_seq if consumer.ack_floor else 0)
    begun = time.monotonic()
    try:
        done = await blocking.run(settle_at_pace, upto, pace)
    except TimeoutError:
        pace.most = max(1, pace.most // 2)
        raise
    if done is None:
        return INTERVAL_S
    metrics.outcomes_settled.inc(done.settled)
    metrics.outcomes_waiting.set(_waiting(done.place, upto))
    if done.is_last:
        return INTERVAL_S
    is_busy = (consumer.num_pending or 0) >= _BUSY
    return _REST_WHILE_BUSY_S if is_busy else min(time.monotonic() - begun, INTERVAL_S)


def settle_at_pace(upto: Place, pace: Pace) -> Slice | None:
    """Settle a slice as large as `pace` has it; None if nothing was settled, and it is to be tried again.

    Raises errors of the database.
    """
    largest = MOST if database.vendor == "postgresql" else _MOST_ON_SQLITE
    most = min(pace.most, largest)
    try:
        done = settling.settle_slice(upto=upto, now=timezone.now(), most=most, most_settled=MOST_SETTLED)
    except SliceTooSlow as slow:
        if most == 1:
            _pass_over(slow.place)
        else:
            pace.most = most // 2
            logger.info("%s; from now on %d at once", slow, pace.most)
        return None
    pace.most = min(most + most // 4 + 1, largest)
    return done


def _pass_over(place: Place) -> None:
    passed = settling.pass_over(place)
    if passed is not None:
        metrics.outcomes_passed_over.inc()
        logger.warning(
            "message %d of epoch %s is passed over: what it brings takes too long to settle",
            passed.seq,
            passed.epoch,
        )


def _waiting(place: Place, upto: Place) -> int:
    """How many messages lie between; those of earlier lives of the stream are not counted."""
    return max(0, upto.seq - (place.seq if place.epoch == upto.epoch else 0))
