"""Whether the intake and the relay really move, judged from outside those that do the work.

aiokafka can stay assigned and stop fetching (issue 1154 there), and then its own idea of the end
stands still too. So the ends are asked for, and compared with what has its outcome. And of the
relay the database is asked: its oldest row goes, or stays.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import asyncpg
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer.dependencies import is_absence
from consumer.leadership import RELAY
from consumer.party_progress import Reader
from consumer.transaction import lent
from consumer.watchdog import Pulse
from db import outbox

PERIOD_SECONDS = 15.0
SECONDS_TO_ANSWER = 10.0


Offsets = Mapping[TopicPartition, int]


class IntakeProgress:
    """Looks every 15 seconds; what it sees goes to the watchdog's pulse.

    A paused topic waits for people: that is no work for us. note: told of our positions and of the
    ends, whatever they mean.
    """

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401 - aiokafka's consumer, or one that wraps it
        reader: Reader,
        pulse: Pulse,
        *,
        is_paused: Callable[[str], bool] = lambda _: False,
        note: Callable[[Offsets, Offsets], None] = lambda *_: None,
    ) -> None:
        self._consumer = consumer
        self._reader = reader
        self._pulse = pulse
        self._is_paused = is_paused
        self._note = note
        self._before: Offsets = {}

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Compare the ends with our positions; no answer, and no assignment, is no verdict."""
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER):
                mine = set(self._consumer.assignment())
                ends = await self._consumer.end_offsets(mine) if mine else {}
                positions = {each: await self._reader.next_position(each) for each in mine}
        except (KafkaError, OSError):
            return
        if positions != self._before:
            self._pulse.moved()
            self._before = positions
        self._note(positions, ends)
        waiting = {each.topic for each in mine if positions[each] < ends[each]}
        self._pulse.has_work(waiting=not all(self._is_paused(each) for each in waiting))


class Publishing(Protocol):
    """Whoever publishes. holder: as the lease names it. answers: how many the broker has given."""

    holder: str
    answers: int


class RelayProgress:
    """Looks every 15 seconds.

    Work is what the outbox holds, unless another holds the lease: then it is the other's. What is
    held, or waits for its topic, is not in the outbox. A lease that is nobody's is no excuse: who
    gets nothing done lets go of it again and again, and a relay that hangs while it gives up never
    takes it back. Answers count too: thousands of refused facts are found one by one before the
    first row goes.
    """

    def __init__(self, pool: asyncpg.Pool, relay: Publishing, pulse: Pulse) -> None:
        self._pool = pool
        self._relay = relay
        self._pulse = pulse
        self._before: tuple[int | None, int] = (None, 0)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            await self.look()

    async def look(self) -> None:
        """See whether the oldest row is another one by now; no answer is no verdict."""
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER), lent(self._pool) as connection:
                first, holder = await outbox.first_and_holder(connection, RELAY)
        except Exception as error:
            if not is_absence("database", error):
                raise
            return
        now = (first, self._relay.answers)
        if now != self._before:
            self._pulse.moved()
            self._before = now
        is_ours = holder in {None, self._relay.holder}
        self._pulse.has_work(waiting=first is not None and is_ours)
