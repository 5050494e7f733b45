"""How the timer that closes tickets goes through what is due, and when it looks again."""

from collections.abc import Sequence
from typing import Any

from consumer.closing import Closing
from consumer.handover import Handover
from consumer.metrics import Metrics
from consumer.wakeups import Wakeups
from consumer.writes import Writes
from db.closing import Key, Look

DUE: list[Key] = [("north", "1"), ("south", "2")]


class Closer(Closing):
    """One over a list of answers in place of a database. held: others hold all that is due."""

    def __init__(self, *answers: Look, held: bool = False) -> None:
        nowhere: Any = None
        writes = Writes(nowhere, Wakeups(), Handover())
        super().__init__(pool=nowhere, metrics=Metrics(), writes=writes, copy_from=80)
        self.answers = list(answers)
        self.held = held
        self.closed: list[Key] = []

    async def _look(self) -> Look:
        return self.answers.pop(0)

    async def _close(self, keys: Sequence[Key]) -> int:
        if self.held:
            return 0
        self.closed += keys
        return len(keys)


async def test_it_says_when_the_next_is_due() -> None:
    for seconds in (600.0, None):
        closer = Closer(Look([], seconds))
        assert await closer.sweep() == seconds
        assert closer.closed == []


async def test_it_goes_on_until_nothing_is_due() -> None:
    closer = Closer(Look(DUE, -90.0), Look(DUE[:1], -3.0), Look([], 7.0))
    assert await closer.sweep() == 7.0
    assert closer.closed == [*DUE, *DUE[:1]]


async def test_what_others_hold_is_left_to_the_next_sweep() -> None:
    closer = Closer(Look(DUE, -3.0), held=True)
    assert await closer.sweep() == -3.0
    assert closer.answers == []
