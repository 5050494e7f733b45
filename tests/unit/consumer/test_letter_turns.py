"""Dead letters are taken in portions of bounded number and size, and at a bounded rate."""

from datetime import UTC, datetime

import pytest

from consumer.letter_turns import PORTION_BYTES, PORTION_LETTERS, Pace, portions
from db.letter_search import Turn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def turn(offset: int, size: int = 10, topic: str = "t") -> Turn:
    return Turn((topic, 0, offset, 0), NOON, size)


def cut(turns: list[Turn], most: int = 3) -> list[list[int]]:
    found = portions(turns, most, lambda topic: topic == "customers")
    return [[letter[2] for letter in portion] for portion in found]


def test_a_portion_has_so_many_letters_at_most() -> None:
    assert cut([turn(number) for number in range(7)]) == [[0, 1, 2], [3, 4, 5], [6]]
    assert cut([]) == []


def test_a_portion_has_so_many_bytes_at_most_unless_one_has_more() -> None:
    half = PORTION_BYTES // 2 + 1
    turns = [turn(0, half), turn(1, half), turn(2, 3 * PORTION_BYTES), turn(3), turn(4)]
    assert cut(turns) == [[0], [1], [2], [3, 4]]


def test_parties_are_handed_over_apart() -> None:
    turns = [turn(0), turn(1, topic="customers"), turn(2, topic="customers"), turn(3), turn(4)]
    assert cut(turns) == [[0], [1, 2], [3, 4]]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def seconds(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.mark.parametrize(
    ("rate", "most"), [(None, PORTION_LETTERS), (0.5, 1), (9, 1), (50, 5), (1e9, PORTION_LETTERS)]
)
def test_the_slower_the_rate_the_smaller_the_portions(rate: float | None, most: int) -> None:
    assert Pace(rate).most == most


async def test_a_rate_is_kept_on_the_whole() -> None:
    clock = Clock()
    pace = Pace(4, seconds=clock.seconds, sleep=clock.sleep)
    for _ in range(3):
        await pace.take(2)
    assert clock.slept == [0.5, 0.5]
    clock.now += 10
    await pace.take(2)
    await pace.take(2)
    assert clock.slept == [0.5, 0.5, 0.5], "what was not used up is not saved"


async def test_without_a_rate_nothing_waits() -> None:
    clock = Clock()
    pace = Pace(None, seconds=clock.seconds, sleep=clock.sleep)
    await pace.take(10_000)
    await pace.take(1)
    assert clock.slept == []
