"""How the sweeper of parked requests goes through what is due."""

from collections.abc import Sequence
from typing import Any

import pytest

from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.parking import PORTION_BYTES, SWEEP_AT_ONCE, Parking, portions
from consumer.telling import Telling
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db.parked import Due
from handlers.batch import Handled, Setting
from handlers.entries import read
from handlers.outcomes import Duplicate, Rules
from handlers.parking import Key
from tests.records import MOST_BYTES, NOON, REQUESTS, asked

Answer = tuple[list[Due], int, float | None]


class Sweeper(Parking):
    """One over a list of answers in place of a database. held: others hold all that is due."""

    def __init__(self, answers: Sequence[Answer], *, held: bool = False) -> None:
        self.metrics = Metrics()
        self.answers = list(answers)
        self.held = held
        self.settled: list[list[Key]] = []
        nowhere: Any = None
        super().__init__(
            pool=nowhere,
            metrics=self.metrics,
            telling=Telling(self.metrics),
            writes=Writes(nowhere, Wakeups(), Handover()),
            setting=Setting(Rules(), "group"),
            read=lambda record: read(record, REQUESTS, MOST_BYTES),
        )

    async def _due(self) -> Answer:
        return self.answers.pop(0)

    async def _settle(self, keys: Sequence[Key], _: Setting, __: Any) -> Handled:  # noqa: ANN401
        self.settled.append(list(keys))
        request = asked()
        decisions = [] if self.held else [Duplicate(request, differs=False)] * len(keys)
        return Handled(NOON, list(decisions), [], [], [], None)


def due(count: int, size: int = 600) -> list[Due]:
    return [Due("north", str(number), size) for number in range(count)]


@pytest.mark.parametrize("expiry", [None, 600.0, -3.0])
async def test_it_says_when_the_next_grace_is_over(expiry: float | None) -> None:
    sweeper = Sweeper([([], 4, expiry)])
    assert await sweeper.sweep() == expiry
    assert sweeper.settled == []
    assert sweeper.metrics.registry.get_sample_value("ticketing_parked_requests") == 4


async def test_it_goes_on_while_there_is_more_than_it_takes_at_once() -> None:
    full = (due(SWEEP_AT_ONCE), 2 * SWEEP_AT_ONCE, -1.0)
    sweeper = Sweeper([full, full, (due(1), 1, -1.0)])
    assert await sweeper.sweep() == -1.0
    assert [len(keys) for keys in sweeper.settled] == [SWEEP_AT_ONCE, SWEEP_AT_ONCE, 1]


async def test_what_others_hold_is_left_to_the_next_sweep() -> None:
    sweeper = Sweeper([(due(SWEEP_AT_ONCE), SWEEP_AT_ONCE, -1.0)], held=True)
    assert await sweeper.sweep() == -1.0


def test_portions_fit_into_memory_and_keep_the_order() -> None:
    third = PORTION_BYTES // 3 + 1
    parts = list(portions([*due(5, third), *due(1, 9 * PORTION_BYTES), *due(2, 1)]))
    assert [len(part) for part in parts] == [2, 2, 1, 1, 2]
    assert [key for part in parts for _, key in part] == ["0", "1", "2", "3", "4", "0", "0", "1"]
    assert list(portions([])) == []
