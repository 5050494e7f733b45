"""Whether the intake really moves, judged from outside the client that does the reading.

aiokafka can stay assigned and stop fetching (issue 1154 there), and then its own idea of the end
stands still too. So the ends are asked for, and compared with what has its outcome.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer.party_progress import Reader
from consumer.watchdog import Pulse

PERIOD_SECONDS = 15.0
SECONDS_TO_ANSWER = 10.0


class IntakeProgress:
    """Looks every 15 seconds; what it sees goes to the watchdog's pulse."""

    def __init__(
        self,
        consumer: Any,  # noqa: ANN401 - aiokafka's consumer, or one that wraps it
        reader: Reader,
        pulse: Pulse,
    ) -> None:
        self._consumer = consumer
        self._reader = reader
        self._pulse = pulse
        self._before: Mapping[TopicPartition, int] = {}

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
        self._pulse.has_work(waiting=any(positions[each] < ends[each] for each in mine))
