"""What the relay's tests share: facts written as the writer does, relays, and a subscriber."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from consumer import clock
from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.leadership import LeaseTimes
from consumer.metrics import Metrics
from consumer.relay import Relay, RelayTimes
from consumer.wakeups import Wakeups
from db import outbox
from db.connect import connect, open_pool

PATIENCE_SECONDS = 60
"""How long a subscriber waits for a record before the test fails."""

Wrapped: TypeAlias = Any
"""Something real, or a wrapper around it that makes faults."""

QUICK = RelayTimes(
    lease=LeaseTimes(lease=3.0, renew=0.2, patience=20.0), poll=0.2, send=5.0, topics=0.2
)
PATIENT = replace(QUICK, poll=600.0, topics=600.0, lease=replace(QUICK.lease, patience=1_200.0))
"""For a relay that has to be woken."""

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of ticket_facts, valid by default."""

    subject_id: str = field(default_factory=lambda: str(uuid4()))
    sequence: int = 1
    ce_type: str = "ticket.created"
    tenant_id: str = "acme"
    ticket_id: str | None = None
    ticket_number: str | None = "TCK-0123456789AB"
    causation_id: str | None = None
    traceparent: str | None = None
    data: str = '{"title": "Grüße"}'


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of dead_letters, valid by default. topic: without the prefix."""

    offset: int
    value: bytes | None = b"not json"
    key: bytes | None = b"key"
    topic: str = "ticket.requested"
    headers: Sequence[tuple[bytes, bytes | None]] = ((b"x", b"\xff\x00"), (b"x", None))


@dataclass(frozen=True, slots=True)
class Received:
    """A record as a subscriber got it."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]

    def header(self, name: str) -> str | None:
        found = dict(self.headers).get(name)
        return None if found is None else found.decode()

    @property
    def sequence(self) -> int:
        return int(self.header("ce_sequence") or 0)


@dataclass(slots=True)
class RelayStage:
    """One database, one broker, topics under one prefix."""

    database_url: str
    kafka: str
    prefix: str
    pool: asyncpg.Pool

    async def write(
        self, *facts: Fact, letters: Sequence[Letter] = (), notify: bool = False
    ) -> int:
        """One write, as the consumer does it; returns its outbox number."""
        async with self.pool.acquire() as connection, connection.transaction():
            number = await outbox.take_number(connection)
            await self.write_facts(connection, number, facts)
            await self._write_letters(connection, number, letters)
            await self.announce(connection, number, facts, letters)
            if notify:
                await outbox.notify(connection)
        return number

    async def write_facts(
        self, connection: asyncpg.Connection, number: int, facts: Sequence[Fact]
    ) -> None:
        await connection.copy_records_to_table(
            "ticket_facts",
            columns=(
                *("tenant_id", "subject_id", "sequence", "outbox_id", "ce_type", "ticket_id"),
                *("ticket_number", "causation_id", "traceparent", "occurred_at", "data"),
            ),
            records=[
                (
                    *(fact.tenant_id, fact.subject_id, fact.sequence, number, fact.ce_type),
                    *(fact.ticket_id or fact.subject_id, fact.ticket_number, fact.causation_id),
                    *(fact.traceparent, AT, fact.data),
                )
                for fact in facts
            ],
        )

    async def announce(
        self,
        connection: asyncpg.Connection,
        number: int,
        facts: Sequence[Fact],
        letters: Sequence[Letter] = (),
    ) -> None:
        await connection.execute(
            "INSERT INTO outbox (id, facts, dead_letters, bytes, created_at)"
            " VALUES ($1, $2, $3, $4, now())",
            *(number, len(facts), len(letters), sum(len(fact.data) for fact in facts)),
        )

    async def _write_letters(
        self, connection: asyncpg.Connection, number: int, letters: Sequence[Letter]
    ) -> None:
        await connection.executemany(
            'INSERT INTO dead_letters (topic, partition, "offset", record_timestamp, key, value,'
            " header_names, header_values, error_class, error_message, group_id, failed_at,"
            " outbox_id) VALUES ($1, 0, $2, 1700000000000, $3, $4, $5, $6, 'invalid_json',"
            " 'It is no JSON.', 'isp-ticketing', $7, $8)",
            [
                (
                    *(self.prefix + letter.topic, letter.offset, letter.key, letter.value),
                    *([name for name, _ in letter.headers], [value for _, value in letter.headers]),
                    *(AT, number),
                )
                for letter in letters
            ],
        )

    def relay(
        self,
        *,
        pool: Wrapped = None,
        producer: Callable[[], Wrapped] | None = None,
        holder: str = "first",
        times: RelayTimes = QUICK,
        listens: bool = False,
        wakeups: Wakeups | None = None,
        handover: Handover | None = None,
        seconds: Callable[[], float] = clock.seconds,
    ) -> Relay:
        """A relay that does everything sooner than in production."""
        metrics = Metrics()
        return Relay(
            pool or self.pool,
            producer or self.producer,
            wakeups or Wakeups(),
            Dependencies(metrics),
            metrics,
            handover=handover or Handover(),
            topic_prefix=self.prefix,
            holder=holder,
            connect=(lambda: connect(self.database_url)) if listens else None,
            times=times,
            seconds=seconds,
        )

    def producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self.kafka,
            acks="all",
            enable_idempotence=True,
            max_batch_size=512 * 1024,
        )

    @asynccontextmanager
    async def relaying(self, **choices: Wrapped) -> AsyncIterator[Relay]:
        """A relay of `relay` at work."""
        async with self.at_work(self.relay(**choices)) as relay:
            yield relay

    @asynccontextmanager
    async def at_work(self, relay: Relay) -> AsyncIterator[Relay]:
        """Told to stop at the end, and then waited for."""
        async with asyncio.TaskGroup() as group:
            running = group.create_task(relay.run())
            try:
                yield relay
            except BaseException:
                running.cancel()
                raise
            relay.stop()

    async def create_topic(
        self, name: str, *, partitions: int = 2, config: Mapping[str, str] | None = None
    ) -> None:
        topic = NewTopic(self.prefix + name, partitions, 1, config=dict(config or {}))
        admin = AdminClient({"bootstrap.servers": self.kafka})
        await asyncio.to_thread(admin.create_topics([topic])[topic.topic].result)

    async def arrived(self, topic: str, count: int) -> list[Received]:
        """The first `count` records of a topic, a partition's in order; waits for them."""
        return await asyncio.to_thread(read, self.kafka, self.prefix + topic, count)

    async def everything(self, topic: str) -> list[Received]:
        """All records that the topic has now."""
        return await asyncio.to_thread(read, self.kafka, self.prefix + topic, None)

    async def fetch(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        async with self.pool.acquire() as connection:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]

    async def waiting(self) -> list[int]:
        """The numbers that are in the outbox."""
        return [row[0] for row in await self.fetch("SELECT id FROM outbox ORDER BY id")]

    async def held(self) -> list[tuple[str, int, str | None]]:
        """The held facts: subject, sequence, missing topic."""
        return await self.fetch(
            "SELECT subject_id::text, sequence, missing_topic FROM held_facts ORDER BY 1, 2"
        )


@asynccontextmanager
async def staged(database_url: str, kafka: str, prefix: str) -> AsyncIterator[RelayStage]:
    pool = await open_pool(database_url, size=10)
    try:
        yield RelayStage(database_url, kafka, prefix, pool)
    finally:
        await pool.close()


def read(bootstrap_servers: str, topic: str, count: int | None) -> list[Received]:
    """The records of all partitions from the beginning: so many, or all that there are."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "subscriber"})
    try:
        partitions = consumer.list_topics(topic).topics[topic].partitions
        assigned = [TopicPartition(topic, partition, 0) for partition in partitions]
        if count is None:
            ends = [consumer.get_watermark_offsets(each)[1] for each in assigned]
            count = sum(ends)
        consumer.assign(assigned)
        received: list[Received] = []
        while len(received) < count:
            message = consumer.poll(PATIENCE_SECONDS)
            assert message is not None, f"{len(received)} of {count} records arrived at {topic}"
            if (error := message.error()) is not None:
                assert error.retriable() or error.code() in RESTARTING, error
                continue
            received.append(_received(message))
        return received
    finally:
        consumer.close()


RESTARTING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}  # noqa: SLF001  confluent's names


def _received(message: Message) -> Received:
    headers: Any = message.headers() or []  # confluent's stub knows also forms that only send
    return Received(message.partition() or 0, message.key(), message.value(), list(headers))


def first_occurrences(received: Sequence[Received]) -> dict[bytes | None, list[int]]:
    """The sequences of each key in the order in which they first appear."""
    seen: dict[bytes | None, list[int]] = defaultdict(list)
    for record in received:
        if record.sequence not in seen[record.key]:
            seen[record.key].append(record.sequence)
    return seen


def story(subjects: int, length: int) -> list[list[Fact]]:
    """Writes in which each of some tickets gets one fact more."""
    tickets = [Fact() for _ in range(subjects)]
    return [
        [replace(ticket, sequence=number) for ticket in tickets] for number in range(1, length + 1)
    ]
