"""What every test may ask for: real servers, a migrated database of its own, topics of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from devstack.databases import create_database, drop_database
from devstack.stack import Stack, running
from devstack.topics import delete_topics, random_prefix

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
"""No test fails because the machine is busy."""


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Shared by the whole session: who stops servers starts `running(separate=True)` instead."""
    with running() as shared:
        yield shared


@pytest.fixture(scope="session")
async def migrated_template(stack: Stack) -> AsyncIterator[str]:
    """The URL of a database migrated once, to be copied and never used itself."""
    from db.migrate import upgrade  # noqa: PLC0415  tests of devstack run without our migrations

    url = create_database(stack.postgres.url)
    await upgrade(url)
    yield url
    drop_database(url)


@pytest.fixture
def database_url(stack: Stack, migrated_template: str) -> Iterator[str]:
    """A fresh migrated database, dropped after the test."""
    url = create_database(stack.postgres.url, template=migrated_template)
    yield url
    drop_database(url)


@pytest.fixture
def kafka(stack: Stack) -> str:
    """The shared broker's bootstrap servers."""
    return stack.kafka.bootstrap_servers


@pytest.fixture
def topic_prefix(kafka: str) -> Iterator[str]:
    """For TICKETING_TOPIC_PREFIX; the topics under it are deleted after the test."""
    prefix = random_prefix()
    yield prefix
    delete_topics(kafka, prefix=prefix)
