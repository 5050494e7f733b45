"""Whole batches to Kafka: one request at a time, and a new producer after anything that failed.

Read against aiokafka 0.14. Its idempotent producer repeats a send for ever and stops only once
everything queued is sent; a refused batch leaves a gap in its partition's numbers, so that every
later send there fails. So nothing is queued behind a request, and a failed producer is abandoned.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, errors

from consumer import clock
from consumer.abandonment import cancel_sending, put_away
from consumer.outgoing import Outgoing
from consumer.shipment import Batch, Packing, Shipment

REFUSALS = (
    errors.InvalidTopicError,
    errors.MessageSizeTooLargeError,
    errors.PolicyViolationError,
    errors.RecordListTooLargeError,
    errors.RecordTooLargeError,
)
"""Answers about what was sent. Any other failure means that it can't be taken now.

So does a broker that refuses the time of our stamps, as by default one more than an hour ahead: it
is our clock that is wrong, all records would be refused, and once it is right none will be.
"""

FAILURES = (errors.KafkaError, OSError, TimeoutError, AssertionError)
"""aiokafka asserts that a partition exists: it doesn't after its topic was deleted."""


class NotAcknowledged(ConnectionError):
    """The broker did not acknowledge everything: {cause}."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__} {cause}".strip())
        self.cause = cause


class Refused(Exception):
    """The broker refused these batches: {reason}."""

    def __init__(self, batches: Sequence[Batch], reason: str) -> None:
        super().__init__(reason)
        self.batches = batches
        self.reason = reason


class Publisher:
    """One producer at a time.

    producer: makes one, not started. may_send: raises when sending is no longer ours to do; asked
    before each request. on_answered: told after each, also where a batch was refused.
    """

    def __init__(
        self,
        producer: Callable[[], AIOKafkaProducer],
        *,
        may_send: Callable[[], None],
        on_answered: Callable[[], None],
        send_seconds: float,
        missing_seconds: float,
        seconds: Callable[[], float] = clock.seconds,
    ) -> None:
        self._seconds = seconds
        self._make = producer
        self._may_send = may_send
        self._on_answered = on_answered
        self._send_seconds = send_seconds
        self._missing_seconds = missing_seconds
        self._producer: AIOKafkaProducer | None = None
        self._changing = asyncio.Lock()
        self._tracked: set[str] = set()
        self._asked_for: list[set[str]] = []
        self._missing_until: dict[str, float] = {}
        self.limits: dict[str, int] = {}

    async def pack(self, records: Sequence[Outgoing]) -> Shipment:
        """Records to batches, by the partitions that their topics have now.

        A topic is looked up before anything is sent to it: a send to a missing one blocks for the
        request's whole time. Raises KafkaError, OSError or TimeoutError when no broker answers.
        """
        producer = await self._started()
        partitions = await self._partitions(producer, {record.topic for record in records})
        packing = Packing(producer.create_batch, self.limits)
        dealt, missing = packing.by_partition(records, partitions)
        batches = []
        for (topic, partition), own in dealt.items():
            batches.append(packing.batches(topic, partition, own))
            await asyncio.sleep(0)
        return packing.shipment(batches, missing)

    async def send(
        self, shipment: Shipment, refusals: tuple[type[Exception], ...] = REFUSALS
    ) -> None:
        """Send wave after wave, each once the one before is acknowledged; marks its batches.

        Raises Refused or NotAcknowledged; the producer is gone by then.
        """
        try:
            producer = await self._started()
            for wave in shipment.waves:
                self._may_send()
                await self._send_wave(producer, wave, refusals)
                self._on_answered()
        except Refused:
            self._on_answered()
            await self.abandon()
            raise
        except FAILURES as error:
            await self.abandon()
            raise NotAcknowledged(error) from error

    async def topics_exist(self, topics: Iterable[str]) -> set[str]:
        """Which of these exist, asked anew."""
        wanted = set(topics)
        for topic in wanted:
            self._missing_until.pop(topic, None)
        return set(await self._partitions(await self._started(), wanted))

    def kill(self) -> None:
        """Send nothing from now on. What is on its way already can't be called back."""
        if self._producer is not None:
            cancel_sending(self._producer)

    async def abandon(self) -> None:
        """Drop the producer with everything that it has not sent."""
        self.kill()
        async with self._changing:
            if self._producer is not None:
                await put_away(self._producer)
                self._producer = None

    async def _started(self) -> AIOKafkaProducer:
        async with self._changing:
            if self._producer is None:
                producer = self._make()
                try:
                    async with asyncio.timeout(self._send_seconds):
                        await producer.start()
                except BaseException:
                    await put_away(producer)
                    raise
                self._producer = producer
                self._tracked = set()
            return self._producer

    async def _send_wave(
        self,
        producer: AIOKafkaProducer,
        wave: Sequence[Batch],
        refusals: tuple[type[Exception], ...],
    ) -> None:
        """Queue all batches before aiokafka's sender has its turn: they leave as one request."""
        sent: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._send_seconds):
                for batch in wave:
                    sent.append(  # noqa: PERF401  those queued before a failure are cancelled below
                        await producer.send_batch(
                            batch.builder, batch.topic, partition=batch.partition
                        )
                    )
                outcomes = await asyncio.gather(*sent, return_exceptions=True)
        finally:
            for future in sent:
                future.cancel()
        _judge(wave, outcomes, refusals)

    async def _partitions(self, producer: AIOKafkaProducer, topics: set[str]) -> dict[str, int]:
        """How many partitions each topic has; those that are missing are left out."""
        known = _known_partitions(producer, topics)
        now = self._seconds()
        unknown = {
            topic for topic in topics - known.keys() if self._missing_until.get(topic, now) <= now
        }
        if unknown:
            await self._look_up(producer, unknown)
            known = _known_partitions(producer, topics)
        return known

    async def _look_up(self, producer: AIOKafkaProducer, topics: set[str]) -> None:
        """Have the producer know these topics, those that exist, and keep knowing them.

        Where another task asks for the same topics at this moment, `set_topics` returns at once,
        before the answer: what is still unknown then is asked for once more. What other tasks ask
        for is named along: the client knows only the topics that were named last.
        """
        client = producer.client
        self._asked_for.append(topics)
        try:
            async with asyncio.timeout(self._send_seconds):
                for ask in (
                    partial(client.set_topics, self._tracked.union(*self._asked_for)),
                    client.force_metadata_update,
                ):
                    if not await ask():
                        raise errors.KafkaConnectionError("no broker answers")
                    if not topics - _known_partitions(producer, topics).keys():
                        break
        finally:
            self._asked_for.remove(topics)
        if denied := topics & producer.client.cluster.unauthorized_topics:
            raise errors.TopicAuthorizationFailedError(*sorted(denied))
        found = _known_partitions(producer, topics).keys()
        self._tracked |= found
        if wanted := self._tracked.union(*self._asked_for):
            producer.client.set_topics(wanted)
        until = self._seconds() + self._missing_seconds
        self._missing_until |= dict.fromkeys(topics - found, until)


def _judge(
    wave: Sequence[Batch], outcomes: Sequence[object], refusals: tuple[type[Exception], ...]
) -> None:
    refused: list[Batch] = []
    reason: Exception | None = None
    failure: BaseException | None = None
    for batch, outcome in zip(wave, outcomes, strict=True):
        match outcome:
            case Exception() if isinstance(outcome, refusals):
                refused.append(batch)
                reason = outcome
            case BaseException():
                failure = outcome
            case _:
                batch.is_acknowledged = True
    if refused:
        raise Refused(refused, f"{type(reason).__name__} {reason}")
    if failure is not None:
        raise failure


def _known_partitions(producer: AIOKafkaProducer, topics: set[str]) -> dict[str, int]:
    cluster = producer.client.cluster
    return {
        topic: len(partitions)
        for topic in topics
        if (partitions := cluster.partitions_for_topic(topic))
    }
