import asyncio
from collections.abc import Collection, Sequence

import pytest
from aiokafka.errors import KafkaConnectionError

from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.probes import KafkaProbe, probe


class Answers:
    """Answers a call with what comes next: None, or an error to raise."""

    def __init__(self, answers: Sequence[Exception | None]) -> None:
        self.left = list(answers)

    async def __call__(self) -> None:
        if not self.left:
            raise asyncio.CancelledError
        if (error := self.left.pop(0)) is not None:
            raise error


async def states_after(*answers: Exception | None) -> list[bool]:
    """Probe until the answers are used up; the state after each."""
    dependencies = Dependencies(Metrics())
    seen: list[bool] = []

    async def note(_: float) -> None:
        seen.append(dependencies.is_up("kafka"))

    with pytest.raises(asyncio.CancelledError):
        await probe("kafka", Answers(answers), dependencies, sleep=note)
    return seen


async def test_a_probe_follows_its_dependency_for_ever() -> None:
    assert await states_after(None, OSError("gone"), ValueError("odd"), None) == [
        True,
        False,
        False,
        True,
    ]


class FakeAdmin:
    """An admin client whose cluster answers as long as the test says."""

    def __init__(self, cluster: "FakeCluster") -> None:
        self.cluster = cluster
        self.is_open = False

    async def start(self) -> None:
        self.is_open = True
        self.cluster.open_clients += 1
        if not self.cluster.any_broker_answers:
            raise KafkaConnectionError("no broker")

    async def list_topics(self) -> list[str]:
        if not self.cluster.first_broker_answers:
            raise KafkaConnectionError("not this broker")
        return self.cluster.topics

    async def close(self) -> None:
        self.cluster.open_clients -= self.is_open
        self.is_open = False


class FakeCluster:
    """Two brokers, as far as a probe can tell."""

    def __init__(self) -> None:
        self.any_broker_answers = True
        self.first_broker_answers = True
        self.open_clients = 0
        self.topics = ["ticket.requested"]

    def admin(self) -> FakeAdmin:
        return FakeAdmin(self)


async def test_one_broker_of_several_that_is_away_is_no_outage() -> None:
    cluster = FakeCluster()
    ask = KafkaProbe(cluster.admin)
    await ask()
    cluster.first_broker_answers = False

    await ask()

    assert cluster.open_clients == 1


async def test_each_answer_names_the_topics_that_exist() -> None:
    cluster = FakeCluster()
    seen: list[Collection[str]] = []
    ask = KafkaProbe(cluster.admin, seen.append)
    await ask()
    cluster.topics = []
    await ask()
    assert seen == [["ticket.requested"], []]


async def test_no_client_is_left_open() -> None:
    cluster = FakeCluster()
    ask = KafkaProbe(cluster.admin)
    await ask()
    cluster.first_broker_answers = cluster.any_broker_answers = False

    for _ in range(3):
        with pytest.raises(KafkaConnectionError):
            await ask()
    assert cluster.open_clients == 0

    cluster.any_broker_answers = True
    await ask()
    await ask.close()
    await ask.close()
    assert cluster.open_clients == 0
