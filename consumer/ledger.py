"""The relay's side of the database: what to publish next, and writing off what was."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import asyncpg

from consumer import transaction as transactions
from consumer.dependencies import Dependencies
from consumer.outgoing import FactRow
from consumer.transaction import transaction
from db import held_facts, lease, letters, outbox
from db.held_facts import Block, FactKey, Hold, Subject
from db.lease import Lease
from db.letters import LetterKey, Sized
from db.outbox import Backlog, Claim

MOST_ROWS = 500
MOST_FACTS = 5_000
MOST_BYTES = 8 * 1024 * 1024
"""What one round takes at most, unless a single row holds more."""

HELD_AT_ONCE = 500
"""Held facts and dead letters that are read at once when their topic has appeared."""


NO_FLUSH = "SET LOCAL synchronous_commit = off"
"""For writing off: a server that crashes may forget it, and then facts are published once more."""


@dataclass(frozen=True, slots=True)
class Round:
    """Rows of the outbox, and all that they announce. oldest_seconds: the age of the first.

    facts: rows as db.outbox.FACT, a ticket's in order. blocked: their subjects that have facts
    held. letters: dead letters, with their lengths. is_cut: there is more in the outbox.
    is_handed_over: it was not read from there.
    """

    claims: Sequence[Claim]
    facts: Sequence[asyncpg.Record | FactRow]
    letters: Sequence[Sized] = ()
    blocked: Mapping[Subject, Block] = field(default_factory=dict)
    is_cut: bool = False
    is_handed_over: bool = False

    @property
    def ids(self) -> list[int]:
        return [claim.id for claim in self.claims]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was done with a round or with what was held, to be written off under the fence.

    outbox_ids: rows of which everything is published, held or marked. held: facts to hold.
    released: held facts that are published. refused: facts that waited for their topic and were
    refused there. letters: why dead letters were not passed on; None where one was after all.
    """

    outbox_ids: Sequence[int] = ()
    held: Sequence[Hold] = ()
    released: Sequence[FactKey] = ()
    refused: Mapping[FactKey, str] = field(default_factory=dict)
    letters: Mapping[LetterKey, str | None] = field(default_factory=dict)

    def and_then(self, later: "Settlement") -> "Settlement":
        """Both, to be written off at once."""
        return Settlement(
            outbox_ids=[*self.outbox_ids, *later.outbox_ids],
            held=[*self.held, *later.held],
            released=[*self.released, *later.released],
            refused={**self.refused, **later.refused},
            letters={**self.letters, **later.letters},
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not published yet, and why.

    topics: missing ones that facts wait for. dlqs: topics whose missing `.dlq` dead letters wait
    for. held: how many facts are held; counted up to a limit.
    """

    backlog: Backlog
    topics: Sequence[str]
    dlqs: Sequence[str]
    held: int


class Ledger:
    """Asks and writes under one lease; waits for the database whenever it must."""

    def __init__(
        self, pool: asyncpg.Pool, dependencies: Dependencies, held: Lease, *, idle_seconds: float
    ) -> None:
        """idle_seconds: how long a process that stands still may keep the lease's row locked."""
        self._pool = pool
        self._dependencies = dependencies
        self._lease = held
        self._anything_held = True
        self._begin = beginning(idle_seconds)

    async def read(self, taken: Collection[int], is_handed_over: Callable[[int], bool]) -> Round:
        """Read the next round; it has no claims when there is none.

        taken: rows that are being published, or are and not yet written off. is_handed_over:
        whether a row comes by another way; what stands behind it has to wait for it.
        """
        return await self._dependencies.retrying("database", self._read, taken, is_handed_over)

    async def settle(self, settlement: Settlement) -> None:
        """Write off. Raises LeaseLost when the lease is another's; then nothing is written.

        Doing it again after a commit that was cut off changes nothing.
        """
        await self._dependencies.retrying("database", self._settle, settlement)

    async def waiting(self) -> Waiting:
        """How much waits, and for which topics."""
        return await self._dependencies.retrying("database", self._waiting)

    async def held_for(self, topic: str) -> tuple[list[FactKey], list[asyncpg.Record]]:
        """The first facts that wait for a topic: the keys of all, and those that exist."""
        return await self._dependencies.retrying("database", self._held_for, topic)

    async def letters_for(self, topic: str) -> list[Sized]:
        """The first dead letters of a topic that wait for its .dlq."""
        return await self._dependencies.retrying("database", self._letters_for, topic)

    async def letters(self, keys: Sequence[LetterKey]) -> list[asyncpg.Record]:
        """Dead letters in full (db.letters.LETTER)."""
        return await self._dependencies.retrying("database", self._letters, keys)

    async def _read(self, taken: Collection[int], is_handed_over: Callable[[int], bool]) -> Round:
        limit = MOST_ROWS + len(taken)
        async with transaction(self._pool, begin=self._begin) as connection:
            rows = await outbox.claim(connection, limit=limit)
            free = [row for row in rows if row.id not in taken]
            claims = bounded(list(takewhile(lambda row: not is_handed_over(row.id), free)))
            with_facts = [claim.id for claim in claims if claim.facts]
            with_letters = [claim.id for claim in claims if claim.dead_letters]
            facts = await outbox.facts_of(connection, with_facts) if with_facts else []
            sized = await letters.written_with(connection, with_letters) if with_letters else []
            blocked: Mapping[Subject, Block] = {}
            if facts and self._anything_held:
                blocked = await held_facts.blocked(connection, list({row[:2] for row in facts}))
        is_cut = len(claims) < len(free) or len(rows) == limit
        return Round(claims, facts, sized, blocked, is_cut)

    async def _settle(self, settlement: Settlement) -> None:
        """Nobody else holds the lease until this is committed."""
        async with transaction(self._pool, begin=f"{self._begin}; {NO_FLUSH}") as connection:
            await lease.confirm(connection, self._lease)
            if settlement.outbox_ids:
                await outbox.delete(connection, settlement.outbox_ids)
            if settlement.held:
                await held_facts.hold(connection, settlement.held)
                self._anything_held = True
            if settlement.released:
                await held_facts.remove(connection, settlement.released)
            for fact, reason in settlement.refused.items():
                await held_facts.block(connection, fact, reason)
            if settlement.letters:
                await letters.set_errors(connection, settlement.letters)

    async def _waiting(self) -> Waiting:
        async with transaction(self._pool, begin=self._begin) as connection:
            backlog = await outbox.backlog(connection)
            dlqs = await letters.topics_without_dlq(connection)
            held = await held_facts.count(connection) if self._anything_held else 0
            topics = await held_facts.missing_topics(connection) if held else []
        self._anything_held = held > 0
        return Waiting(backlog, topics, dlqs, held)

    async def _held_for(self, topic: str) -> tuple[list[FactKey], list[asyncpg.Record]]:
        async with transaction(self._pool, begin=self._begin) as connection:
            return await held_facts.waiting_for(connection, topic, limit=HELD_AT_ONCE)

    async def _letters_for(self, topic: str) -> list[Sized]:
        async with transaction(self._pool, begin=self._begin) as connection:
            return await letters.waiting_for_dlq(connection, topic, limit=HELD_AT_ONCE)

    async def _letters(self, keys: Sequence[LetterKey]) -> list[asyncpg.Record]:
        async with transaction(self._pool, begin=self._begin) as connection:
            return await letters.read(connection, keys)


def bounded(claims: Sequence[Claim]) -> Sequence[Claim]:
    """As many of the first rows as one round may take, but always one."""
    facts = length = 0
    for index, claim in enumerate(claims):
        facts += claim.facts + claim.dead_letters
        length += claim.bytes
        if index and (facts > MOST_FACTS or length > MOST_BYTES):
            return claims[:index]
    return claims


def beginning(idle_seconds: float) -> str:
    """Begin a transaction that can't be planned badly and can't keep its locks for long.

    These tables fill and drain: statistics taken while one was empty make any scan look free.
    """
    return (
        f"{transactions.BEGIN}; SET LOCAL enable_mergejoin = off; "
        f"SET LOCAL idle_in_transaction_session_timeout = {int(idle_seconds * 1000)}"
    )
