"""A database, a broker and topics of a scenario's own, and everything it does with them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import asyncpg
import psutil
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Delivered

from consumer import clients
from consumer.audit import Report
from consumer.group_lag import committed_offsets
from consumer.scan import end_offsets, first_offsets, partitions_of, scan, started
from consumer.settings import Settings
from consumer.subscription import Subscription
from consumer.topics import create, ensure
from consumer.verify import verify
from consumer.wanted_topics import WantedTopic
from devstack.databases import create_database
from tests.integration.service_process import ServiceProcess, running_service
from tests.scenarios.messages import Message

PATIENCE_SECONDS = 90.0
"""How long a scenario waits for what must happen; no claim about speed."""

POLL_SECONDS = 0.05
PLAIN = ("-m", "consumer", "run")
FAULTY = ("-m", "tests.scenarios.faulty")
T = TypeVar("T")


class Place(NamedTuple):
    """Where the broker put a record. topic: with the prefix."""

    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class World:
    """One scenario's surroundings. options: settings of all its services, without TICKETING_."""

    kafka: str
    database_url: str
    prefix: str
    options: dict[str, str] = field(default_factory=dict)
    services: list[ServiceProcess] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    _connection: asyncpg.Connection | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "TOPIC_PREFIX": self.prefix,
            "GROUP_ID": f"{self.prefix}group",
            **self.options,
        }

    @property
    def settings(self) -> Settings:
        values: dict[str, Any] = {name.lower(): each for name, each in self.environment.items()}
        return Settings(_env_file=None, **values)

    async def make_topics(self, *, partitions: int = 2, replication: int = 1) -> None:
        await ensure(
            self.settings, partitions=partitions, replication=replication, create_missing=True
        )

    async def make_topics_named(self, *names: str, partitions: int = 2, **configs: str) -> None:
        """Topics that others make, or one of ours with settings that others chose."""
        topics = [
            WantedTopic(
                self.prefix + name,
                partitions,
                {key.replace("_", "."): value for key, value in configs.items()},
            )
            for name in names
        ]
        async with started(clients.admin(self.settings)) as admin:
            await create(admin, topics, 1)

    async def shrink(self, topic: str, *, max_message_bytes: int) -> None:
        """Have the broker refuse longer batches for this topic from now on."""
        kind, name = ConfigResourceType.TOPIC, self.prefix + topic
        wanted = {"max.message.bytes": str(max_message_bytes)}
        async with started(clients.admin(self.settings)) as admin:
            await admin.alter_configs([ConfigResource(kind, name, wanted)])
            shown: set[tuple[str, str]] = set()
            while not wanted.items() <= shown:  # the broker hears of it from the controller
                await asyncio.sleep(POLL_SECONDS)
                (answer,) = await admin.describe_configs([ConfigResource(kind, name)])
                shown = {(each[0], each[1]) for each in answer.resources[0][4]}

    @asynccontextmanager
    async def service(
        self,
        *arguments: str,
        faults: Sequence[str] = (),
        client: Sequence[str] = (),
        **options: str,
    ) -> AsyncIterator[ServiceProcess]:
        """A running service. faults, client: what is different in it, in the words of `faulty`."""
        words = [word for fault in faults for word in ("--fault", fault)]
        words += [word for constant in client for word in ("--client", constant)]
        async with running_service(
            *arguments,
            *words,
            settings=self.environment | options,
            program=FAULTY if words else PLAIN,
        ) as started:
            self.services.append(started)
            try:
                yield started
            finally:
                self.services.remove(started)

    async def ticketing(self, *words: str, code: int = 0) -> str:
        """Run a command as an operator does, which ends with this code; what it prints."""
        settings = {f"TICKETING_{name}": each for name, each in self.environment.items()}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "consumer", *words),
            env=os.environ | settings,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        assert process.returncode == code, words
        return printed.decode()

    async def publish(self, *messages: Message, **options: object) -> list[Place]:
        """Send them with librdkafka, as an upstream service does; returns when all are there."""
        return await asyncio.to_thread(self._publish, messages, options)

    def _publish(self, messages: Sequence[Message], options: dict[str, object]) -> list[Place]:
        producer = self.producer(**options)
        places: dict[int, Place] = {}
        for number, message in enumerate(messages):
            self.produce(producer, message, on_delivery=_note(places, number))
        assert producer.flush(PATIENCE_SECONDS) == 0
        return [places[number] for number in range(len(messages))]

    def producer(self, **options: object) -> Producer:
        common = {"bootstrap.servers": self.kafka, "linger.ms": 5, "log_level": 0}
        return Producer(common | {name.replace("_", "."): each for name, each in options.items()})

    def produce(
        self,
        producer: Producer,
        message: Message,
        on_delivery: Callable[[KafkaError | None, Delivered], None] | None = None,
    ) -> None:
        where: dict[str, Any] = {}
        if message.partition is not None:
            where["partition"] = message.partition
        producer.produce(
            self.prefix + message.topic,
            message.value,
            message.key,
            headers=list(message.headers),
            on_delivery=on_delivery,
            **where,
        )
        producer.poll(0)

    async def ask(self, question: str, *arguments: object) -> list[Any]:
        """Rows of the database."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.database_url)
        rows: list[Any] = await self._connection.fetch(question, *arguments)
        return rows

    async def hang_up(self) -> None:
        """Leave the database alone: who drops or copies it must be the only one there."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def count(self, what: str) -> int:
        """How many rows there are; what: a table, or a table and a condition."""
        ((number,),) = await self.ask(f"SELECT count(*) FROM {what}")  # noqa: S608  our own words
        return int(number)

    async def read(self, topic: str) -> list[Any]:
        """All records of a topic (without the prefix), as a subscriber reads them."""
        settings = self.settings
        async with (
            started(clients.consumer(settings)) as consumer,
            started(clients.admin(settings)) as admin,
        ):
            partitions = await partitions_of(admin, {self.prefix + topic})
            starts = await first_offsets(consumer, partitions)
            ends = await end_offsets(consumer, partitions)
            bounds = {each: (starts[each], ends[each]) for each in partitions}
            return [record async for _, records in scan(consumer, bounds) for record in records]

    async def let_leases_expire(self) -> None:
        """Some seconds pass at once: their holder is dead, and nobody is to wait for that."""
        await self.ask("UPDATE leases SET expires_at = now()")

    async def until(self, question: Callable[[], Awaitable[T]], what: str) -> T:
        """Ask until the answer is true; a service that ended meanwhile is a failure."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (answer := await question()):
                    for service in self.services:
                        if service.process.returncode not in {None, 0}:
                            raise AssertionError(f"a service ended: {service.lines[-20:]}")
                    await asyncio.sleep(POLL_SECONDS)
                return answer
        except TimeoutError:
            lines = [service.lines[-10:] for service in self.services]
            raise AssertionError(
                f"this did not happen: {what}. The services say: {lines}"
            ) from None

    async def copy_database(self) -> str:
        """The URL of a copy, as it is now."""
        await self.hang_up()
        copy = await asyncio.to_thread(
            create_database, self.database_url, template=self.database_url
        )
        self.copies.append(copy)
        return copy

    async def until_rows(self, what: str, at_least: int = 1) -> None:
        async def enough() -> bool:
            return await self.count(what) >= at_least

        await self.until(enough, f"{at_least} rows of {what}")

    async def until_stopped(self, service: ServiceProcess) -> None:
        """Wait until a SIGSTOP has taken effect on it."""
        process = psutil.Process(service.process.pid)

        async def is_stopped() -> bool:
            return process.status() == psutil.STATUS_STOPPED

        await self.until(is_stopped, "the process stopped")

    async def until_handled(self) -> None:
        """Wait until the group has committed the end of every topic that it reads."""
        settings = self.settings
        async with (
            started(clients.consumer(settings)) as consumer,
            started(clients.admin(settings)) as admin,
        ):

            async def is_handled() -> bool:
                subscription = Subscription(self.settings)
                topics = [each for each in await admin.list_topics() if subscription.role_of(each)]
                ends = await end_offsets(consumer, await partitions_of(admin, topics))
                committed = await committed_offsets(admin, self.settings.group_id)
                return all(committed.get(each, 0) >= end for each, end in ends.items())

            await self.until(is_handled, "every record handled")

    async def until_at_rest(self) -> None:
        """Wait until everything is handled, nothing is parked and everything is published."""
        await self.until_handled()

        async def is_empty() -> bool:
            return await self.count("outbox") + await self.count("parked_requests") == 0

        await self.until(is_empty, "outbox and parked requests empty")

    async def report(self, *, since: datetime | None = None) -> Report:
        """What the checker says now."""
        return await verify(self.settings, since=since)

    async def check(self) -> Report:
        """Nothing is left to do, and the promise held."""
        report = await self.report()
        assert report.violations == (), report.violations
        assert report.is_at_rest, report
        assert report.tickets == await self.count("tickets")
        return report

    async def come_to_rest_and_leave(self, service: ServiceProcess) -> Report:
        """The same, and then the service ends as at a deployment."""
        report = await self.come_to_rest()
        await service.line("http.listening")  # before that, a signal would not be heard
        service.signal(signal.SIGTERM)
        code = await service.end()
        assert code == 0, (code, service.lines[-20:])
        return report

    async def come_to_rest(self) -> Report:
        await self.until_at_rest()
        return await self.check()


def _note(places: dict[int, Place], number: int) -> Callable[[KafkaError | None, Delivered], None]:
    def note(error: KafkaError | None, delivered: Delivered) -> None:
        assert error is None, error
        topic, partition, offset = delivered.topic(), delivered.partition(), delivered.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        places[number] = Place(topic, partition, offset)

    return note
