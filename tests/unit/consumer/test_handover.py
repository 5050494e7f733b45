"""What a process hands to its own relay, and what it leaves to be found in the outbox."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from consumer.handover import MOST_BYTES, MOST_FACTS, Handover, are_first
from db.bulk import NULL, Row
from db.outbox import Claim
from handlers.batch import Handled
from tests.records import NOON

TICKET = str(UUID(int=1))
LIMITS = (1_000, 1_000_000)


def row(*, subject: str = TICKET, sequence: int = 1, data: str = "{}") -> Row:
    fact = ("acme", subject, str(sequence), "7", "ticket.created", subject)
    return (*fact, NULL, NULL, NULL, NOON.isoformat(), data)


def handled(number: int | None, rows: Sequence[Row] = (row(),)) -> Handled:
    return Handled(NOON, [], [], [], [], number, first_facts=rows)


@pytest.fixture
def handover() -> Handover:
    opened = Handover(lambda: 10.0)
    opened.open()
    return opened


def committed(handover: Handover, write: Handled) -> bool:
    handover.expect(write)
    return handover.arrive(write, began=9.5)


def numbers(claims: Sequence[Claim]) -> list[int]:
    return [claim.id for claim in claims]


def test_a_committed_write_comes_once_in_the_form_in_which_it_would_be_read(
    handover: Handover,
) -> None:
    assert committed(handover, handled(7, [row(data='{"a": "ü"}')]))
    assert handover.is_ready
    [claim], [fact] = handover.take(*LIMITS)
    assert claim == Claim(7, 1, 0, 11, 0.5)
    key = TICKET.encode()
    data = '{"a": "ü"}'.encode()
    subject = UUID(TICKET).bytes
    assert fact == ("acme", subject, 1, "ticket.created", key, None, None, None, NOON, data)
    assert handover.take(*LIMITS) == ([], [])


def test_its_row_is_left_alone_from_before_its_commit_until_it_is_taken(
    handover: Handover,
) -> None:
    handover.expect(handled(7))
    assert handover.has(7)
    assert not handover.is_ready
    assert handover.arrive(handled(7), began=9.0)
    assert handover.has(7)
    handover.take(*LIMITS)
    assert not handover.has(7)


def test_a_write_that_was_rolled_back_or_of_which_nobody_knows_is_left_to_be_found(
    handover: Handover,
) -> None:
    handover.expect(handled(7))
    handover.drop(7)
    assert not handover.has(7)
    assert not handover.arrive(handled(7), began=9.0)
    assert not handover.is_ready


@pytest.mark.parametrize(
    "write",
    [handled(None), handled(7, []), handled(7, [row(), row(subject=str(UUID(int=2)), sequence=2)])],
    ids=["nothing to publish", "dead letters with it", "a later fact of a ticket"],
)
def test_what_is_not_first_facts_alone_is_left_to_be_found(
    handover: Handover, write: Handled
) -> None:
    assert not committed(handover, write)
    assert not handover.has(7)


def test_a_rejection_and_the_first_fact_of_a_ticket_come_before_nothing() -> None:
    assert are_first([row(sequence=0), row(sequence=1)])
    assert not are_first([row(sequence=1), row(sequence=2)])
    assert not are_first([row(sequence=10)])


def test_nothing_is_expected_while_the_lease_is_elsewhere() -> None:
    handover = Handover()
    assert not committed(handover, handled(7))
    assert not handover.is_ready


def test_a_lease_that_is_lost_takes_everything_with_it(handover: Handover) -> None:
    assert committed(handover, handled(7))
    handover.expect(handled(8))
    handover.close()
    assert not handover.is_ready
    assert (handover.has(7), handover.has(8)) == (False, False)


def test_a_write_expected_under_a_lease_that_was_lost_is_not_taken_under_the_next(
    handover: Handover,
) -> None:
    """The new relay may have read its row before it arrives."""
    handover.expect(handled(7))
    handover.close()
    handover.open()
    assert not handover.arrive(handled(7), began=9.0)
    assert committed(handover, handled(8))
    assert numbers(handover.take(*LIMITS)[0]) == [8]


def test_whole_writes_are_taken_up_to_the_limits_in_the_order_of_their_arrival(
    handover: Handover,
) -> None:
    for number in (3, 1, 2, 4):
        assert committed(handover, handled(number, [row(data="12345")] * 2))
    assert numbers(handover.take(5, 1_000)[0]) == [3, 1]
    assert numbers(handover.take(1_000, 15)[0]) == [2]
    assert numbers(handover.take(5, 1_000)[0]) == [4]


def test_one_write_is_taken_however_large(handover: Handover) -> None:
    assert committed(handover, handled(1, [row()] * 9))
    assert committed(handover, handled(2))
    claims, facts = handover.take(5, 1)
    assert (numbers(claims), len(facts)) == ([1], 9)


@pytest.mark.parametrize(
    "rows", [[row()] * MOST_FACTS, [row(data="x" * MOST_BYTES)]], ids=["facts", "bytes"]
)
def test_what_there_is_no_room_for_is_left_to_be_found(
    handover: Handover, rows: Sequence[Row]
) -> None:
    assert committed(handover, handled(1, rows))
    assert not committed(handover, handled(2))
    assert not handover.has(2)
    handover.take(*LIMITS)
    assert committed(handover, handled(3))


def test_a_lost_lease_makes_room(handover: Handover) -> None:
    assert committed(handover, handled(1, [row()] * MOST_FACTS))
    handover.close()
    handover.open()
    assert committed(handover, handled(2))
