"""What goes wrong, and when: drawn from the seed, decided anew at every step of every process.

No two seeds are alike: each has only some kinds of faults, at some rate, and often a predilection
for one kind of step, since what is rare everywhere would never meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple


class Kind(StrEnum):
    """kill: SIGKILL. freeze: SIGSTOP, and SIGCONT later. lose: the connection, and the answer.

    refuse: the server's no; nothing is done, and nothing wrong with what was asked. stall: a slow
    network.
    """

    KILL = "kill"
    FREEZE = "freeze"
    LOSE = "lose"
    REFUSE = "refuse"
    STALL = "stall"


class Fault(NamedTuple):
    """is_late: once the server has done what was asked, and before the answer is there."""

    kind: Kind
    is_late: bool


HOLDING: Final = "COMMIT after hold"
"""The end of a write-off that holds facts back, which only a missing topic brings about."""

PREDILECTIONS: Final = (
    *("COMMIT", "COMMIT after INSERT", "COMMIT after WITH", "COMMIT after COPY", "look_up"),
    *("lock_tickets", "INSERT", "WITH", "COPY", "confirm", "COMMIT after delete", "claim"),
    *("acquire", "renew", "release", "produce", "produce", "commit", "getmany", "join"),
    *("park", "start_grace", "due", "add_letter", "stored_parties"),
)
"""Words of steps: statements by their names, and what is asked of the broker."""


@dataclass(frozen=True, slots=True)
class Plan:
    """until: in virtual seconds; then nothing goes wrong any more. favourite: None for no step."""

    kinds: Sequence[Kind]
    rate: float
    favourite: str | None
    rate_of_favourite: float
    most: int
    until: float

    @classmethod
    def drawn(cls, random: Random, until: float) -> "Plan":
        if random.random() < SELDOM:
            return cls((Kind.FREEZE,), 0.0, HOLDING, 0.6, 3, until)
        kinds = [kind for kind in Kind if random.random() < LIKELY]
        favourite = random.choice(PREDILECTIONS) if random.random() < LIKELY else None
        rate = random.choice((0.0, 0.002, 0.006, 0.02))
        return cls(kinds, rate, favourite, 0.15, random.randint(2, 16), until)


LIKELY: Final = 0.6
SELDOM: Final = 0.1


class Chaos:
    """Decides at each step."""

    def __init__(self, random: Random, plan: Plan) -> None:
        self._random = random
        self._plan = plan
        self.done = 0

    def strike(self, step: str, now: float) -> Fault | None:
        """The fault that befalls this step, if any."""
        plan = self._plan
        if now >= plan.until or not plan.kinds or self.done >= plan.most:
            return None
        is_favourite = plan.favourite is not None and plan.favourite in step
        rate = plan.rate_of_favourite if is_favourite else plan.rate
        if self._random.random() >= rate:
            return None
        self.done += 1
        kind = self._random.choice(plan.kinds)
        is_late = self._random.random() < 0.5
        is_early = kind is Kind.REFUSE or plan.favourite == HOLDING
        return Fault(kind, is_late and not is_early)
