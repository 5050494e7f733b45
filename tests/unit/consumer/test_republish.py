"""How past facts are portioned, and what is left of held ones. Pure."""

from datetime import UTC, datetime

import pytest

from consumer import republish
from consumer.held_release import Standing, judged
from consumer.republish import BYTES_AT_ONCE, portions
from db.held_facts import BEHIND
from db.held_release import HeldKey, Left
from db.past_facts import Past, Position

AT = datetime(2026, 1, 1, tzinfo=UTC)


def past(sequence: int, length: int = 10) -> Past:
    position = Position(1, "acme", "s", sequence)
    return Past(position, "ticket.created", length, AT, is_published=True)


def sequences(lengths: list[int], most: int) -> list[list[int]]:
    facts = [past(number, length) for number, length in enumerate(lengths)]
    return [[each.position.sequence for each in part] for part in portions(facts, most)]


@pytest.mark.parametrize(
    ("lengths", "most", "expected"),
    [
        ([], 2, []),
        ([1, 1, 1], 2, [[0, 1], [2]]),
        ([1, 1], 2, [[0, 1]]),
        ([BYTES_AT_ONCE, 1, 1], 5, [[0], [1, 2]]),
        ([1, BYTES_AT_ONCE + 1, 1], 5, [[0], [1], [2]]),
        ([BYTES_AT_ONCE // 2] * 4, 5, [[0, 1], [2, 3]]),
    ],
)
def test_portions_are_bounded_and_nothing_is_left_out(
    lengths: list[int], most: int, expected: list[list[int]]
) -> None:
    assert sequences(lengths, most) == expected


def left(sequence: int, topic: str | None, reason: str = "too long", subject: str = "s") -> Left:
    return Left(HeldKey("acme", subject, sequence), topic, reason)


def test_what_is_left_is_told_apart() -> None:
    rows = [
        left(1, "here"),
        left(2, "nowhere"),
        left(3, None),
        left(4, None, BEHIND),
        left(5, None, BEHIND, subject="other"),
    ]
    standing = judged(rows, {"nowhere"})
    assert standing == Standing([rows[0]], [rows[2]], [rows[3]], [rows[1]], [rows[4]])
    assert not standing.is_final
    assert judged(rows[1:4], {"nowhere"}).is_final


def test_a_slow_rate_makes_small_portions() -> None:
    assert republish.PACES_A_SECOND * republish.most_at_once(30) <= 30
    assert republish.most_at_once(0.5) == 1
    assert republish.most_at_once(1e9) == republish.most_at_once(None) == republish.FACTS_AT_ONCE
