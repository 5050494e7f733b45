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

    async def write(self, items: Sequence[int], _: bool) -> int:  # noqa: FBT001
        self.attempts += 1
        if self.conflicts:
            self.conflicts -= 1
            raise DecidedElsewhere
        if self.bad.intersection(items):
            message = "one of them can't be written"
            raise ValueError(message)
        self.written += items
        return len(items)

    async def bury(self, item: int, error: BaseException) -> int:
        assert isinstance(error, ValueError)
        self.attempts += 1
        self.buried.append(item)
        return 1

    def bisector(self) -> Bisector[int, int]:
        return Bisector(self.write, self.bury, lambda: None)


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
    bisector: Bisector[int, int] = Bisector(write, ledger.bury, lambda: None)
    with pytest.raises(ConnectionResetError):
        await bisector.settle(range(10))
    assert ledger.buried == []
