"""A Kafka record as the business sees it: where it stood, and its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

NAMES_KEEP_BYTES: Final = "surrogateescape"
"""How header names are decoded and encoded: what is not UTF-8 comes out as the bytes it was."""

Headers = tuple[tuple[str, bytes | None], ...]


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


def headers_of(names: Sequence[bytes], values: Sequence[bytes | None]) -> Headers:
    """The headers that a row keeps in two arrays, as the client hands them over."""
    decoded = [name.decode("utf-8", NAMES_KEEP_BYTES) for name in names]
    return tuple(zip(decoded, values, strict=True))


def arrays_of(record: Record) -> tuple[list[bytes], list[bytes | None]]:
    """The two arrays that keep a record's headers: their names and their values."""
    names = [name.encode("utf-8", NAMES_KEEP_BYTES) for name, _ in record.headers]
    return names, [value for _, value in record.headers]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record that was kept in the database: parked, or a dead letter."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
