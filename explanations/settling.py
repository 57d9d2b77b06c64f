"""What a worker says on NATS about an order: that it is alive, how far it is, how it ended; and the ack.

Each event of an end carries one message id per job, so that saying it twice is saying it once. What is to
be said is decided in `explanations.attempts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import nats.errors
from nats.js.errors import APIError
from nats.js.errors import Error as JetStreamError

from events import dead_letters, explanations, publishing, streams
from events.connection import Connection, ensure_stream
from events.explanations import (
    ExplainOrder,
    ExplanationCompleted,
    ExplanationFailed,
    ExplanationProgress,
)
from events.pulling import Pulled
from explanations import attempts
from explanations.attempts import Complete, Drop, Failed, GiveUp, Outcome, Policy, Retry
from explanations.frames import Report
from observability import backoff, tracing
from observability.retries import until_it_works

logger = logging.getLogger(__name__)

NATS_FAILURES = (TimeoutError, nats.errors.Error, JetStreamError)
_ACK_TRIES = 3
_ACK_TIMEOUT_S = 2.0


class Delivered:
    """An order and every message that brought it; one that comes again takes its own place."""

    def __init__(self, order: ExplainOrder, first: Pulled, request_id: str) -> None:
        self.order = order
        self.request_id = request_id
        self.attempt = first.message.metadata.num_delivered
        """How often the order was delivered."""
        self.messages = [first]

    def join(self, pulled: Pulled) -> None:
        """Count another message that brought this order."""
        self.messages[:] = [one for one in self.messages if one.place != pulled.place] + [pulled]
        self.attempt = max(self.attempt, pulled.message.metadata.num_delivered)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every event about it."""
        return {streams.REQUEST_ID_HEADER: self.request_id} | tracing.headers()


class Settler:
    """Speaks to the server for one worker."""

    def __init__(self, connection: Connection, policy: Policy) -> None:
        self._connection = connection
        self._policy = policy

    async def report(self, delivered: Delivered, report: Report) -> None:
        """Tell how far it is, where that is possible at once: the next report tells more."""
        message = ExplanationProgress(
            job_id=delivered.order.job_id,
            attempt=delivered.attempt,
            progress=report.progress,
            stage=report.stage,
            at=datetime.now(UTC),
        )
        if self._connection.client.is_connected:
            with contextlib.suppress(TimeoutError, nats.errors.Error):
                await self._connection.client.publish(
                    streams.EXPLANATION_PROGRESS, explanations.encode(message), headers=delivered.headers
                )

    async def keep_alive(self, messages: Sequence[Pulled]) -> None:
        """Tell the server that they are being worked on."""
        for one in list(messages):
            if self._connection.client.is_connected:
                with contextlib.suppress(TimeoutError, nats.errors.Error):  # tried again soon
                    await one.message.in_progress()

    async def settle(self, delivered: Delivered, outcome: Outcome) -> None:
        """Do what is to be done after `outcome`; a refusal of the server lets the order come again."""
        action = attempts.decide(outcome, delivery=delivered.attempt, policy=self._policy)
        try:
            match action:
                case Complete():
                    await self._complete(delivered, action)
                case GiveUp(reason):
                    await self._fail(delivered, reason)
                case Retry(delay_s):
                    await self.give_back(delivered.messages, delay_s)
                    return
                case Drop():
                    logger.info("job %s is cancelled", delivered.order.job_id)
            await self.acknowledge(delivered.messages)
        except nats.errors.MaxPayloadError:
            await self.settle(delivered, Failed("the explanation is larger than the NATS server allows"))
        except nats.errors.ConnectionClosedError:
            logger.warning("job %s is not settled: the connection is closed", delivered.order.job_id)
        except APIError as error:
            logger.error("the end of job %s was refused: %s", delivered.order.job_id, error)
            await self.give_back(delivered.messages, self._policy.most_delay_s)

    async def bury(self, pulled: Pulled, reason: str) -> None:
        """Move what is no order to the dead letters."""
        await dead_letters.bury(self._connection, pulled, reason)
        await self.acknowledge([pulled])

    async def acknowledge(self, messages: list[Pulled]) -> None:
        """Empty `messages`, and know of each that the server has forgotten it."""
        while messages:
            one = messages.pop()
            if not await self._is_current(one):
                continue
            for attempt in range(1, _ACK_TRIES + 1):
                try:
                    await one.message.ack_sync(timeout=_ACK_TIMEOUT_S)
                    break
                except (TimeoutError, nats.errors.Error) as error:
                    # Not acknowledged comes again, and its end is told under the same id.
                    logger.warning("message %d is not acknowledged: %s", one.seq, error)
                    await asyncio.sleep(backoff.delay_s(attempt))

    async def give_back(self, messages: list[Pulled], delay_s: float) -> None:
        """Empty `messages`, and let each come again after `delay_s`, to any worker."""
        while messages:
            with contextlib.suppress(TimeoutError, nats.errors.Error):  # silence does the same, later
                await messages.pop().message.nak(delay_s or None)

    async def _complete(self, delivered: Delivered, action: Complete) -> None:
        job_id = delivered.order.job_id
        message = ExplanationCompleted(
            job_id=job_id,
            attempt=delivered.attempt,
            explanation=action.explanation,
            generated_at=datetime.now(UTC),
            took_s=action.took_s,
        )
        body = explanations.encode(message)
        await self._publish(streams.EXPLANATION_COMPLETED, body, f"{job_id}-completed", delivered)
        logger.info("job %s: explained in %.3f s, attempt %d", job_id, action.took_s, delivered.attempt)

    async def _fail(self, delivered: Delivered, reason: str) -> None:
        job_id = delivered.order.job_id
        message = ExplanationFailed(
            job_id=job_id, attempt=delivered.attempt, reason=reason, at=datetime.now(UTC)
        )
        body = explanations.encode(message)
        await self._publish(streams.EXPLANATION_FAILED, body, f"{job_id}-failed", delivered)
        for one in list(delivered.messages):
            await dead_letters.bury(self._connection, one, reason)

    async def _publish(self, subject: str, body: bytes, msg_id: str, delivered: Delivered) -> None:
        await publishing.publish_once(
            self._connection.jetstream,
            subject,
            body,
            msg_id=msg_id,
            headers=delivered.headers,
            stream=streams.EXPLANATIONS,
        )

    async def _is_current(self, pulled: Pulled) -> bool:
        """False where the stream was made anew: the message's sequence names another order there now."""
        epoch = await until_it_works(
            lambda: ensure_stream(self._connection.jetstream, streams.JOBS), *NATS_FAILURES
        )
        return pulled.epoch == epoch
