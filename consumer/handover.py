"""What this process has just committed goes to its own relay without being read back.

Only facts that are the first of their tickets: nothing has to go out before them, so that nobody
need look into the outbox first. Their row stays there until they are published, and whatever is
dropped here is found by it.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from consumer import clock
from consumer.outgoing import FactRow, as_read
from db.bulk import Row
from db.outbox import Claim
from handlers.batch import Handled

MOST_FACTS: Final = 20_000
MOST_BYTES: Final = 32 * 1024 * 1024
"""What may wait here, for a broker that is slow or away. The rest waits in the database alone."""

FIRST: Final = frozenset({"0", "1"})
"""The sequence of a rejection, which has no ticket, and of a ticket's first fact."""

_sequence_of: Final = itemgetter(2)


class HandedOver(NamedTuple):
    """A committed write. began: when, in the seconds of our own clock."""

    number: int
    facts: Sequence[FactRow]
    bytes: int
    began: float


class Handover:
    """Between those who write and the relay of the same process, while that holds the lease."""

    def __init__(self, seconds: Callable[[], float] = clock.seconds) -> None:
        self._seconds = seconds
        self._expected: set[int] = set()
        self._ready: dict[int, HandedOver] = {}
        self._facts = self._bytes = 0
        self.is_open = False

    def open(self) -> None:
        """The relay works here from now on."""
        self.is_open = True

    def close(self) -> None:
        """It does no more. Who has the lease next finds everything in the outbox."""
        self.is_open = False
        self._expected.clear()
        self._ready.clear()
        self._facts = self._bytes = 0

    def expect(self, handled: Handled) -> None:
        """Announce a write that is about to be committed: its row may be seen before it is here."""
        number = handled.outbox_id
        has_room = self._facts < MOST_FACTS and self._bytes < MOST_BYTES
        facts = handled.first_facts
        if self.is_open and has_room and number is not None and facts and are_first(facts):
            self._expected.add(number)

    def drop(self, number: int) -> None:
        """It was rolled back, or nobody knows."""
        self._expected.discard(number)

    def arrive(self, handled: Handled, began: float) -> bool:
        """It is committed. False: it was not expected, and has to be found in the outbox."""
        number = handled.outbox_id
        if number not in self._expected:
            return False
        self._expected.discard(number)
        facts = as_read(handled.first_facts, handled.now)
        length = sum([len(fact[-1]) for fact in facts])
        self._ready[number] = HandedOver(number, facts, length, began)
        self._facts += len(facts)
        self._bytes += length
        return True

    def has(self, number: int) -> bool:
        """Whether the row of this number is to be left alone: it comes by this way, or will."""
        return number in self._expected or number in self._ready

    @property
    def is_ready(self) -> bool:
        return bool(self._ready)

    def take(self, most_facts: int, most_bytes: int) -> tuple[list[Claim], list[FactRow]]:
        """The writes that came first, whole, up to the limits, but one at least if there is any."""
        claims: list[Claim] = []
        facts: list[FactRow] = []
        length, now = 0, self._seconds()
        while self._ready:
            write = next(iter(self._ready.values()))
            too_many = len(facts) + len(write.facts) > most_facts
            if claims and (too_many or length + write.bytes > most_bytes):
                break
            del self._ready[write.number]
            age = now - write.began
            claims.append(Claim(write.number, len(write.facts), 0, write.bytes, age))
            facts += write.facts
            length += write.bytes
        self._facts -= len(facts)
        self._bytes -= length
        return claims, facts


def are_first(facts: Sequence[Row]) -> bool:
    """Whether nothing can have to go out before any of these (rows as FACT_COLUMNS).

    Asked again here, where a later fact would break the order of its ticket.
    """
    return FIRST.issuperset(map(_sequence_of, facts))
