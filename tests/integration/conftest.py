"""What the tests of the command line share."""

from pathlib import Path

import pytest

from tests.integration.command import Command


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
