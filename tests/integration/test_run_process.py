"""`ticketing run` as a process: what it says where it can't work, and how it ends."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from consumer.settings import Settings
from consumer.topics import ensure
from tests.integration.service_process import ServiceProcess, running_service

pytestmark = pytest.mark.integration


@contextmanager
def ports_where_nobody_listens(count: int) -> Iterator[list[int]]:
    """Hold ports bound but not listening: nobody else can take them, and connecting is refused."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


@pytest.fixture
def nowhere() -> Iterator[dict[str, str]]:
    """Settings whose database and brokers aren't there."""
    with ports_where_nobody_listens(2) as (database, kafka):
        yield {
            "DATABASE_URL": f"postgresql://tickets:hunter2@127.0.0.1:{database}/tickets",
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka}",
        }


def assert_no_surprise(service: ServiceProcess) -> None:
    """No traceback, no text that isn't a log line, and no secret."""
    text = repr(service.lines)
    assert "Traceback" not in text
    assert "hunter2" not in text
    assert [line for line in service.lines if "text" in line] == []


async def test_without_database_and_broker_it_waits_and_says_why(nowhere: dict[str, str]) -> None:
    async with running_service(settings=nowhere) as service:
        for name in ("database", "kafka"):
            lost = await service.line("dependency.lost", dependency=name)
            assert lost["level"] == "warning"
            assert lost["reason"]

        assert (await service.document("/livez"))[0] == 200
        status, ready = await service.document("/readyz")
        assert status == 503
        assert {each.partition(" ")[0] for each in ready["problems"]} >= {"database", "kafka"}
        assert "hunter2" not in repr(ready)

        service.signal(signal.SIGTERM)
        assert await service.end() == 0
    assert_no_surprise(service)


async def test_without_a_database_only_it_is_named(nowhere: dict[str, str], kafka: str) -> None:
    async with running_service(
        settings=nowhere | {"KAFKA_BOOTSTRAP_SERVERS": kafka, "GROUP_ID": "without-a-database"}
    ) as service:
        await service.line("dependency.lost", dependency="database")
        await service.line("dependency.reached", dependency="kafka")

        _, ready = await service.document("/readyz")
        assert ready["dependencies"]["kafka"]["up"] is True
        assert ready["dependencies"]["database"]["up"] is False

        service.signal(signal.SIGINT)
        assert await service.end() == 0
    assert_no_surprise(service)


async def test_with_both_it_becomes_ready_and_leaves_when_asked(here: dict[str, Any]) -> None:
    async with running_service(settings=here) as service:
        await service.ready()
        assert (await service.document("/livez"))[0] == 200
        _, metrics = await service.page("/metrics")
        assert 'ticketing_dependency_up{dependency="kafka"} 1.0' in metrics

        service.signal(signal.SIGTERM)
        assert await service.end() == 0
        await service.line("shutdown.requested", reason="SIGTERM")
    assert_no_surprise(service)


@pytest.mark.parametrize("role", ["consumer", "relay", "timers"])
async def test_each_role_runs_alone(role: str, here: dict[str, Any]) -> None:
    async with running_service("--role", role, settings=here) as service:
        await service.ready()
        service.signal(signal.SIGTERM)
        assert await service.end() == 0
    assert_no_surprise(service)


async def test_a_port_that_is_taken_is_told_at_once(nowhere: dict[str, str]) -> None:
    with ports_where_nobody_listens(1) as (port,):
        async with running_service(settings=nowhere | {"HTTP_PORT": str(port)}) as service:
            assert await service.end() == 1
    (line,) = service.lines
    assert line["text"].startswith(
        f"HTTP can't listen on 127.0.0.1:{port} (Address already in use)"
    )


@pytest.fixture
async def here(kafka: str, database_url: str, topic_prefix: str) -> dict[str, Any]:
    """Settings of the real servers, a fresh database and topics of our own."""
    values: dict[str, Any] = {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "TOPIC_PREFIX": topic_prefix,
        "GROUP_ID": f"{topic_prefix}group",
    }
    settings = Settings(_env_file=None, **{name.lower(): each for name, each in values.items()})
    await ensure(settings, partitions=1, replication=1, create_missing=True)
    return values
