"""`verify`: read a window of topics and tables, and say whether the promise held.

The one checker for operators, scenarios, simulation and the demo. It joins no group, moves no
offset and writes nothing. A window of some hundred thousand facts fits into memory.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
from aiokafka import TopicPartition

from consumer import clients, reading
from consumer.audit import Audit, Report
from consumer.evidence import Place, Stretch
from consumer.group_lag import committed_offsets
from consumer.scan import Partitions, end_offsets, first_offsets, partitions_of, scan, started
from consumer.settings import Settings
from consumer.subscription import DEAD_LETTER_SUFFIX, Subscription
from db import inventory
from db.connect import connect
from handlers.entries import TopicRole
from schemas.catalogue import TOPIC_OF_CE_TYPE

EVER: Final = datetime(1, 1, 1, tzinfo=UTC)
SECONDS_FOR_A_QUESTION: Final = 600.0
CLOCKS_DIFFER_BY: Final = timedelta(minutes=1)
"""How far the clock that stamps what is published may lie behind the database's."""

Offsets = Mapping[TopicPartition, int]
Bounds = Mapping[TopicPartition, tuple[int, int]]
"""The first offset of each partition, and the one behind the last."""


async def verify(settings: Settings, *, since: datetime | None = None) -> Report:
    """Check everything, or what came in and was decided since then.

    Records are judged up to the offsets that the service's group has committed. Raises KafkaError,
    OSError or what asyncpg raises when a server can't be read.
    """
    async with (
        started(clients.consumer(settings)) as kafka,
        started(clients.admin(settings)) as admin,
    ):
        topics = await _find_topics(admin, settings)
        return await _Inspection(settings, kafka, admin, topics, since).run()


@dataclass(frozen=True, slots=True)
class _Topics:
    """The partitions of everything that we read and write. roles: of the topics that we read."""

    roles: Mapping[str, TopicRole]
    topic_of: Mapping[str, str]
    inbound: Partitions
    facts: Partitions
    letters: Partitions


@dataclass(frozen=True, slots=True)
class _Inspection:
    """One run. What is read later must be there if it was there when the earlier was read."""

    settings: Settings
    kafka: Any  # aiokafka's consumer
    admin: Any  # and its admin client
    topics: _Topics
    since: datetime | None

    async def run(self) -> Report:
        ends = await end_offsets(self.kafka, self.topics.inbound)
        handled = await self._handled()
        early = await end_offsets(self.kafka, [*self.topics.facts, *self.topics.letters])
        audit = Audit(self.topics.topic_of)
        async with _snapshot(self.settings) as snapshot:
            await self._judge_arrivals(audit, snapshot, handled)
            facts = inventory.facts(snapshot, self._since)
            audit.committed([reading.fact(row) async for row in facts])
            loose_ends = await inventory.loose_ends(snapshot, self._since)
        await self._judge_facts(audit, early)
        await self._judge_letters(audit, early, handled)
        unread = sum(end - max(handled[each]) for each, end in ends.items())
        return audit.report(unread=unread, loose_ends=loose_ends)

    @property
    def _since(self) -> datetime:
        return self.since or EVER

    async def _handled(self) -> Bounds:
        """The records that the group says to be done with; by now each has its outcome."""
        committed = await committed_offsets(self.admin, self.settings.group_id)
        starts = await self._starts(self.topics.inbound)
        return {each: (at, max(at, committed.get(each, 0))) for each, at in starts.items()}

    async def _judge_arrivals(
        self, audit: Audit, snapshot: asyncpg.Connection, bounds: Bounds
    ) -> None:
        """Between records there may be gaps: compaction, or transactions that were aborted."""
        done = {partition: start for partition, (start, _) in bounds.items()}

        async def judge(partition: TopicPartition, records: Collection[Any], end: int) -> None:
            role = self.topics.roles[partition.topic]
            longest = self.settings.max_record_bytes
            stretch = Stretch(partition.topic, partition.partition, done[partition], end - 1)
            arrivals = [reading.arrival(each, role, longest) for each in records]
            rows = await reading.rows_of(snapshot, arrivals, stretch, self._since)
            audit.arrived(arrivals, stretch, rows)
            done[partition] = end

        async for partition, records in scan(self.kafka, bounds):
            await judge(partition, records, records[-1].offset + 1)
        for partition, (_, end) in bounds.items():
            if done[partition] < end:
                await judge(partition, (), end)

    async def _judge_facts(self, audit: Audit, early: Offsets) -> None:
        async for partition, records in scan(self.kafka, await self._to_the_end(self.topics.facts)):
            audit.sent(
                reading.sent(record, is_early=record.offset < early[partition])
                for record in records
                if self._is_in_the_window(dict(record.headers).get("ce_time"))
            )

    async def _judge_letters(self, audit: Audit, early: Offsets, judged: Bounds) -> None:
        """A letter whose record was not judged proves nothing."""

        def concerns_us(origin: Place | None) -> bool:
            if origin is None:
                return True
            start, end = judged.get(TopicPartition(origin.topic, origin.partition), (0, 0))
            return start <= origin.offset < end

        async for partition, records in scan(
            self.kafka, await self._to_the_end(self.topics.letters)
        ):
            letters = [
                reading.sent_letter(record, is_early=record.offset < early[partition])
                for record in records
                if self._is_in_the_window(dict(record.headers).get("dlq-failed-at"))
            ]
            audit.sent_letters(letter for letter in letters if concerns_us(letter.origin))

    async def _to_the_end(self, partitions: Partitions) -> Bounds:
        starts = await self._starts(partitions)
        ends = await end_offsets(self.kafka, partitions)
        return {each: (start, ends[each]) for each, start in starts.items()}

    async def _starts(self, partitions: Partitions) -> Offsets:
        """The first offset of each partition to look at."""
        first = await first_offsets(self.kafka, partitions)
        if self.since is None or not partitions:
            return first
        earliest = int((self.since - CLOCKS_DIFFER_BY).timestamp() * 1000)
        found = await self.kafka.offsets_for_times(dict.fromkeys(partitions, earliest))
        ends = await end_offsets(self.kafka, partitions)
        return {each: ends[each] if at is None else at.offset for each, at in found.items()}

    def _is_in_the_window(self, time: bytes | None) -> bool:
        """Whether what carries this time is looked at; what carries none is."""
        try:
            return datetime.fromisoformat((time or b"").decode()) >= self._since
        except ValueError:
            return True


async def _find_topics(admin: Any, settings: Settings) -> _Topics:  # noqa: ANN401  aiokafka's
    subscription = Subscription(settings)
    known = await admin.list_topics()
    roles = {topic: role for topic in known if (role := subscription.role_of(topic))}
    topic_of = {kind: settings.topic_prefix + name for kind, name in TOPIC_OF_CE_TYPE.items()}
    return _Topics(
        roles,
        topic_of,
        await partitions_of(admin, roles),
        await partitions_of(admin, set(topic_of.values())),
        await partitions_of(admin, {topic + DEAD_LETTER_SUFFIX for topic in roles}),
    )


@asynccontextmanager
async def _snapshot(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Everything as it was at one instant, later than all that was read from Kafka before."""
    connection = await connect(
        settings.database_url.get_secret_value(),
        pooler=settings.database_pooler,
        application_name="isp-ticketing verify",
        command_timeout=SECONDS_FOR_A_QUESTION,
    )
    try:
        await connection.execute(inventory.SNAPSHOT)
        yield connection
    finally:
        await connection.close()
