"""What the tests of the command line share, and those of batches."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.databases import create_database, drop_database
from tests.integration.command import Command


@pytest.fixture(scope="module")
def module_database(migrated_template: str) -> Iterator[str]:
    """One migrated database for all tests of a module, which empty it themselves."""
    url = create_database(migrated_template, template=migrated_template)
    yield url
    drop_database(url)


@pytest.fixture
def command(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """`ticketing` on a fresh migrated database; Kafka is away."""
    monkeypatch.chdir(tmp_path)  # where no .env is
    environment = {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "GROUP_ID": "test",
    }
    return Command(environment, monkeypatch, capsys)


@pytest.fixture
def kafka_command(command: Command, kafka: str, topic_prefix: str) -> Command:
    """`ticketing` with Kafka too, under a prefix of its own; no topic exists yet."""
    command.environment |= {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "TOPIC_PREFIX": topic_prefix,
        "GROUP_ID": f"{topic_prefix}group",
    }
    return command
