"""The scene of a chaos run, set: a cluster, a database, proxies, services and a load."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Final
from urllib.parse import urlsplit

from devstack.databases import create_database
from devstack.kafka_cluster import running_cluster
from devstack.ports import free_port
from devstack.proxy import Proxy
from devstack.stack import running
from devstack.topics import random_prefix
from tests.chaos.crew import Crew
from tests.chaos.load import Load
from tests.chaos.scene import Scene
from tests.chaos.topic_faults import OTHER_TOPIC
from tests.scenarios.cluster_stage import through
from tests.scenarios.world import World

PARTITIONS: Final = 4
ONE_CLOCK: Final = {"log.message.timestamp.type": "LogAppendTime"}
"""Windows of the checker begin at an instant: the brokers', whatever clock a service has."""

SETTINGS: Final = {"UNKNOWN_CUSTOMER_GRACE_SECONDS": "1"}


@asynccontextmanager
async def scene_set(rng: Random, *, per_second: int, members: int) -> AsyncIterator[Scene]:
    """Everything running, and the load paused."""
    from db.migrate import upgrade  # noqa: PLC0415  as in tests/conftest.py

    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(running_cluster(options=ONE_CLOCK))
        postgres = stack.enter_context(running(kafka=False, separate=True)).postgres
        url = create_database(postgres.url)
        await upgrade(url)
        world = World(cluster.bootstrap_servers, url, random_prefix())
        world.options["REQUEST_TOPICS"] = f"ticket.requested,{OTHER_TOPIC}"
        await world.make_topics(partitions=PARTITIONS, replication=len(cluster.nodes))
        database = Proxy(free_port(), urlsplit(url).port or 5432)
        proxies = cluster.proxies()
        for proxy in (database, *proxies):
            await stack.enter_async_context(proxy.listening())
        elsewhere = {
            "DATABASE_URL": through(database, url),
            "KAFKA_BOOTSTRAP_SERVERS": cluster.proxied_servers,
        }
        services = Crew(world, members, settings=SETTINGS | elsewhere)
        seeded = Random(rng.random())  # noqa: S311  a seed must give the same load again
        load = Load(world, seeded, per_second=per_second)
        stack.push_async_callback(world.hang_up)
        await stack.enter_async_context(services.at_work())
        await stack.enter_async_context(load.running())
        yield Scene(world, cluster, postgres, proxies, database, services, load, rng)
