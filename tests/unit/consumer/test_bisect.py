"""Halving a batch: every item is settled once, the bad ones alone, the rest together."""

from collections.abc import Sequence
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.bisect import CONFLICTS_IN_A_ROW, LONELY_FAILURES, Bisector, Contended, NotTheRecords
from db.requests import DecidedElsewhere


class Ledger:
    """A database that refuses some items, and remembers its transactions."""

    def __init__(self, bad: frozenset[int] = frozenset()) -> None:
        self.bad = bad
        self.written: list[int] = []
        self.buried: list[int] = []
        self.attempts = 0
        self.conflicts = 0
        self.refusal: Exception | None = None

    async def write(self, items: Sequence[int], _: bool) -> int:  # noqa: FBT001
        self.attempts += 1
        if self.conflicts:
            self.conflicts -= 1
            raise DecidedElsewhere
        new = [item for item in items if item not in self.buried]
        if self.bad.intersection(new):
            message = "one of them can't be written"
            raise ValueError(message)
        self.written += new
        return len(new)

    async def bury(self, item: int, error: BaseException) -> int:
        assert isinstance(error, ValueError)
        self.attempts += 1
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            if isinstance(refusal, DecidedElsewhere):
                self.buried.append(item)
            raise refusal
        self.buried.append(item)
        return 1

    def bisector(self) -> Bisector[int, int]:
        return Bisector(self.write, self.bury, lambda: None, lambda done: done > 0)


@given(st.integers(1, 300), st.data())
async def test_every_item_is_settled_once_and_the_bad_ones_alone(
    size: int, data: st.DataObject
) -> None:
    most = min(size, LONELY_FAILURES - 1)
    bad = data.draw(st.frozensets(st.integers(0, size - 1), max_size=most))
    ledger = Ledger(bad)
    await ledger.bisector().settle(range(size))
    assert ledger.written == [item for item in range(size) if item not in bad]
    assert ledger.buried == sorted(bad)
    depth = ceil(log2(size)) if size > 1 else 0
    assert ledger.attempts <= 1 + len(bad) * (2 * depth + 1)


async def test_a_good_batch_is_one_transaction() -> None:
    ledger = Ledger()
    assert await ledger.bisector().settle(range(1_000)) == [1_000]
    assert ledger.attempts == 1


async def test_when_twenty_in_a_row_fail_alone_it_is_not_the_records() -> None:
    ledger = Ledger(frozenset(range(64)))
    with pytest.raises(NotTheRecords):
        await ledger.bisector().settle(range(64))
    assert len(ledger.buried) == LONELY_FAILURES - 1


async def test_it_is_still_not_the_records_when_they_are_tried_again() -> None:
    """What was buried before counts as settled then: that says nothing about the database."""
    ledger = Ledger(frozenset(range(64)))
    bisector = ledger.bisector()
    for _ in range(5):
        with pytest.raises(NotTheRecords):
            await bisector.settle(range(64))
    assert len(ledger.buried) == LONELY_FAILURES - 1
    ledger.bad = frozenset()
    await bisector.settle(range(64))
    assert ledger.written == list(range(LONELY_FAILURES - 1, 64))


async def test_a_good_record_between_bad_ones_says_that_it_is_the_records() -> None:
    ledger = Ledger(frozenset(range(0, 100, 2)))
    await ledger.bisector().settle(range(100))
    assert ledger.buried == list(range(0, 100, 2))


async def test_a_record_that_another_worker_buries_at_the_same_time_is_settled() -> None:
    ledger = Ledger(frozenset({3}))
    ledger.refusal = DecidedElsewhere()
    await ledger.bisector().settle(range(8))
    assert ledger.buried == [3]
    assert ledger.written == [0, 1, 2, 4, 5, 6, 7]


async def test_a_dead_letter_that_cannot_be_kept_is_no_fault_of_the_record() -> None:
    ledger = Ledger(frozenset({3}))
    ledger.refusal = ValueError("refused")
    with pytest.raises(NotTheRecords):
        await ledger.bisector().settle(range(8))
    assert ledger.buried == []


async def test_someone_was_first_is_settled_by_looking_again() -> None:
    ledger = Ledger()
    ledger.conflicts = 3
    assert await ledger.bisector().settle(range(10)) == [10]


async def test_conflicts_without_end_are_waited_out() -> None:
    ledger = Ledger()
    ledger.conflicts = CONFLICTS_IN_A_ROW + 1
    with pytest.raises(Contended):
        await ledger.bisector().settle(range(10))


async def test_an_outage_is_raised_as_it_is() -> None:
    async def write(_: Sequence[int], __: bool) -> int:  # noqa: FBT001
        raise ConnectionResetError

    ledger = Ledger()
    bisector: Bisector[int, int] = Bisector(write, ledger.bury, lambda: None, bool)
    with pytest.raises(ConnectionResetError):
        await bisector.settle(range(10))
    assert ledger.buried == []
