"""Offsets go out after the fact: gathered, at once when asked, and never for others' partitions."""

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError

from consumer import offsets as committing
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.offsets import Offsets

ONE, TWO = TopicPartition("t", 0), TopicPartition("t", 1)


class Broker:
    """Takes offsets. gate: while it is closed, it does not answer."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []
        self.errors: list[Exception] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.asked.set()
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.commits.append(dict(offsets))


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def dependencies() -> Dependencies:
    found = Dependencies(Metrics())
    found.up("kafka")
    return found


@pytest.fixture
def offsets(broker: Broker, dependencies: Dependencies) -> Offsets:
    return Offsets(broker, dependencies)


@asynccontextmanager
async def running(offsets: Offsets) -> Any:  # noqa: ANN401  an iterator of tasks
    task = asyncio.create_task(offsets.run())
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_gathers_is_sent_together(
    broker: Broker, offsets: Offsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "PAUSE_SECONDS", 0.001)
    async with running(offsets):
        offsets.advance({ONE: 5})
        offsets.advance({ONE: 9, TWO: 2})
        await broker.asked.wait()
        assert broker.commits == [{ONE: 9, TWO: 2}]


async def test_nothing_is_sent_where_nothing_happened(broker: Broker, offsets: Offsets) -> None:
    await offsets.flush()
    assert not broker.asked.is_set()


async def test_a_failure_is_repeated_with_what_came_since(
    broker: Broker, offsets: Offsets, dependencies: Dependencies
) -> None:
    broker.errors = [KafkaConnectionError(), OSError()]
    offsets.advance({ONE: 5, TWO: 1})
    await offsets.flush()
    assert not dependencies.is_up("kafka")
    offsets.advance({ONE: 9})
    await offsets.flush()
    await offsets.flush()
    assert broker.commits == [{ONE: 9, TWO: 1}]


@pytest.mark.parametrize("error", [CommitFailedError(), IllegalStateError("not assigned")])
async def test_a_partition_that_moved_on_is_given_up(
    broker: Broker, offsets: Offsets, dependencies: Dependencies, error: Exception
) -> None:
    broker.errors = [error]
    offsets.advance({ONE: 5})
    await offsets.flush()
    await offsets.flush()
    assert broker.commits == []
    assert dependencies.is_up("kafka")


async def test_what_others_own_now_is_forgotten(broker: Broker, offsets: Offsets) -> None:
    offsets.advance({ONE: 5})
    offsets.forget()
    await offsets.flush()
    assert broker.commits == []


async def test_an_older_commit_never_overtakes_a_newer_one(
    broker: Broker, offsets: Offsets
) -> None:
    broker.gate.clear()
    offsets.advance({ONE: 5})
    first = asyncio.create_task(offsets.flush())
    await broker.asked.wait()
    offsets.advance({ONE: 9})
    second = asyncio.create_task(offsets.flush())
    await asyncio.sleep(0)
    broker.gate.set()
    await asyncio.gather(first, second)
    assert broker.commits == [{ONE: 5}, {ONE: 9}]


async def test_what_was_cut_off_by_a_stop_is_sent_before_leaving(
    broker: Broker, offsets: Offsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "PAUSE_SECONDS", 0.001)
    broker.gate.clear()
    async with running(offsets) as task:
        offsets.advance({ONE: 5})
        await broker.asked.wait()
        task.cancel()
    broker.gate.set()
    await offsets.flush()
    assert broker.commits == [{ONE: 5}]
