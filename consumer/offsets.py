"""Offsets, committed after the database's commit: late is harmless, early would lose records."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from consumer.dependencies import Dependencies

log = structlog.get_logger()

PAUSE_SECONDS = 0.1
"""How long offsets gather before they are sent: ten commits a second at most."""


class Committer(Protocol):
    """What keeping offsets needs of the Kafka client."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...


class Offsets:
    """The next offset of each partition, sent in the background, and at once when asked."""

    def __init__(self, committer: Committer, dependencies: Dependencies) -> None:
        self._committer = committer
        self._dependencies = dependencies
        self._pending: dict[TopicPartition, int] = {}
        self._dirty = asyncio.Event()
        self._lock = asyncio.Lock()

    def advance(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Everything before these offsets has its outcome."""
        self._pending.update(offsets)
        self._dirty.set()

    def forget(self) -> None:
        """Drop what is not sent: the partitions belong to others now."""
        self._pending.clear()

    async def run(self) -> None:
        """Send what gathers, for ever."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(PAUSE_SECONDS)
            self._dirty.clear()
            await self.flush()

    async def flush(self) -> None:
        """Send everything now. A failure is logged; records read again change nothing."""
        async with self._lock:
            pending, self._pending = self._pending, {}
            if not pending:
                return
            try:
                await self._committer.commit(pending)
            except (CommitFailedError, IllegalStateError) as error:
                log.info("offsets.refused", reason=type(error).__name__, partitions=len(pending))
            except (KafkaError, OSError) as error:
                self._dependencies.down("kafka", error)
                self._keep(pending)
            except asyncio.CancelledError:  # told to stop: what was done is sent before we leave
                self._keep(pending)
                raise

    def _keep(self, unsent: dict[TopicPartition, int]) -> None:
        self._pending = unsent | self._pending
        self._dirty.set()
