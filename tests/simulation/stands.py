"""The same calls on fake servers where nothing goes wrong, and on real ones."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from aiokafka.admin import NewTopic

from consumer import clients
from consumer.settings import Settings
from db.connect import open_pool
from tests.simulation.broker import Broker
from tests.simulation.chaos import Chaos, Plan
from tests.simulation.consumer_client import FakeConsumer
from tests.simulation.group import Group
from tests.simulation.loop import SimulatedLoop, SimulatedProcess
from tests.simulation.producer_client import FakeProducer
from tests.simulation.server import FakePool, Server
from tests.simulation.store import Database
from tests.simulation.trace import Trace
from tests.simulation.wire import Wire
from tests.simulation.world import BEGINNING

T = TypeVar("T")
OnPool = Callable[[Any], Awaitable[T]]
"""Calls on a pool."""

OnKafka = Callable[[str, Callable[[], Any], Callable[[], Any]], Awaitable[T]]
"""Calls on a topic with one partition, with what makes consumers of one group, and producers."""

LARGEST = 20_000
"""Bytes of a batch that the topic takes."""


class Fakes:
    """Fake servers in a quiet world."""

    def __init__(self) -> None:
        self.loop = SimulatedLoop()
        self.process = SimulatedProcess("test")
        random = Random(1)  # noqa: S311  no secret
        quiet = Chaos(random, Plan((), 0.0, None, 0.0, 0, 0.0))
        trace = Trace(self.loop.time)
        self.wire = Wire(self.loop, random, quiet, trace, lambda _: None, lambda _: None)

    def on_pool(self, play: OnPool[T]) -> T:
        server = Server(
            Database(lambda: BEGINNING + timedelta(seconds=self.loop.time())), self.wire
        )

        async def run() -> T:
            return await play(FakePool(server, self.process, 4))

        return self._run(run())

    def on_kafka(self, play: OnKafka[T]) -> T:
        broker = Broker(lambda: 0, largest=LARGEST)
        broker.create("topic", 1)
        group = Group(lambda topic: len(broker.topics[topic]), self.loop.time, self.wire.later)

        async def run() -> T:
            return await play(
                "topic",
                lambda: FakeConsumer(broker, group, self.wire, self.process),
                lambda: FakeProducer(broker, self.wire, self.process, batch_bytes=512 * 1024),
            )

        return self._run(run())

    def _run(self, playing: Coroutine[Any, Any, T]) -> T:
        try:
            return self.loop.run_until_complete(playing)
        finally:
            self.loop.close()


class Real:
    """The servers of the test session."""

    def __init__(self, database_url: str, kafka: str, prefix: str) -> None:
        self._database_url = database_url
        self._settings = Settings(kafka_bootstrap_servers=kafka, topic_prefix=prefix)
        self._topic = f"{prefix}topic"

    def on_pool(self, play: OnPool[T]) -> T:
        async def run() -> T:
            pool = await open_pool(self._database_url, size=4)
            try:
                return await play(pool)
            finally:
                await pool.close()

        return asyncio.run(run())

    def on_kafka(self, play: OnKafka[T]) -> T:
        async def run() -> T:
            admin = clients.admin(self._settings)
            await admin.start()
            configs = {"max.message.bytes": str(LARGEST)}
            await admin.create_topics([NewTopic(self._topic, 1, 1, topic_configs=configs)])
            await admin.close()
            return await play(
                self._topic,
                lambda: clients.consumer(self._settings, f"{self._topic}.group"),
                lambda: clients.producer(self._settings),
            )

        return asyncio.run(run())


@asynccontextmanager
async def started(client: Any) -> Any:  # noqa: ANN401  aiokafka's, or a fake
    """A client, until the end of the block."""
    await client.start()
    try:
        yield client
    finally:
        await client.stop()
