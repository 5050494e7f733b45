"""The order that the example subscriber restores, with facts and times that are made up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.facts import Fact
from examples.ordered_subscriber import ALL_TOPICS, Reorder
from examples.seen import Seen


@pytest.fixture
def order(tmp_path: Path) -> Iterator[Reorder]:
    with Seen(str(tmp_path / "seen.sqlite")) as seen:
        yield Reorder(seen, patience=30)


def fact(
    sequence: int | None, ticket: str = "a", offset: int = 0, *, is_replayed: bool = False
) -> Fact:
    return Fact("ticket.created", ticket, sequence, is_replayed, "t", 0, offset, {})


def taken(order: Reorder, *facts: Fact, now: float = 0) -> list[int | None]:
    return [each.sequence for one in facts for each in order.take(one, now)]


def test_what_comes_in_order_is_handed_on_at_once(order: Reorder) -> None:
    assert taken(order, fact(1), fact(2), fact(3)) == [1, 2, 3]
    assert order.waiting == {}


def test_what_comes_before_its_time_waits(order: Reorder) -> None:
    assert taken(order, fact(3), fact(2)) == []
    assert taken(order, fact(1)) == [1, 2, 3]


def test_tickets_do_not_wait_for_each_other(order: Reorder) -> None:
    assert taken(order, fact(2, "a"), fact(1, "b"), fact(2, "b")) == [1, 2]


def test_what_was_handed_on_is_dropped(order: Reorder) -> None:
    assert taken(order, fact(1), fact(1), fact(2), fact(1), fact(2)) == [1, 2]
    assert taken(order, fact(3, is_replayed=True), fact(3)) == [3]


def test_a_rejection_has_no_turn_to_wait_for(order: Reorder) -> None:
    assert taken(order, fact(None), fact(None)) == [None, None]


def test_a_gap_is_given_up_after_a_while(order: Reorder) -> None:
    assert taken(order, fact(1), fact(4), fact(5), now=10) == [1]
    assert list(order.give_up(39)) == []
    assert [each.sequence for each in order.give_up(40)] == [4, 5]
    assert order.seen.highest(ALL_TOPICS, "a") == 5
    assert taken(order, fact(3), fact(6), now=50) == [6]


def test_offsets_of_what_waits_are_read_again_after_a_restart(order: Reorder) -> None:
    taken(order, fact(3, offset=7), fact(2, offset=9))
    assert order.first_waiting("t", 0) == 7
    assert order.first_waiting("t", 1) is None
    taken(order, fact(1))
    assert order.first_waiting("t", 0) is None
