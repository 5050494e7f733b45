"""A partition on its way through a replay: its records in their order, cut into portions. Pure."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aiokafka import TopicPartition

from consumer.replay_filter import Sieve
from handlers.batch import Entry
from handlers.entries import TopicRole, read
from handlers.record import Record

PORTION_BYTES: Final = 16 * 1024 * 1024
"""What the records of one transaction may take in memory, unless a single one takes more."""

PORTION_OFFSETS: Final = 20_000
"""How far apart the records of one transaction may stand: the dead letters between them are looked
up together. And so far is read at most before the position is kept."""


class Item(NamedTuple):
    """A record to hand over. scanned: how many were looked at for it, itself included.

    next_offset: where the partition goes on once this is settled.
    """

    entry: Entry
    next_offset: int
    scanned: int


class Portion(NamedTuple):
    """What one transaction takes. next_offset, scanned: of what follows its last item, too."""

    partition: TopicPartition
    items: list[Item]
    next_offset: int
    scanned: int


@dataclass(slots=True)
class Lane:
    """One partition. position: what is before it was taken in a portion."""

    partition: TopicPartition
    role: TopicRole
    position: int
    read_to: int = field(default=0)
    size: int = 0
    _items: list[Item] = field(default_factory=list)
    _first: int = 0
    _since_last: int = 0
    _scanned: int = 0

    def __post_init__(self) -> None:
        self.read_to = self.position

    def add(self, record: Record, sieve: Sieve, max_bytes: int) -> None:
        """Look at the next record, and keep it if it fits."""
        self.read_to = record.offset + 1
        self._since_last += 1
        self._scanned += 1
        if not sieve.may_fit(record):
            return
        entry = read(record, self.role, max_bytes)
        if not sieve.fits(entry):
            return
        if not self._items:
            self._first = record.offset
        self._items.append(Item(entry, record.offset + 1, self._since_last))
        self._since_last = 0
        self.size += size_of(record)

    def has_room(self, record: Record, most: int) -> bool:
        """Whether a record may join those that are here. most: so many in one transaction."""
        if not self._items:
            return True
        return (
            len(self._items) < most
            and self.size + size_of(record) <= PORTION_BYTES
            and record.offset - self._first < PORTION_OFFSETS
        )

    def is_nearly_full(self, most: int, more: int) -> bool:
        """Whether so many more records may be too many for the next portion."""
        return (
            len(self._items) + more > most
            or self.size > PORTION_BYTES // 2
            or self.read_to - self.position > PORTION_OFFSETS // 2
        )

    @property
    def is_long(self) -> bool:
        """Whether so much was read that the position should be kept."""
        return self.read_to - self.position >= PORTION_OFFSETS

    @property
    def is_empty(self) -> bool:
        return self.read_to == self.position

    def take(self) -> Portion:
        """Everything that was read."""
        items = self._items
        if items:
            last = items[-1]
            items[-1] = last._replace(
                next_offset=self.read_to, scanned=last.scanned + self._since_last
            )
        portion = Portion(self.partition, items, self.read_to, self._scanned)
        self._items, self.size, self._since_last, self._scanned = [], 0, 0, 0
        self.position = self.read_to
        return portion


def size_of(record: Record) -> int:
    """What a record takes in memory, about."""
    return len(record.value or b"") + len(record.key or b"")
