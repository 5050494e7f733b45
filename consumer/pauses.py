"""Which of our topics are paused, by people or by the ceiling: one look a second at the rows.

While the database is away, what was known holds. Before the first look nothing is known, and no
record may be taken: a pause that was there before us holds too.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from consumer import clock
from consumer.dependencies import Dependencies, is_absence
from consumer.metrics import Metrics
from consumer.subscription import Subscription
from consumer.transaction import lent, transaction
from db import pauses
from db.pauses import Pause

PERIOD_SECONDS = 1.0

log = structlog.get_logger()


class Pauses:
    """The pauses of topics that we read, as this process knows them.

    holder: who we are, where we pause a topic ourselves. on_end: called with each resumed topic.
    """

    def __init__(
        self,
        pool: Any,  # noqa: ANN401  asyncpg's pool, or one that wraps it
        subscription: Subscription,
        dependencies: Dependencies,
        metrics: Metrics,
        *,
        holder: str,
        on_end: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._subscription = subscription
        self._dependencies = dependencies
        self._metrics = metrics
        self._holder = holder
        self._on_end = on_end
        self._on_change: Callable[[], None] = lambda: None
        self._known: Mapping[str, Pause] = {}
        self._imposed: dict[str, Pause] = {}
        self._nudged = asyncio.Event()
        self.are_known = False

    def whenever_changed(self, act: Callable[[], None]) -> None:
        """Have `act` called after each change, and once it is known what there is."""
        self._on_change = act

    def is_paused(self, topic: str) -> bool:
        """Whether records of this topic, named as on the broker, must wait."""
        return topic in self._known

    def known(self) -> list[Pause]:
        """The pauses in force, by topic."""
        return sorted(self._known.values(), key=lambda pause: pause.topic)

    def impose(self, topic: str, reason: str) -> None:
        """Pause a topic ourselves: here at once, everywhere once the row is written."""
        if topic in self._known:
            return
        pause = Pause(topic, reason, self._holder, clock.utc_now(), is_ceiling=True)
        self._imposed[topic] = pause
        self._take({**self._known, topic: pause})
        self._nudged.set()

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            self._nudged.clear()
            await self.look()
            try:
                async with asyncio.timeout(PERIOD_SECONDS):
                    await self._nudged.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Write what we imposed, and read what there is; no answer changes nothing."""
        try:
            for topic, pause in list(self._imposed.items()):
                async with transaction(self._pool) as connection:
                    await pauses.pause(
                        connection, topic, pause.reason, pause.paused_by, is_ceiling=True
                    )
                del self._imposed[topic]
            async with lent(self._pool) as connection:
                found = await pauses.paused(connection)
        except Exception as error:
            if not is_absence("database", error):
                raise
            self._dependencies.down("database", error)
            return
        self._take(self._ours(found) | self._imposed)

    def _ours(self, found: Sequence[Pause]) -> dict[str, Pause]:
        """Another service, with another prefix, may keep its rows in the same table."""
        read = self._subscription.role_of
        return {pause.topic: pause for pause in found if read(pause.topic) is not None}

    def _take(self, now: Mapping[str, Pause]) -> None:
        before, self._known = self._known, now
        for topic in sorted(now.keys() - before.keys()):
            self._begin(now[topic])
        for topic in sorted(before.keys() - now.keys()):
            self._end(before[topic])
        is_first, self.are_known = not self.are_known, True
        if is_first or now.keys() != before.keys():
            self._on_change()

    def _begin(self, pause: Pause) -> None:
        self._metrics.topics_paused.labels(pause.topic).set(1)
        tell = log.error if pause.is_ceiling else log.warning
        tell(
            "topic.paused",
            topic=pause.topic,
            reason=pause.reason,
            by=pause.paused_by,
            since=pause.paused_at.isoformat(),
            is_ceiling=pause.is_ceiling,
        )

    def _end(self, pause: Pause) -> None:
        self._metrics.topics_paused.remove_by_labels({"topic": pause.topic})
        log.info(
            "topic.resumed",
            topic=pause.topic,
            paused_seconds=round((clock.utc_now() - pause.paused_at).total_seconds()),
        )
        self._on_end(pause.topic)
