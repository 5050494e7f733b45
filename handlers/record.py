"""A Kafka record as the business sees it: where it stood, and its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Record(Protocol):
    """What the client's own record and a stored one have in common. timestamp: ms since 1970."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


Coordinates = tuple[str, int, int, int]
"""Topic, partition, offset, timestamp: what tells one record from every other."""


def coordinates(record: Record) -> Coordinates:
    """What tells this record from every other, also from those of a topic made anew."""
    return record.topic, record.partition, record.offset, record.timestamp


def place_of(record: Record) -> str:
    """Where it stands, as operators write it (consumer.cli.place)."""
    return f"{record.topic}:{record.partition}:{record.offset}"


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record that was kept in the database: parked, or a dead letter."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
