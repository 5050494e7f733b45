"""A scan yields every record of its stretches once, whatever happens to its fetches."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from consumer import replay_scan
from consumer.dependencies import Dependencies
from consumer.metrics import Metrics
from consumer.replay_scan import ReplayScan, TopicShrank
from tests.unit.consumer.fake_consumer import FakeConsumer

ONE, TWO = TopicPartition("requests", 0), TopicPartition("requests", 1)


class Client:
    """What tells aiokafka of many topics at once."""

    async def set_topics(self, topics: set[str]) -> None:
        assert topics


class Alone:
    """The fake consumer, given its partitions by hand. Others follow its calls."""

    def __init__(self) -> None:
        self.fake = FakeConsumer()
        self._client = Client()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the consumer has
        return getattr(self.fake, name)

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.fake._assigned = frozenset(partitions)  # noqa: SLF001  as its own `assign` does
        self.fake.positions = dict.fromkeys(partitions)
        self.fake._is_rebalancing = False  # noqa: SLF001


@pytest.fixture
def kafka() -> Alone:
    made = Alone()
    for partition in (ONE, TWO):
        made.fake.append(partition, [b"%d" % number for number in range(50)])
    return made


class Found:
    """What a scan yielded."""

    def __init__(self) -> None:
        self.offsets: dict[TopicPartition, list[int]] = {ONE: [], TWO: []}
        self.read_to: dict[TopicPartition, int] = {}
        self.lost: list[tuple[TopicPartition, int, int]] = []

    async def scan(self, kafka: Alone, **stretches: tuple[int, int]) -> None:
        names = {"one": ONE, "two": TWO}

        async def no_pause(_: float) -> None:
            return

        scan = ReplayScan(
            kafka,
            Dependencies(Metrics(), sleep=no_pause),
            {names[name]: each for name, each in stretches.items()},
            lambda *lost: self.lost.append(lost),
        )
        async for partition, records, read_to in scan.read():
            self.offsets[partition] += [each.offset for each in records]
            assert read_to >= self.read_to.get(partition, 0)
            self.read_to[partition] = read_to


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a fetch that finds nothing."""
    monkeypatch.setattr(replay_scan, "FETCH_MS", 1)
    monkeypatch.setattr(replay_scan, "PAUSE_SECONDS", 0)


async def test_the_stretches_are_read_and_nothing_else(kafka: Alone) -> None:
    found = Found()
    await found.scan(kafka, one=(10, 43), two=(0, 50))
    assert found.offsets == {ONE: list(range(10, 43)), TWO: list(range(50))}
    assert found.read_to == {ONE: 43, TWO: 50}


async def test_an_empty_stretch_is_not_read(kafka: Alone) -> None:
    found = Found()
    await found.scan(kafka, one=(10, 10), two=(50, 50))
    assert kafka.fake.fetches == 0
    assert found.read_to == {}


async def test_what_a_failed_fetch_passed_over_is_read_again(kafka: Alone) -> None:
    for _ in range(3):
        kafka.fake.fail(KafkaConnectionError("cut off"))
    found = Found()
    await found.scan(kafka, one=(0, 50), two=(0, 50))
    assert found.offsets == {ONE: list(range(50)), TWO: list(range(50))}


async def test_gaps_are_passed_over_to_the_end(kafka: Alone) -> None:
    log = kafka.fake.logs[ONE]
    log.records = [each for each in log.records if each.offset % 7 == 3]
    found = Found()
    await found.scan(kafka, one=(0, 46))
    assert found.offsets[ONE] == [3, 10, 17, 24, 31, 38, 45]
    assert found.read_to == {ONE: 46}


async def test_what_was_deleted_is_told_and_the_rest_is_read(kafka: Alone) -> None:
    kafka.fake.logs[ONE].beginning = 20
    found = Found()
    await found.scan(kafka, one=(5, 50), two=(0, 50))
    assert found.lost == [(ONE, 5, 20)]
    assert found.offsets == {ONE: list(range(20, 50)), TWO: list(range(50))}


async def test_where_all_was_deleted_the_end_is_reached(kafka: Alone) -> None:
    kafka.fake.logs[ONE].beginning = 40
    found = Found()
    await found.scan(kafka, one=(5, 30))
    assert found.lost == [(ONE, 5, 30)]
    assert found.read_to == {ONE: 30}


async def test_a_topic_that_ends_before_the_stretch_was_made_anew(kafka: Alone) -> None:
    found = Found()
    with pytest.raises(TopicShrank, match="ends at offset 50 by now, not at 70"):
        await found.scan(kafka, one=(60, 70))


async def test_a_topic_made_anew_that_is_too_short_is_noticed(
    kafka: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position is there, and never the end."""
    monkeypatch.setattr(replay_scan, "PATIENCE_SECONDS", 0.01)
    found = Found()
    with pytest.raises(TopicShrank, match="ends at offset 50 by now, not at 60"):
        await found.scan(kafka, one=(40, 60))
    assert found.offsets[ONE] == list(range(40, 50))
