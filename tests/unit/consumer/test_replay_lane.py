"""How a partition's records are cut into portions."""

from collections.abc import Sequence

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from consumer.replay_filter import ReplayFilter, Sieve
from consumer.replay_lane import PORTION_BYTES, PORTION_OFFSETS, Lane, Portion
from handlers.entries import TopicRole
from tests.records import MOST_BYTES, stored
from tests.scenarios.messages import encoded, request

PLACE = TopicPartition("ticket.requested", 0)
WANTED = Sieve(ReplayFilter(request_id="request-yes"))


def lane(start: int = 0) -> Lane:
    return Lane(PLACE, TopicRole("request"), start)


def value(fits: bool) -> bytes:  # noqa: FBT001  what the record is about
    return encoded(request("yes" if fits else "no"))


def run(records: Sequence[tuple[int, bool]], most: int) -> list[Portion]:
    """Read these (offset, whether it fits), as a replay does; to one behind the last."""
    made, portions = lane(), []
    for offset, fits in records:
        record = stored(value(fits), offset)
        if not made.has_room(record, most):
            portions.append(made.take())
        made.add(record, WANTED, MOST_BYTES)
        if made.is_long:
            portions.append(made.take())
    made.read_to = max(made.read_to, 1 + max((offset for offset, _ in records), default=0))
    return [*portions, made.take()]


gaps = st.lists(st.tuples(st.integers(1, 9_000), st.booleans()), min_size=1, max_size=40)


@given(gaps, st.integers(1, 5))
def test_every_record_is_in_one_portion_in_its_order(
    steps: Sequence[tuple[int, bool]], most: int
) -> None:
    offset, records = -1, []
    for step, fits in steps:
        offset += step
        records.append((offset, fits))
    portions = run(records, most)
    items = [item for portion in portions for item in portion.items]
    offsets = [item.entry.record.offset for item in items if item.entry.record is not None]
    assert offsets == [offset for offset, fits in records if fits]
    assert sum(portion.scanned for portion in portions) == len(records)
    ends = [portion.next_offset for portion in portions]
    assert ends == sorted(ends)
    assert ends[-1] == offset + 1
    for portion in portions:
        assert len(portion.items) <= most
        if portion.items:
            assert portion.items[-1].next_offset == portion.next_offset
            assert sum(item.scanned for item in portion.items) == portion.scanned
            steps_ = [item.next_offset for item in portion.items]
            assert steps_ == sorted(set(steps_))
            records_ = [each.entry.record for each in portion.items]
            first, last = records_[0], records_[-1]
            assert first is not None
            assert last is not None
            assert last.offset - first.offset < PORTION_OFFSETS


def test_a_portion_takes_no_more_than_memory_allows() -> None:
    made = lane()
    long = stored(b" " * (PORTION_BYTES // 2), 0)
    everything = Sieve(ReplayFilter())
    for offset in range(2):
        record = stored(long.value, offset)
        assert made.has_room(record, 100)
        made.add(record, everything, MOST_BYTES)
    assert not made.has_room(stored(b"1", 2), 100)
    assert len(made.take().items) == 2
    assert made.size == 0
    giant = stored(b" " * (PORTION_BYTES + 1), 3)
    assert made.has_room(giant, 100)


def test_what_does_not_fit_takes_no_memory() -> None:
    made = lane()
    for offset in range(10):
        made.add(stored(value(False), offset), WANTED, MOST_BYTES)  # noqa: FBT003
    assert made.size == 0
    assert made.take() == Portion(PLACE, [], 10, 10)
    assert made.position == 10


def test_a_long_way_without_any_fitting_record_is_kept_too() -> None:
    made = lane(7)
    made.read_to = 7 + PORTION_OFFSETS - 1
    before = made.is_long
    made.read_to += 1
    assert (before, made.is_long) == (False, True)
    assert made.take().next_offset == 7 + PORTION_OFFSETS
    assert made.is_long is False
