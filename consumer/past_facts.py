"""Past facts that are wanted, a stretch at a time, in the order of their publication."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import asyncpg

from consumer import transaction as transactions
from consumer.dependencies import Dependencies
from consumer.transaction import transaction
from db import past_facts
from db.past_facts import Filter, Past, Position

FACTS_LOOKED_AT: Final = 20_000
"""How many are looked at in one statement; of those that are wanted only the keys are kept."""

BEGIN: Final = f"{transactions.BEGIN}; SET LOCAL enable_mergejoin = off; SET TRANSACTION READ ONLY"

T = TypeVar("T")


@dataclass(slots=True)
class Census:
    """What there is to send. by_type: how many of each; unpublished: how many are left out."""

    by_type: Counter[str] = field(default_factory=Counter)
    unpublished: int = 0

    @property
    def facts(self) -> int:
        return self.by_type.total()


class PastFacts:
    """What is wanted, a stretch at a time, in the order in which it is sent.

    after: where an earlier run stopped. Bounded by what there is when `bounded` is awaited.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        dependencies: Dependencies,
        wanted: Filter,
        after: Position | None = None,
    ) -> None:
        self._pool = pool
        self._dependencies = dependencies
        self._wanted = wanted
        self._after = after
        self._bounds = 0, 0

    async def bounded(self) -> None:
        """Fix where it begins and ends, so that it has an end."""
        self._bounds = await self._asked(past_facts.bounds, self._wanted)

    async def stretches(self) -> AsyncIterator[tuple[int, list[Past]]]:
        """How many facts were looked at, about, and those of them that are wanted."""
        if self._wanted.subject is not None:
            found = await self._asked(past_facts.keys_of_subject, self._wanted)
            yield len(found), self._beyond(found)
            return
        start, end = self._bounds
        if self._after is not None:
            start = max(start, self._after.outbox_id - 1)
        while start < end:
            stop = await self._asked(_stretch_end, start, end)
            yield (
                FACTS_LOOKED_AT,
                self._beyond(await self._asked(past_facts.keys, self._wanted, start, stop)),
            )
            start = stop

    async def read(self, facts: Sequence[Past]) -> list[asyncpg.Record]:
        """These in full (db.outbox.FACT)."""
        return await self._asked(past_facts.facts, [each.position for each in facts])

    def _beyond(self, found: list[Past]) -> list[Past]:
        if self._after is None:
            return found
        return [each for each in found if each.position > self._after]

    async def _asked(self, question: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Waits for the database."""

        async def ask() -> T:
            async with transaction(self._pool, begin=BEGIN) as connection:
                return await question(connection, *arguments)

        return await self._dependencies.retrying("database", ask)


async def census(facts: PastFacts, looked_at: Callable[[int], None]) -> Census:
    """Count by type; looked_at: told how many more were looked at."""
    found = Census()
    async for number, wanted in facts.stretches():
        found.by_type.update(each.ce_type for each in wanted if each.is_published)
        found.unpublished += sum(not each.is_published for each in wanted)
        looked_at(number)
    return found


async def _stretch_end(connection: asyncpg.Connection, start: int, end: int) -> int:
    return await past_facts.stretch_end(connection, start, end, facts=FACTS_LOOKED_AT)
