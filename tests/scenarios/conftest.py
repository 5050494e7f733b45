"""Worlds on the servers that the session shares, and on servers that a scenario may stop."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from devstack.databases import create_database, drop_database
from devstack.kafka_cluster import KafkaCluster, running_cluster
from devstack.stack import Stack, running
from devstack.topics import delete_topics, random_prefix
from tests.scenarios.cluster_stage import ClusterStage, cluster_staged
from tests.scenarios.world import World


@pytest.fixture
async def world(kafka: str, database_url: str, topic_prefix: str) -> AsyncIterator[World]:
    """A fresh database and fresh topics on the shared servers."""
    made = World(kafka, database_url, topic_prefix)
    await made.make_topics()
    yield made
    await made.hang_up()
    for copy in made.copies:
        drop_database(copy)


@pytest.fixture(scope="session")
def own_stack() -> Iterator[Stack]:
    """Servers that scenarios stop and start."""
    with running(separate=True) as stack:
        yield stack


@pytest.fixture(scope="session")
async def own_template(own_stack: Stack) -> str:
    """A database that is migrated once, to be copied."""
    from db.migrate import upgrade  # noqa: PLC0415  as in tests/conftest.py

    url = create_database(own_stack.postgres.url)
    await upgrade(url)
    return url


@pytest.fixture
async def worlds(
    own_stack: Stack, own_template: str
) -> AsyncIterator[Callable[[], Awaitable[World]]]:
    """Makes worlds on servers that may be stopped, each with a database and topics of its own."""
    made: list[World] = []

    async def make() -> World:
        url = create_database(own_stack.postgres.url, template=own_template)
        world = World(own_stack.kafka.bootstrap_servers, url, random_prefix())
        made.append(world)
        await world.make_topics()
        return world

    yield make
    for world in made:
        await world.hang_up()
        delete_topics(world.kafka, prefix=world.prefix)
        drop_database(world.database_url)


@pytest.fixture
async def own_world(worlds: Callable[[], Awaitable[World]]) -> World:
    """A fresh database and fresh topics on servers that may be stopped."""
    return await worlds()


@pytest.fixture(scope="session")
def cluster() -> Iterator[KafkaCluster]:
    """Three Kafka nodes that scenarios stop and start."""
    with running_cluster() as running_now:
        yield running_now


@pytest.fixture
async def cluster_stage(cluster: KafkaCluster, database_url: str) -> AsyncIterator[ClusterStage]:
    """A fresh database and fresh topics on the cluster, each behind proxies."""
    async with cluster_staged(cluster, database_url) as stage:
        yield stage
