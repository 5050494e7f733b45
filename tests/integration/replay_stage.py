"""Topics that a group has read, and a database that has their outcomes, for tests of `replay`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from confluent_kafka import Producer

from consumer import clients
from consumer.group_lag import committed_offsets
from consumer.scan import end_offsets, first_offsets, partitions_of, scan, started
from consumer.settings import Settings
from consumer.subscription import Subscription
from consumer.transaction import transaction
from db.connect import open_pool
from db.tables import metadata
from handlers.batch import Entry, Setting, handle
from handlers.entries import read
from handlers.outcomes import Rules
from tests.integration.command import Command, Done
from tests.scenarios.messages import Message
from tests.scenarios.world import PATIENCE_SECONDS, Place, World

TRACES = ("replays", "replay_positions")


@dataclass(slots=True)
class ReplayStage:
    """`ticketing` on topics of its own; `handle` is the service, in one breath."""

    command: Command

    @property
    def settings(self) -> Settings:
        return self.command.settings

    def topic(self, name: str = "ticket.requested") -> str:
        return self.settings.topic_prefix + name

    def publish(self, *messages: Message) -> list[Place]:
        settings = self.settings
        world = World(settings.kafka_bootstrap_servers, "", settings.topic_prefix)
        return asyncio.run(world.publish(*messages))

    def publish_at(self, partition: int, messages: Sequence[tuple[int, Message]]) -> None:
        """Send them in this order with these timestamps, in milliseconds."""
        producer = self._producer()
        for at, message in messages:
            producer.produce(
                self.topic(message.topic), message.value, message.key, partition, timestamp=at
            )
        assert producer.flush(PATIENCE_SECONDS) == 0

    def publish_transactions(self, kept: Message, dropped: Message, last: Message) -> None:
        """One transaction is committed, one aborted, one committed; then one more is aborted."""
        producer = self._producer(**{"transactional.id": f"{self.settings.topic_prefix}replay"})
        producer.init_transactions(PATIENCE_SECONDS)
        for message, is_kept in ((kept, True), (dropped, False), (last, True), (dropped, False)):
            producer.begin_transaction()
            producer.produce(self.topic(message.topic), message.value, message.key, 0)
            producer.flush(PATIENCE_SECONDS)
            end = producer.commit_transaction if is_kept else producer.abort_transaction
            end(PATIENCE_SECONDS)

    def publish_compressible(self, number: int, length: int) -> None:
        """Records of so many bytes each that are next to nothing on the way."""
        producer = self._producer(**{"compression.type": "zstd", "message.max.bytes": 2 * length})
        for each in range(number):
            producer.produce(self.topic(), b"%d" % each + b"x" * length, partition=each % 2)
            producer.poll(0)
        assert producer.flush(PATIENCE_SECONDS) == 0

    def _producer(self, **options: Any) -> Producer:  # noqa: ANN401  librdkafka's
        common = {"bootstrap.servers": self.settings.kafka_bootstrap_servers, "log_level": 0}
        return Producer(common | options)

    def handle(self, **changes: Any) -> None:  # noqa: ANN401  fields of Settings
        """Have the group read everything: parties, requests, changes; and commit its offsets."""
        asyncio.run(_handle(self.settings.model_copy(update=changes)))

    def pass_over(self) -> None:
        """Have the group commit the ends without having read anything, as an operator may."""
        asyncio.run(self.passed_over())

    async def passed_over(self) -> None:
        await _commit_ends(self.settings)

    def replay(self, *words: str) -> Done:
        return self.command("replay", *words, "--yes", "--json", "--by", "ops")

    def counts(self, *words: str) -> dict[str, int]:
        """What became of the records of a replay, without what is 0."""
        done = self.replay(*words)
        assert done.out, done.err
        return {name: number for name, number in done.json["counts"].items() if number}

    def ask(self, question: str, *arguments: object) -> list[tuple[Any, ...]]:
        return asyncio.run(self.asked(question, *arguments))

    async def asked(self, question: str, *arguments: object) -> list[tuple[Any, ...]]:
        return await _ask(self.settings, question, arguments)

    def tables(self) -> dict[str, list[str]]:
        """Every row of every table but those of replays."""
        return asyncio.run(_tables(self.settings))

    def offsets(self) -> Mapping[TopicPartition, int]:
        """What the group has committed."""
        return asyncio.run(_committed(self.settings))


async def _ask(
    settings: Settings, question: str, arguments: Sequence[object]
) -> list[tuple[Any, ...]]:
    pool = await open_pool(settings.database_url.get_secret_value(), size=1)
    rows = [tuple(row) for row in await pool.fetch(question, *arguments)]
    await pool.close()
    return rows


async def _tables(settings: Settings) -> dict[str, list[str]]:
    pool = await open_pool(settings.database_url.get_secret_value(), size=1)
    found = {}
    for table in metadata.sorted_tables:
        if table.name not in TRACES:
            rows = await pool.fetch(f"SELECT to_jsonb(t)::text FROM {table.name} t ORDER BY 1")  # noqa: S608  names of ours
            found[table.name] = [row[0] for row in rows]
    await pool.close()
    return found


async def _committed(settings: Settings) -> Mapping[TopicPartition, int]:
    async with started(clients.admin(settings)) as admin:
        return await committed_offsets(admin, settings.group_id)


async def _commit_ends(settings: Settings) -> None:
    subscription = Subscription(settings)
    async with (
        started(clients.admin(settings)) as admin,
        started(clients.consumer(settings, settings.group_id)) as member,
    ):
        topics = [each for each in await admin.list_topics() if subscription.role_of(each)]
        partitions = await partitions_of(admin, topics)
        member.assign(partitions)
        await member.commit(await end_offsets(member, partitions))


async def _handle(settings: Settings) -> None:
    subscription = Subscription(settings)
    pool = await open_pool(settings.database_url.get_secret_value(), size=1)
    async with (
        started(clients.consumer(settings)) as reader,
        started(clients.admin(settings)) as admin,
        started(clients.consumer(settings, settings.group_id)) as member,
    ):
        topics = [each for each in await admin.list_topics() if subscription.role_of(each)]
        topics.sort(key=lambda each: (not subscription.is_party(each), "change_" in each))
        committed = await committed_offsets(admin, settings.group_id)
        for topic in topics:
            partitions = await partitions_of(admin, [topic])
            first = await first_offsets(reader, partitions)
            ends = await end_offsets(reader, partitions)
            bounds = {
                each: (max(first[each], committed.get(each, 0)), ends[each]) for each in partitions
            }
            role = subscription.role_of(topic)
            assert role is not None
            async for _, records in scan(reader, bounds):
                entries: list[Entry] = [
                    read(each, role, settings.max_record_bytes) for each in records
                ]
                grace = settings.unknown_customer_grace_seconds
                async with transaction(pool) as connection:
                    await handle(connection, entries, Setting(Rules(grace_seconds=grace), "test"))
            member.assign(partitions)
            await member.commit(ends)
    await pool.close()
