"""As much of aiokafka's idempotent producer as the relay uses, on the fake broker.

Read against aiokafka 0.14: one batch of each partition leaves at a time, all in one request; what
is not answered is sent again for ever under the same number; a refused batch leaves a gap, so that
every later one of its partition fails. A request that has left arrives, whatever becomes of its
sender: it may stand still, die, or be told to stop.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection
from contextvars import Context
from typing import Any, Final

from aiokafka import TopicPartition, errors

from tests.simulation.broker import Broker, Headers, Item
from tests.simulation.chaos import Kind
from tests.simulation.loop import SimulatedProcess
from tests.simulation.wire import Gone, Wire

OVERHEAD: Final = 70
RETRY_SECONDS: Final = 0.1

Place = tuple[str, int]
Answers = dict[Place, int | Exception]


class Builder:
    """Takes records until it is full or closed."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._size = OVERHEAD
        self._is_closed = False
        self.items: list[Item] = []

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> object | None:
        """None where it is full; one record always fits."""
        length = len(key or b"") + len(value or b"") + 20
        length += sum(len(name) + len(header or b"") + 4 for name, header in headers)
        if self._is_closed or (self.items and self._size + length > self._most):
            return None
        self.items.append(Item(key, value, tuple(headers), timestamp))
        self._size += length
        return self

    def size(self) -> int:
        return self._size

    def close(self) -> None:
        self._is_closed = True


class Queued:
    """A batch on its way. number: its first record's, in its partition; None before it left."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.number: int | None = None
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class Accumulator:
    """Where batches wait."""

    def __init__(self) -> None:
        self._batches: dict[TopicPartition, deque[Queued]] = defaultdict(deque)
        self._pending_batches: set[Queued] = set()


class Sender:
    """Whose task is cancelled to stop sending."""

    def __init__(self) -> None:
        self.sender_task: asyncio.Task[None] | None = None


class Cluster:
    """What is known of topics."""

    def __init__(self) -> None:
        self.partitions: dict[str, int] = {}
        self.unauthorized_topics: frozenset[str] = frozenset()

    def partitions_for_topic(self, topic: str) -> Collection[int] | None:
        number = self.partitions.get(topic)
        return None if number is None else range(number)


class Client:
    """Looks topics up."""

    def __init__(self, broker: Broker, call: Callable[..., Any]) -> None:
        self._broker = broker
        self._call = call
        self._topics: set[str] = set()
        self.cluster = Cluster()

    def set_topics(self, topics: Collection[str]) -> "asyncio.Future[bool]":
        fresh = set(topics) - self._topics
        self._topics = set(topics)
        if not fresh:
            done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            done.set_result(True)
            return done
        return asyncio.ensure_future(self.force_metadata_update())

    async def force_metadata_update(self) -> bool:
        try:
            await self._call("metadata", self._update)
        except errors.KafkaError:
            return False
        return True

    def _update(self) -> None:
        known = self._broker.topics
        self.cluster.partitions = {
            topic: len(known[topic]) for topic in sorted(self._topics) if topic in known
        }


class FakeProducer:
    """batch_bytes: what a batch may hold."""

    def __init__(
        self, broker: Broker, wire: Wire, process: SimulatedProcess, *, batch_bytes: int
    ) -> None:
        self._broker = broker
        self._wire = wire
        self._process = process
        self._batch_bytes = batch_bytes
        self._id = 0
        self._numbers: dict[TopicPartition, int] = defaultdict(int)
        self._message_accumulator = Accumulator()
        self._sender = Sender()
        self._queued = asyncio.Event()
        self.client = Client(broker, self._call)

    async def start(self) -> None:
        self._id = await self._call("new_producer", self._broker.new_producer)
        self._sender.sender_task = asyncio.create_task(self._send_for_ever())

    async def stop(self) -> None:
        """Sends everything that is queued first, for as long as that takes."""
        if self._process.is_gone:
            raise Gone
        task = self._sender.sender_task
        if task is None:
            return
        while not task.done() and self._waiting():  # noqa: ASYNC110  of virtual time
            await asyncio.sleep(RETRY_SECONDS)
        task.cancel()
        await asyncio.wait({task})

    def create_batch(self) -> Builder:
        return Builder(self._batch_bytes)

    async def send_batch(
        self, builder: Builder, topic: str, *, partition: int
    ) -> "asyncio.Future[int]":
        assert partition in (self.client.cluster.partitions_for_topic(topic) or ())
        queued = Queued(builder)
        self._message_accumulator._batches[TopicPartition(topic, partition)].append(queued)  # noqa: SLF001  aiokafka's name
        self._queued.set()
        return queued.future

    def _waiting(self) -> dict[TopicPartition, Queued]:
        """The next batch of each partition, without those that nobody waits for any more."""
        found = {}
        for partition, batches in self._message_accumulator._batches.items():  # noqa: SLF001  aiokafka's name
            while batches and batches[0].future.cancelled():
                batches.popleft()
            if batches:
                found[partition] = batches[0]
        return found

    async def _send_for_ever(self) -> None:
        while True:
            await self._queued.wait()
            await asyncio.sleep(0)
            self._queued.clear()
            while waiting := self._waiting():
                await self._send(waiting)

    async def _send(self, waiting: dict[TopicPartition, Queued]) -> None:
        for partition, queued in waiting.items():
            if queued.number is None:
                queued.number = self._numbers[partition]
                self._numbers[partition] += len(queued.builder.items)
        batches = {
            (partition.topic, partition.partition): (queued.number, queued.builder.items)
            for partition, queued in waiting.items()
        }
        while True:
            try:
                answers = await self._call("produce", lambda: self._arriving(batches))
            except errors.KafkaConnectionError:
                await asyncio.sleep(RETRY_SECONDS)
            except errors.KafkaError as error:
                answers = dict.fromkeys(batches, error)
                break
            else:
                break
        for partition, queued in waiting.items():
            self._message_accumulator._batches[partition].popleft()  # noqa: SLF001  aiokafka's name
            answer = answers[partition.topic, partition.partition]
            if queued.future.done():
                continue
            if isinstance(answer, Exception):
                queued.future.set_exception(answer)
            else:
                queued.future.set_result(answer)

    def _arriving(self, batches: Any) -> "asyncio.Future[Answers]":  # noqa: ANN401  as the broker takes them
        """It has left: it arrives, even if nobody waits for the answer any more."""
        answer: asyncio.Future[Answers] = self._wire.loop.create_future()

        def arrive() -> None:
            if not self._broker.is_up:
                failed = errors.KafkaConnectionError("no broker answers")
                if not answer.done():
                    answer.set_exception(failed)
                return
            answers = self._broker.produce(self._id, batches)
            if not answer.done():
                answer.set_result(answers)

        self._wire.loop.call_later(self._wire.delay(), arrive, context=Context())
        return answer

    async def _call(self, step: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401  the act's
        def attempt() -> Any:  # noqa: ANN401  the act's
            if not self._broker.is_up:
                raise errors.KafkaConnectionError("no broker answers")
            return act()

        ends = lost_batch if step == "produce" else lost
        return await self._wire.call(self._process, f"kafka.{step}", attempt, ends)


def lost(_: Kind) -> Any:  # noqa: ANN401  an error of an untyped library's
    """What a request may end with."""
    return errors.KafkaConnectionError("the broker does not answer")


def lost_batch(kind: Kind) -> Any:  # noqa: ANN401  an error of an untyped library's
    """What a produce request may end with; the first is for good."""
    return errors.OutOfOrderSequenceNumber() if kind is Kind.REFUSE else lost(kind)
