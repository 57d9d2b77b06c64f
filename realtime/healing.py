"""Reading from the record what this process has missed: lost by the channel layer, or before it started."""

from __future__ import annotations

import asyncio
import logging

from django.db import Error as DatabaseFailure

from observability import blocking
from predictions import record
from realtime import batches
from realtime.batches import Place, Update
from realtime.recent import Recent

logger = logging.getLogger(__name__)

_PATIENCE_S = 2.0
_AGAIN_S = 0.2


async def read_missed(after: Place, *, most: int) -> list[Update] | None:
    """Everything after the place `after`, in order.

    None where that is more than `most`, or the record does not answer in time: the live flow waits for it.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            found = await _read_until_it_works(after, most + 1)
    except TimeoutError:
        return None
    if found:
        logger.info("caught up with %d updates that had not come over the channel layer", len(found))
    return found if len(found) <= most else None


async def fill(recent: Recent, *, most: int) -> None:
    """Begin with the last updates of the record, so that those who come back are served from memory."""
    try:
        found = await blocking.run(_read_last, most)
    except (DatabaseFailure, TimeoutError) as error:
        logger.warning("starting without the last updates: %s", type(error).__name__)
        return
    of_this_life = [update for update in found if update.epoch == found[-1].epoch]
    if of_this_life:
        recent.begin(of_this_life[0].epoch, complete_after=of_this_life[0].seq - 1)
    for update in of_this_life:
        recent.add(update)


async def _read_until_it_works(after: Place, limit: int) -> list[Update]:
    while True:
        try:
            return await blocking.run(_read_after, *after, limit)
        except DatabaseFailure:
            await asyncio.sleep(_AGAIN_S)


def _read_after(epoch: str, seq: int, limit: int) -> list[Update]:
    return batches.updates_of(record.after(epoch, seq, limit=limit))


def _read_last(most: int) -> list[Update]:
    return batches.updates_of(record.last(most))
