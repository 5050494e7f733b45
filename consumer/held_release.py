"""Held facts are let go, and a relay sends them: ours, or that of whoever has the lease.

We never send a held fact ourselves: the relay may hold further facts of the same ticket at the same
moment, and only who has the lease knows what comes before what.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import asyncpg

from consumer import clients
from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.relay import Relay, RelayTimes
from consumer.settings import Settings
from consumer.transaction import transaction
from consumer.wakeups import Wakeups
from db import held_release
from db.held_facts import BEHIND
from db.held_release import Held, HeldKey, Left
from schemas.catalogue import TOPIC_OF_CE_TYPE

LOOK_SECONDS: Final = 0.3
LANDING_SECONDS: Final = 5.0
"""How long our relay may take for its last round."""

TIMES: Final = RelayTimes(topics=1.0)
"""A relay of ours looks for what was let go more often than a service's, which looks every 5 s."""

Subject = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is still held of some tickets. waiting: the relay sends it next.

    refused: again, with the broker's word. behind: what waits behind those. absent: their topic
    does not exist. loose: waits behind nothing, since the relay had not known yet that what stood
    before it was let go.
    """

    waiting: Sequence[Left] = ()
    refused: Sequence[Left] = ()
    behind: Sequence[Left] = ()
    absent: Sequence[Left] = ()
    loose: Sequence[Left] = ()

    @property
    def is_final(self) -> bool:
        return not self.waiting and not self.loose


def judged(rows: Iterable[Left], absent: Collection[str]) -> Standing:
    """Sort what is left, a ticket's facts in their order. absent: topics that don't exist."""
    waiting: list[Left] = []
    refused: list[Left] = []
    behind: list[Left] = []
    without_topic: list[Left] = []
    loose: list[Left] = []
    refused_of: set[Subject] = set()
    for row in rows:
        if row.missing_topic is not None:
            (without_topic if row.missing_topic in absent else waiting).append(row)
        elif row.reason != BEHIND:
            refused_of.add(row.key.subject)
            refused.append(row)
        else:
            (behind if row.key.subject in refused_of else loose).append(row)
    return Standing(waiting, refused, behind, without_topic, loose)


@dataclass(slots=True)
class Release:
    """Tickets whose held facts are let go, and what became of them."""

    pool: asyncpg.Pool
    dependencies: Dependencies
    topic_prefix: str
    subjects: Sequence[Subject]
    absent: Collection[str]
    released: set[HeldKey] = field(default_factory=set)
    standing: Standing = field(default_factory=Standing)

    @property
    def published(self) -> int:
        standing = self.standing
        kinds = (
            standing.waiting,
            standing.refused,
            standing.behind,
            standing.absent,
            standing.loose,
        )
        return len(self.released - {row.key for kind in kinds for row in kind})

    async def let_go(self) -> None:
        """Release whole tickets, in one transaction."""
        topic_of = {name: self.topic_prefix + topic for name, topic in TOPIC_OF_CE_TYPE.items()}

        async def release() -> list[HeldKey]:
            async with transaction(self.pool) as connection:
                return await held_release.release(connection, self.subjects, topic_of)

        self.released |= set(await self.dependencies.retrying("database", release))

    async def look(self) -> None:
        """See what is left; what the relay held meanwhile behind what is gone is let go too."""

        async def ask() -> list[Left]:
            async with transaction(self.pool) as connection:
                return await held_release.left(connection, self.subjects)

        self.standing = judged(await self.dependencies.retrying("database", ask), self.absent)
        if self.standing.loose:
            await self.let_go()

    async def follow(self, told: Callable[[int], None]) -> None:
        """Look until nothing waits any more; told: how many more are published."""
        before = 0
        while True:
            await self.look()
            told(self.published - before)
            before = self.published
            if self.standing.is_final:
                return
            await asyncio.sleep(LOOK_SECONDS)


async def held(
    pool: asyncpg.Pool, *, tenant_id: str | None, subject_id: str | None, most: int
) -> tuple[list[Held], bool]:
    """What waits for people, of whole tickets, and whether there is more of it."""
    async with transaction(pool) as connection:
        found = await held_release.listed(
            connection, tenant_id=tenant_id, subject_id=subject_id, limit=most + 1
        )
    if len(found) <= most:
        return found, False
    cut = found[-1].key.subject
    return [each for each in found if each.key.subject != cut], True


@asynccontextmanager
async def relaying(
    settings: Settings, pool: asyncpg.Pool, dependencies: Dependencies
) -> AsyncIterator[None]:
    """A relay at work here meanwhile, for where no service runs; whoever has the lease sends."""
    relay = Relay(
        pool,
        partial(clients.producer, settings),
        Wakeups(),
        dependencies,
        Metrics(),
        handover=Handover(),
        topic_prefix=settings.topic_prefix,
        holder=f"{socket.gethostname()}:{os.getpid()}",
        times=TIMES,
    )
    running = asyncio.create_task(relay.run(), name="relay")
    try:
        yield
    finally:
        relay.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LANDING_SECONDS):
                await running
