"""Partitions as queues: in order, one batch of each in flight, nothing lost or doubled."""

from collections import defaultdict
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.lanes import Batch, Lanes, Waiting
from tests.records import broken

PARTITIONS = [TopicPartition("t", number) for number in range(4)]
ONE, TWO, *_ = PARTITIONS


def waiting(partition: TopicPartition, *offsets: int) -> list[Waiting]:
    letters = [broken(offset, partition=partition.partition) for offset in offsets]
    return [Waiting(each.record, each) for each in letters]


def offsets(batch: Batch) -> dict[TopicPartition, list[int]]:
    return {each: [item.record.offset for item in taken] for each, taken in batch.items()}


def never(_: TopicPartition) -> bool:
    return False


def test_a_partition_has_one_batch_in_flight() -> None:
    lanes = Lanes()
    lanes.add(ONE, waiting(ONE, 0, 1, 2))
    first = lanes.take(2, 1_000_000, never)
    assert offsets(first) == {ONE: [0, 1]}
    assert lanes.take(2, 1_000_000, never) == {}
    assert lanes.finish(first) == {ONE: 2}
    assert offsets(lanes.take(2, 1_000_000, never)) == {ONE: [2]}


def test_partitions_are_served_in_turn() -> None:
    lanes = Lanes()
    for partition in (ONE, TWO):
        lanes.add(partition, waiting(partition, *range(4)))
    first = lanes.take(3, 1_000_000, never)
    second = lanes.take(3, 1_000_000, never)
    assert offsets(first) == {ONE: [0, 1, 2]}
    assert offsets(second) == {TWO: [0, 1, 2]}
    lanes.finish(first)
    lanes.finish(second)
    assert offsets(lanes.take(3, 1_000_000, never)) == {ONE: [3], TWO: [3]}


def test_whoever_has_few_is_served_first_and_whole() -> None:
    lanes = Lanes()
    *flood, quiet = PARTITIONS
    for partition in flood:
        lanes.add(partition, waiting(partition, *range(100)))
    lanes.add(quiet, waiting(quiet, 7, 8))
    assert offsets(lanes.take(40, 1_000_000, never)) == {quiet: [7, 8], flood[0]: [*range(38)]}
    assert offsets(lanes.take(40, 1_000_000, never)) == {flood[1]: [*range(40)]}


def test_many_with_few_leave_half_a_batch_to_who_has_much() -> None:
    lanes = Lanes()
    many, *few = PARTITIONS
    lanes.add(many, waiting(many, *range(100)))
    for partition in few:
        lanes.add(partition, waiting(partition, *range(5)))
    batch = offsets(lanes.take(40, 1_000_000, never))
    assert {each: len(taken) for each, taken in batch.items()} == {many: 25} | dict.fromkeys(few, 5)


def test_who_has_nothing_here() -> None:
    lanes = Lanes()
    lanes.add(ONE, waiting(ONE, 0, 1))
    assert lanes.without_any(PARTITIONS) == PARTITIONS[1:]
    batch = lanes.take(2, 1_000_000, never)
    assert lanes.without_any(PARTITIONS) == PARTITIONS[1:]
    lanes.finish(batch)
    assert lanes.without_any(PARTITIONS) == PARTITIONS


def test_a_held_partition_waits_and_the_others_go_on() -> None:
    lanes = Lanes()
    for partition in (ONE, TWO):
        lanes.add(partition, waiting(partition, 0))
    assert offsets(lanes.take(9, 1_000_000, lambda each: each == ONE)) == {TWO: [0]}
    assert offsets(lanes.take(9, 1_000_000, never)) == {ONE: [0]}


def test_a_batch_that_was_forgotten_commits_nothing() -> None:
    lanes = Lanes()
    lanes.add(ONE, waiting(ONE, 0, 1))
    batch = lanes.take(1, 1_000_000, never)
    lanes.clear()
    assert lanes.finish(batch) == {}
    lanes.add(ONE, waiting(ONE, 0))  # read again by the same member
    assert lanes.finish(batch) == {}
    assert lanes.oldest(ONE) == waiting(ONE, 0)[0].record


def test_the_oldest_is_the_first_without_an_outcome() -> None:
    lanes = Lanes()
    assert lanes.oldest(ONE) is None
    assert lanes.queued_to(ONE) is None
    lanes.add(ONE, waiting(ONE, 5, 9))
    batch = lanes.take(1, 1_000_000, never)
    assert [each.record.offset for each in batch[ONE]] == [5]
    for expected in (5, 9):
        oldest = lanes.oldest(ONE)
        assert oldest is not None
        assert oldest.offset == expected
        lanes.finish(batch)
    lanes.finish(lanes.take(1, 1_000_000, never))
    assert lanes.oldest(ONE) is None
    assert lanes.queued_to(ONE) == 10


def test_a_batch_ends_with_the_record_that_makes_it_too_long() -> None:
    lanes = Lanes()
    lanes.add(ONE, waiting(ONE, 0, 1, 2))
    lanes.add(TWO, waiting(TWO, 0))
    length = lanes.buffered_bytes // 4
    assert length > 0
    assert offsets(lanes.take(12, length + 1, never)) == {ONE: [0, 1]}
    assert lanes.buffered_bytes == 2 * length


def test_what_is_put_back_is_read_again_after_what_is_in_flight() -> None:
    lanes = Lanes()
    lanes.add(ONE, waiting(ONE, 0, 1, 2))
    batch = lanes.take(1, 1_000_000, never)
    assert lanes.put_back(ONE) == 1
    assert (lanes.buffered, lanes.buffered_bytes, lanes.queued_to(ONE)) == (0, 0, 1)
    assert lanes.put_back(ONE) is None
    assert lanes.finish(batch) == {ONE: 1}
    oldest = lanes.oldest(ONE)
    assert oldest is not None
    assert oldest.offset == 1
    lanes.read_on(ONE)
    assert lanes.oldest(ONE) is None
    lanes.add(ONE, waiting(ONE, 1, 2))
    assert offsets(lanes.take(9, 1_000_000, never)) == {ONE: [1, 2]}


def test_what_is_put_back_is_not_in_hand_any_more() -> None:
    lanes = Lanes()
    records = [each.record for each in waiting(ONE, 4, 5, 6)]
    lanes.receive(ONE, records)
    lanes.add(ONE, waiting(ONE, 4))
    assert lanes.is_next(ONE, records[1])
    lanes.take(1, 1_000_000, never)
    assert lanes.put_back(ONE) == 5
    assert not lanes.is_next(ONE, records[1])


@dataclass
class Log:
    """One partition as its owner sees it. done: offsets with an outcome; next: to be queued."""

    next: int = 0
    done: list[int] = field(default_factory=list)
    committed: int = 0


class LanesMachine(RuleBasedStateMachine):
    """Queue, take, finish and clear in any order, as fetches, batches and rebalances do."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes()
        self.logs: dict[TopicPartition, Log] = defaultdict(Log)
        self.flying: list[Batch] = []
        self.stale: list[Batch] = []

    @rule(partition=st.sampled_from(PARTITIONS), count=st.integers(1, 4), gap=st.integers(0, 2))
    def fetch(self, partition: TopicPartition, count: int, gap: int) -> None:
        log = self.logs[partition]
        first = log.next + gap  # compaction and transactions leave gaps
        self.lanes.add(partition, waiting(partition, *range(first, first + count)))
        log.next = first + count

    @rule(limit=st.integers(1, 6), held=st.frozensets(st.sampled_from(PARTITIONS), max_size=2))
    def take(self, limit: int, held: frozenset[TopicPartition]) -> None:
        busy = {partition for batch in self.flying for partition in batch}
        batch = self.lanes.take(limit, 1_000_000, held.__contains__)
        assert not batch.keys() & busy
        assert not batch.keys() & held
        assert sum(map(len, batch.values())) <= limit
        if batch:
            self.flying.append(batch)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        batch = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        done = self.lanes.finish(batch)
        assert done.keys() == batch.keys()
        for partition, taken in offsets(batch).items():
            log = self.logs[partition]
            log.done += taken
            assert log.committed <= taken[0]
            log.committed = done[partition]

    @rule(partition=st.sampled_from(PARTITIONS))
    def put_back(self, partition: TopicPartition) -> None:
        """Its topic is paused: what is in no batch is read again when it goes on."""
        offset = self.lanes.put_back(partition)
        if offset is not None:
            log = self.logs[partition]
            flying = [each for batch in self.flying for each in batch.get(partition, ())]
            assert offset >= (flying[-1].record.offset + 1 if flying else log.committed)
            log.next = offset

    @rule()
    def rebalance(self) -> None:
        """What has no outcome is forgotten here, and read again from the committed offset."""
        self.lanes.clear()
        self.stale += self.flying
        self.flying = []
        for log in self.logs.values():
            log.next = log.committed

    @precondition(lambda self: self.stale)
    @rule()
    def finish_too_late(self) -> None:
        assert self.lanes.finish(self.stale.pop()) == {}

    @invariant()
    def every_record_is_somewhere_once(self) -> None:
        for partition, log in self.logs.items():
            assert log.done == sorted(set(log.done))
            oldest = self.lanes.oldest(partition)
            if oldest is not None:
                assert oldest.offset >= log.committed
                assert self.lanes.queued_to(partition) == log.next
            else:
                assert not [batch for batch in self.flying if partition in batch]

    @invariant()
    def the_buffer_is_what_is_queued(self) -> None:
        queued = [
            item
            for lane in self.lanes._lanes.values()  # noqa: SLF001  there is no other count
            for item in lane.queue
        ]
        assert self.lanes.buffered == len(queued)
        assert self.lanes.buffered_bytes == sum(len(item.record.value or b"") for item in queued)


LanesMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestLanes = LanesMachine.TestCase
