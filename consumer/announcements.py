"""What the topics of customers and partners say, in the end, of each. Pure.

The newer `updated_at` counts, and of equal ones the later record; an id stays with the tenant that
announced it first. That is how the service takes records in (`handlers/parties.py`), and it makes
the same of the same records in whatever order partitions are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from handlers.batch import Broken
from handlers.entries import TopicRole, read
from handlers.parties import PartyChange
from handlers.record import Record

PROBLEMS_KEPT: Final = 20

PartyKey = tuple[str, str]
"""customer or partner, and the id."""


class Said(NamedTuple):
    """A change, and its number among all that were read."""

    change: PartyChange
    number: int

    @property
    def order(self) -> tuple[datetime, int]:
        return self.change.changed_at, self.number


@dataclass(slots=True)
class _Last:
    """The newest state and the newest tombstone of a party."""

    state: Said | None = None
    grave: Said | None = None

    def in_order(self) -> list[Said]:
        """What is left to be applied, one after the other; a tombstone that is older is over."""
        if self.state is None:
            return [] if self.grave is None else [self.grave]
        if self.grave is None or self.grave.order < self.state.order:
            return [self.state]
        return [self.state, self.grave]


@dataclass(slots=True)
class Announcements:
    """Takes records of party topics in, a partition's in their order.

    unreadable, moved: how many could not be read, or gave an id to another tenant; problems: a
    sentence for the first of both.
    """

    records: int = 0
    unreadable: int = 0
    moved: int = 0
    problems: list[str] = field(default_factory=list)
    _last: dict[PartyKey, _Last] = field(default_factory=dict)

    def take(self, record: Record, role: TopicRole, max_bytes: int) -> PartyKey | None:
        """Take one record in; whom it is about, where it counts for anything."""
        self.records += 1
        place = f"{record.topic}:{record.partition}:{record.offset}"
        match read(record, role, max_bytes):
            case PartyChange() as change:
                return self._heard(change._replace(record=None), place)
            case Broken(_, error_class, message):
                self.unreadable += 1
                self._note(f"{place}: {error_class}: {message}")
                return None
            case _:
                raise TypeError("the role is that of a party")

    def _heard(self, change: PartyChange, place: str) -> PartyKey | None:
        key = change.party, change.id
        last = self._last.setdefault(key, _Last())
        said = Said(change, self.records)
        known = None if last.state is None else last.state.change.tenant_id
        if known is not None and change.tenant_id not in {None, known}:
            self.moved += 1
            self._note(f"{place}: gives {change.party} {change.id} of {known} to another tenant")
            return None
        if change.state is None:
            if last.grave is None or said.order >= last.grave.order:
                last.grave = said
        elif last.state is None or said.order >= last.state.order:
            last.state = said
        return key

    def _note(self, problem: str) -> None:
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(problem)

    def knows(self, key: PartyKey) -> bool:
        return key in self._last

    def parties(self, party: str) -> int:
        """How many customers, or partners, were announced."""
        return sum(kind == party for kind, _ in self._last)

    def in_order(self) -> Iterator[list[PartyChange]]:
        """What to apply of each party, who changed last at the end: so external ids settle."""
        every = [found for last in self._last.values() if (found := last.in_order())]
        every.sort(key=lambda said: said[-1].order)
        for said in every:
            yield [each.change for each in said]
