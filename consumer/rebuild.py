"""Customers and partners compared with what their topics say, from the beginning, and put right.

The topics are read by a throw-away consumer, so nobody's offsets move. What differs is applied by
the function that the service uses, which judges each row again under its lock: a newer word that
arrives meanwhile stays.
"""

from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg
from aiokafka import TopicPartition

from consumer import clients
from consumer import transaction as transactions
from consumer.announcements import Announcements, PartyKey
from consumer.customer_import import apply_at_once
from consumer.scan import Partitions, end_offsets, first_offsets, partitions_of, scan, started
from consumer.settings import Settings
from consumer.subscription import Subscription
from consumer.transaction import transaction
from db import party_reading
from db.parties import PARTY_COLUMNS
from handlers.entries import TopicRole
from handlers.parties import TABLES, Moved, PartyChange, PartyState, Register
from schemas.vocabulary import Outcome

PARTIES_AT_ONCE: Final = 1_000
"""In one question, and in one transaction: the service waits for their rows at most so long."""

ROWS_AT_ONCE: Final = 10_000
COMPARED: Final = PARTY_COLUMNS[2:]
BEGIN: Final = f"{transactions.BEGIN}; SET TRANSACTION READ ONLY"

T = TypeVar("T")
Offsets = Mapping[TopicPartition, int]


class Difference(NamedTuple):
    """A party that is not here as it was announced. before: None where it is missing here."""

    party: str
    id: str
    before: PartyState | None
    after: PartyState

    @property
    def fields(self) -> dict[str, tuple[object, object]]:
        """What differs: as it is here, and as it should be."""
        return {
            name: (getattr(self.before, name, None), getattr(self.after, name))
            for name in COMPARED
            if getattr(self.before, name, None) != getattr(self.after, name)
        }


@dataclass(slots=True)
class Drift:
    """What the tables and the topics disagree about.

    changes: what puts it right. newer_here: parties whose row is newer than any record. foreign:
    announced by one tenant, and here of another. unannounced: rows that no record speaks of;
    unverified: those of them that tickets alone brought in.
    """

    missing: int = 0
    differing: int = 0
    newer_here: int = 0
    foreign: int = 0
    unannounced: int = 0
    unverified: int = 0
    first: list[Difference] = field(default_factory=list)
    changes: list[PartyChange] = field(default_factory=list)

    @property
    def is_none(self) -> bool:
        return not self.changes


class Topics(NamedTuple):
    """The topics that announce parties, and where their partitions begin and end."""

    roles: Mapping[str, TopicRole]
    starts: Offsets
    ends: Offsets

    @property
    def records(self) -> int:
        """How many records there are, or were before compaction."""
        return sum(end - self.starts[each] for each, end in self.ends.items())


class Reading:
    """Reads the topics of these kinds (customer, partner) with a consumer of no group."""

    def __init__(
        self,
        settings: Settings,
        consumer: Any,  # noqa: ANN401  aiokafka's
        admin: Any,  # noqa: ANN401  aiokafka's
        kinds: Collection[str],
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._admin = admin
        self._kinds = kinds

    async def topics(self) -> Topics:
        """What there is now."""
        subscription = Subscription(self._settings)
        roles = {}
        for name in await self._admin.list_topics():
            role = subscription.role_of(name)
            if role is not None and role.kind in self._kinds:
                roles[name] = role
        partitions = await partitions_of(self._admin, roles)
        if not partitions:
            return Topics(roles, {}, {})
        starts = await first_offsets(self._consumer, partitions)
        return Topics(roles, starts, await self.ends(partitions))

    async def ends(self, partitions: Partitions) -> Offsets:
        return await end_offsets(self._consumer, partitions)

    async def hear(
        self, announced: Announcements, topics: Topics, read: Callable[[int], None]
    ) -> set[PartyKey]:
        """Have it take all records in; whom they are about. read: told how far it came."""
        stretches = {each: (topics.starts[each], end) for each, end in topics.ends.items()}
        longest = self._settings.max_record_bytes
        at = dict(topics.starts)
        about: set[PartyKey] = set()
        async for partition, records in scan(self._consumer, stretches):
            role = topics.roles[partition.topic]
            for record in records:
                key = announced.take(record, role, longest)
                if key is not None:
                    about.add(key)
            read(records[-1].offset + 1 - at[partition])
            at[partition] = records[-1].offset + 1
        return about


@asynccontextmanager
async def reading_topics(settings: Settings, kinds: Collection[str]) -> AsyncIterator[Reading]:
    async with (
        started(clients.consumer(settings)) as consumer,
        started(clients.admin(settings)) as admin,
    ):
        yield Reading(settings, consumer, admin, kinds)


async def compare(
    pool: asyncpg.Pool, announced: Announcements, kinds: Iterable[str], *, shown: int
) -> Drift:
    """What would change if everything were applied now; nothing is written or locked.

    shown: how many differences are kept to be shown.
    """
    drift = Drift()
    for portion in batched(announced.in_order(), PARTIES_AT_ONCE):
        for party in TABLES:
            own = [changes for changes in portion if changes[0].party == party]
            if own:
                _judge(drift, party, own, await _rows(pool, party, own), shown)
    for party in kinds:
        await _count_unannounced(pool, announced, party, drift)
    return drift


def _judge(
    drift: Drift,
    party: str,
    portion: Sequence[Sequence[PartyChange]],
    rows: Iterable[PartyState],
    shown: int,
) -> None:
    before = {state.id: state for state in rows}
    register = Register(before.values())
    for changes in portion:
        id_ = changes[0].id
        outcomes = [register.apply(change) for change in changes]
        if Outcome.CHANGED in outcomes:
            drift.changes += changes
        elif any(isinstance(outcome, Moved) for outcome in outcomes):
            drift.foreign += 1
        elif id_ in before and before[id_].updated_at > changes[-1].changed_at:
            drift.newer_here += 1
    for id_, after in register.changed().items():
        drift.missing += id_ not in before
        drift.differing += id_ in before
        if len(drift.first) < shown:
            drift.first.append(Difference(party, id_, before.get(id_), after))


async def _rows(
    pool: asyncpg.Pool, party: str, portion: Sequence[Sequence[PartyChange]]
) -> list[PartyState]:
    """The rows that a portion touches: its own, and those that have its external ids now."""
    ids, external_ids = set(), set()
    for changes in portion:
        for change in changes:
            ids.add(change.id)
            if change.state is not None and change.state.external_id is not None:
                external_ids.add((change.state.tenant_id, change.state.external_id))
    async with transaction(pool, begin=BEGIN) as connection:
        rows = await party_reading.found(
            connection, TABLES[party], sorted(ids), sorted(external_ids)
        )
    return [PartyState(**{name: row[name] for name in PARTY_COLUMNS}) for row in rows]


async def _count_unannounced(
    pool: asyncpg.Pool, announced: Announcements, party: str, drift: Drift
) -> None:
    after = party_reading.NO_ID
    while True:
        async with transaction(pool, begin=BEGIN) as connection:
            rows = await party_reading.listed(connection, TABLES[party], after, limit=ROWS_AT_ONCE)
        if not rows:
            return
        for id_, status in rows:
            if not announced.knows((party, id_)):
                drift.unannounced += 1
                drift.unverified += status == "unverified"
        after = rows[-1][0]


async def apply(
    pool: asyncpg.Pool, changes: Sequence[PartyChange], done: Callable[[int], None]
) -> set[PartyKey]:
    """Apply them, some at a time; who was changed. done: told how many more are dealt with."""
    changed: set[PartyKey] = set()
    for portion in batched(changes, PARTIES_AT_ONCE):
        outcomes = await apply_at_once(pool, portion, dry_run=False)
        for change, outcome in zip(portion, outcomes, strict=True):
            if outcome is Outcome.CHANGED:
                changed.add((change.party, change.id))
        done(len(portion))
    return changed


async def catch_up(
    pool: asyncpg.Pool, reading: Reading, topics: Topics, changed: set[PartyKey]
) -> None:
    """Apply once more what was announced meanwhile about those that we have changed.

    A record that the service had applied since we read, with the very `updated_at` of ours, is
    replaced by ours: equal is applied. It was in its topic by then, so it is found here.
    """
    while changed:
        ends = await reading.ends(list(topics.ends))
        news = Topics(topics.roles, topics.ends, ends)
        announced = Announcements()
        about = await reading.hear(announced, news, _nothing)
        late = [
            change
            for changes in announced.in_order()
            for change in changes
            if (change.party, change.id) in changed & about
        ]
        changed = await apply(pool, late, _nothing)
        topics = Topics(topics.roles, topics.starts, ends)


def batched(every: Iterable[T], size: int) -> Iterator[list[T]]:
    """All of them in their order, so many at a time."""
    rest = iter(every)
    while portion := list(islice(rest, size)):
        yield portion


def _nothing(_: int) -> None:
    """Nobody is told."""
