"""The one path from the outbox to Kafka, walked by one process at a time.

While a round is on its way the next one is taken or read, and packed; it leaves once the first is
acknowledged. What was acknowledged is written off soon after, under the lease's fence. A crash
anywhere repeats facts and never reorders their first occurrences.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer

from consumer import clock
from consumer.delivery import Delivery
from consumer.dependencies import Dependencies
from consumer.handover import Handover
from consumer.leadership import Leadership, LeaseTimes
from consumer.ledger import Ledger
from consumer.letters import LETTER_REFUSALS, Letters
from consumer.metrics import Metrics
from consumer.outgoing import place_of, place_of_letter, topics_under
from consumer.publisher import Publisher
from consumer.releases import Releases
from consumer.rounds import Rounds
from consumer.wakeups import Wakeups
from db.lease import Lease, LeaseLost

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RelayTimes:
    """In seconds.

    poll: the longest sleep. send: the longest wait for an acknowledgement, or for a broker to
    answer. topics: how often to look for topics that were missing.
    """

    lease: LeaseTimes = field(default_factory=LeaseTimes)
    poll: float = 1.0
    send: float = 8.0
    topics: float = 5.0


class Relay:
    """Publishes while it holds the lease, and waits for the lease otherwise.

    producer: makes a producer, not started. holder: who we are, for people to read. connect: makes
    a connection to listen on; None behind a pooler, which can't pass notifications on.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        producer: Callable[[], AIOKafkaProducer],
        wakeups: Wakeups,
        dependencies: Dependencies,
        metrics: Metrics,
        *,
        handover: Handover,
        topic_prefix: str,
        holder: str,
        connect: Callable[[], Awaitable[asyncpg.Connection]] | None = None,
        times: RelayTimes | None = None,
        seconds: Callable[[], float] = clock.seconds,
    ) -> None:
        self._pool = pool
        self._wakeups = wakeups
        self._handover = handover
        self._dependencies = dependencies
        self._metrics = metrics
        self._prefix = topic_prefix
        self._connect = connect
        self._times = times or RelayTimes()
        self._seconds = seconds
        self.holder = holder
        self.answers = 0
        self._stopping = asyncio.Event()
        self._leadership = Leadership(
            pool,
            dependencies,
            holder=holder,
            times=self._times.lease,
            seconds=seconds,
        )
        self._publisher = Publisher(
            producer,
            may_send=self._leadership.require,
            on_answered=self._on_answered,
            send_seconds=self._times.send,
            missing_seconds=self._times.topics,
            seconds=seconds,
        )
        self._delivery = Delivery(
            self._publisher,
            dependencies,
            published=metrics.facts_published,
            failures=metrics.publish_failures,
            place_of=place_of,
        )
        self._letter_delivery = Delivery(
            self._publisher,
            dependencies,
            published=metrics.dead_letters_published,
            failures=metrics.publish_failures,
            place_of=place_of_letter,
            refusals=LETTER_REFUSALS,
        )

    def _on_answered(self) -> None:
        """A broker that answers, be it with a refusal, is progress: the rest comes after it."""
        self.answers += 1
        self._leadership.progressed()

    def stop(self) -> None:
        """Have `run` return: after what is on its way and one more round."""
        self._stopping.set()
        self._wakeups.wake()

    async def run(self) -> None:
        """Publish whenever the lease is ours, until told to stop."""
        while not self._stopping.is_set():
            if (held := await self._leadership.take()) is not None:
                await self._lead(held)
            await self._pause(self._times.lease.renew)

    async def _lead(self, held: Lease) -> None:
        log.info("lease.taken", holder=held.holder, fence=held.fence)
        self._metrics.lease_changes.labels("taken").inc()
        self._metrics.lease_held.set(1)
        self._handover.open()
        try:
            async with asyncio.TaskGroup() as group:
                helping = [
                    group.create_task(
                        self._leadership.keep(self._publisher.kill), name="relay.lease"
                    )
                ]
                if self._connect is not None:
                    listening = self._wakeups.listen(self._connect, self._dependencies)
                    helping.append(group.create_task(listening, name="relay.listener"))
                await self._work(held, group)
                for task in helping:
                    task.cancel()
        except* LeaseLost:
            log.warning("lease.lost", fence=held.fence)
            self._metrics.lease_changes.labels("lost").inc()
        finally:
            self._handover.close()
            self._metrics.lease_held.set(0)
            await self._publisher.abandon()
            await self._leadership.release()

    async def _work(self, held: Lease, tasks: asyncio.TaskGroup) -> None:
        topic_of = topics_under(self._prefix)
        ledger = Ledger(self._pool, self._dependencies, held, idle_seconds=self._times.lease.lease)
        letters = Letters(ledger, self._letter_delivery)
        rounds = Rounds(
            ledger,
            self._delivery,
            letters,
            self._handover,
            metrics=self._metrics,
            topic_of=topic_of,
            tasks=tasks,
            on_landed=self._wakeups.wake,
            look_seconds=self._times.poll,
            seconds=self._seconds,
        )
        releases = Releases(ledger, self._delivery, letters, topic_of)
        writing_off = tasks.create_task(rounds.write_off(), name="relay.write_off")
        look_around_at = self._seconds()
        while not self._stopping.is_set():
            if self._wakeups.forget():
                rounds.look()
            if self._seconds() >= look_around_at:
                await rounds.land()
                more = await self._look_around(ledger, releases)
                look_around_at = self._seconds() + (0 if more else self._times.topics)
            is_busy = await rounds.turn()
            if not rounds.is_under_way:
                self._leadership.progressed()
            if not is_busy:
                await self._wakeups.wait(self._times.poll)
        writing_off.cancel()
        await rounds.finish()

    async def _look_around(self, ledger: Ledger, releases: Releases) -> bool:
        """Now and then: measure, and release what waited for a topic. Whether there is more."""
        waiting = await ledger.waiting()
        self._metrics.outbox_rows.set(waiting.backlog.rows)
        self._metrics.outbox_oldest_seconds.set(waiting.backlog.oldest_seconds)
        self._metrics.held_facts.set(waiting.held)
        return await releases.release(waiting.topics, waiting.dlqs)

    async def _pause(self, seconds: float) -> None:
        """Let another try; cut short by `stop`."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
