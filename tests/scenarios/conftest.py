"""Worlds on the servers that the session shares, and on servers that a scenario may stop."""

from collections.abc import AsyncIterator, Iterator

import pytest

from devstack.databases import create_database, drop_database
from devstack.stack import Stack, running
from devstack.topics import delete_topics, random_prefix
from tests.scenarios.world import World


@pytest.fixture
async def world(kafka: str, database_url: str, topic_prefix: str) -> AsyncIterator[World]:
    """A fresh database and fresh topics on the shared servers."""
    made = World(kafka, database_url, topic_prefix)
    await made.make_topics()
    yield made
    for copy in made.copies:
        drop_database(copy)


@pytest.fixture(scope="session")
def own_stack() -> Iterator[Stack]:
    """Servers that scenarios stop and start."""
    with running(separate=True) as stack:
        yield stack


@pytest.fixture
async def own_world(own_stack: Stack) -> AsyncIterator[World]:
    """A fresh database and fresh topics on servers that may be stopped."""
    from db.migrate import upgrade  # noqa: PLC0415  as in tests/conftest.py

    url = create_database(own_stack.postgres.url)
    prefix = random_prefix()
    await upgrade(url)
    made = World(own_stack.kafka.bootstrap_servers, url, prefix)
    await made.make_topics()
    yield made
    delete_topics(own_stack.kafka.bootstrap_servers, prefix=prefix)
    drop_database(url)
