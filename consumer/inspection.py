"""One run of the checker: topics and tables read in the order that makes them comparable."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import asyncpg
from aiokafka import TopicPartition

from consumer import losses, reading, window
from consumer.audit import EVER, Audit, Report
from consumer.audited_topics import AuditedTopics
from consumer.breach import Breach, Violation
from consumer.evidence import Identity, Place, Retry, Stretch
from consumer.group_lag import committed_offsets
from consumer.published import Published
from consumer.scan import Partitions, end_offsets, first_offsets, scan
from consumer.settings import Settings
from consumer.subscription import DEAD_LETTER_SUFFIX
from consumer.watching import Watch
from consumer.window import Bounds, Offsets, Window
from db import inventory
from db.connect import connect
from db.loose_ends import loose_ends
from handlers.identity import ticket_id

SECONDS_FOR_A_QUESTION: Final = 1_800.0
GAPS_SHOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Arrived:
    """What there is of records. bounds: of those to judge; unread: how many are not handled yet.

    jumps: positions of the group that its topics no longer have, and that it has yet to meet.
    """

    bounds: Bounds
    unread: int
    jumps: Collection[losses.Jump]


@dataclass(frozen=True, slots=True)
class Inspection:
    """One run. What is read later must be there if it was there when the earlier was read."""

    settings: Settings
    kafka: Any  # aiokafka's consumer
    admin: Any  # and its admin client
    topics: AuditedTopics
    window: Window
    watch: Watch

    async def run(self) -> Report:
        arrived = await self._arrived()
        early = await end_offsets(self.kafka, [*self.topics.facts, *self.topics.letters])
        async with _snapshot(self.settings) as snapshot:
            audit = await self._begin(snapshot)
            await self._judge_arrivals(audit, snapshot, arrived.bounds)
            with self.watch(None, "facts in the database") as line:
                async for rows in inventory.facts(snapshot, *self._times):
                    audit.published.committed(reading.facts(rows))
                    line.advance(len(rows))
            ends = await loose_ends(snapshot, *self._times)
            reported = await inventory.lost_positions(
                snapshot, self.settings.group_id, *self._times
            )
        await self._judge_facts(audit, early)
        await self._judge_gaps(audit)
        await self._judge_letters(audit, early, arrived.bounds)
        jumps = [losses.Jump(TopicPartition(*row[:2]), *row[2:]) for row in reported]
        kept_since = await window.kept_since(self.kafka, self.topics.letters, audit.now)
        return audit.report(
            unread=arrived.unread,
            loose_ends=ends,
            losses=losses.sum_up([*jumps, *arrived.jumps]),
            letters_kept_since={
                topic.removesuffix(DEAD_LETTER_SUFFIX): at for topic, at in kept_since.items()
            },
        )

    @property
    def _times(self) -> tuple[datetime, datetime]:
        return self.window.since, self.window.until

    async def _begin(self, snapshot: asyncpg.Connection) -> Audit:
        now = await snapshot.fetchval("SELECT now()")
        published = Published(
            self.topics.topic_of,
            self.window.begins,
            await window.kept_since(self.kafka, self.topics.facts, now),
        )
        retries = [Retry(*row) for row in await inventory.replays(snapshot)]
        days = self.settings.dlq_retention_days
        forgotten_before = EVER if days is None else now - timedelta(days=days)
        return Audit(published, *self._times, now, retries, forgotten_before)

    async def _arrived(self) -> Arrived:
        """The records that the group says to be done with have their outcomes by now.

        A position behind the end is one of a topic that was there before.
        """
        inbound = self.topics.inbound
        committed = await committed_offsets(self.admin, self.settings.group_id)
        ends = await end_offsets(self.kafka, inbound)
        first = await first_offsets(self.kafka, inbound)
        handled = {
            each: at if (at := committed.get(each, 0)) <= end else 0 for each, end in ends.items()
        }
        starts = await window.starts(self.kafka, inbound, self.window)
        stops = await window.stops(self.kafka, inbound, self.window, ends)
        bounds = {
            each: (at, max(at, min(handled[each], stops[each]))) for each, at in starts.items()
        }
        unread = sum(max(0, stops[each] - max(handled[each], at)) for each, at in starts.items())
        return Arrived(bounds, unread, losses.pending(committed, first))

    async def _judge_arrivals(
        self, audit: Audit, snapshot: asyncpg.Connection, bounds: Bounds
    ) -> None:
        """Between records there may be gaps: compaction, or transactions that were aborted."""
        done = {partition: start for partition, (start, _) in bounds.items()}
        begun: dict[TopicPartition, datetime | None] = {}
        longest = self.settings.max_record_bytes

        async def judge(partition: TopicPartition, records: Collection[Any], end: int) -> None:
            role = self.topics.roles[partition.topic]
            arrivals = [reading.arrival(each, role, longest) for each in records]
            if arrivals:
                begun.setdefault(partition, arrivals[0].place.arrived_at)
            stretch = Stretch(
                partition.topic,
                partition.partition,
                done[partition],
                end - 1,
                begun.get(partition),
            )
            rows = await reading.rows_of(snapshot, arrivals, stretch, role, longest)
            audit.arrived(arrivals, stretch, rows, role.tenant)
            done[partition] = end

        with self.watch(_length(bounds), "records") as line:
            async for partition, records in scan(self.kafka, bounds):
                await judge(partition, records, records[-1].offset + 1)
                line.advance(len(records))
        for partition, (_, end) in bounds.items():
            if done[partition] < end:
                await judge(partition, (), end)
        await self._settle(audit, snapshot)

    async def _settle(self, audit: Audit, snapshot: asyncpg.Connection) -> None:
        identities = {identity for _, identity in audit.waiting_for}
        if not identities:
            return
        tickets: dict[Identity, Identity] = {
            (tenant, ticket_id(key)): (tenant, key) for tenant, key in identities
        }
        found = await inventory.unknown_customers(snapshot, [ticket for _, ticket in tickets])
        audit.settle({tickets[each]: at for each, at in found.items() if each in tickets})

    async def _judge_facts(self, audit: Audit, early: Offsets) -> None:
        bounds = await self._to_the_end(self.topics.facts)
        with self.watch(_length(bounds), "published facts") as line:
            async for partition, records in scan(self.kafka, bounds):
                audit.published.sent(
                    reading.sent(record, is_early=record.offset < early[partition])
                    for record in records
                    if self.window.holds(dict(record.headers).get("ce_time"))
                )
                line.advance(len(records))

    async def _judge_gaps(self, audit: Audit) -> None:
        """A number that is missing in the window may be just outside of it."""
        gaps = list(islice(audit.published.gaps(), GAPS_SHOWN))
        if not gaps:
            return
        async with _snapshot(self.settings) as snapshot:
            there = await inventory.existing(snapshot, [gap[:3] for gap in gaps])
        audit.violations += (
            Violation(
                Breach.GAP,
                f"Fact {gap.highest} of ticket {gap.ticket_id} (tenant {gap.tenant_id}) was"
                f" published, but there is no fact {gap.sequence} of it.",
            )
            for gap in gaps
            if (gap.ticket_id, gap.sequence) not in there
        )

    async def _judge_letters(self, audit: Audit, early: Offsets, judged: Bounds) -> None:
        """A letter whose record was not judged proves nothing."""
        kept = Window(since=audit.forgotten_before)

        def concerns_us(letter: Any, time: bytes | None) -> bool:  # noqa: ANN401
            origin: Place | None = letter.origin
            if origin in audit.letters:
                return True
            if not (self.window.holds(time) and kept.holds(time)):
                return False
            if origin is None:
                return True
            start, end = judged.get(TopicPartition(origin.topic, origin.partition), (0, 0))
            return start <= origin.offset < end

        bounds = await self._to_the_end(self.topics.letters)
        with self.watch(_length(bounds), "dead letters") as line:
            async for partition, records in scan(self.kafka, bounds):
                letters = [
                    (
                        reading.sent_letter(record, is_early=record.offset < early[partition]),
                        dict(record.headers).get("dlq-failed-at"),
                    )
                    for record in records
                ]
                audit.sent_letters(letter for letter, at in letters if concerns_us(letter, at))
                line.advance(len(records))

    async def _to_the_end(self, partitions: Partitions) -> Bounds:
        starts = await window.starts(self.kafka, partitions, self.window)
        ends = await end_offsets(self.kafka, partitions)
        return {each: (start, ends[each]) for each, start in starts.items()}


def _length(bounds: Bounds) -> int:
    return sum(end - start for start, end in bounds.values())


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
