"""Records in batches, and the batches in the order in which they may go out."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from zlib import crc32

from aiokafka.producer.message_accumulator import BatchBuilder

from consumer.exact_names import ExactBatch
from consumer.outgoing import Outgoing

RECORD_OVERHEAD = 32
HEADER_OVERHEAD = 4
"""More than the lengths and numbers around a record and around a header take (KIP-98)."""

UNFIT = (TypeError, ValueError, OverflowError)
"""What aiokafka raises for a record that can't be written down at all."""


@dataclass(slots=True, eq=False)
class Batch:
    """Consecutive records of one partition. size: bytes before compression."""

    topic: str
    partition: int
    builder: BatchBuilder
    records: Sequence[Outgoing]
    size: int
    is_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Shipment:
    """Batches to send. waves: each is one request, with at most one batch for a partition.

    missing: records to topics that do not exist. unfit: records that are none, and why.
    """

    waves: Sequence[Sequence[Batch]]
    missing: Sequence[Outgoing] = ()
    unfit: Sequence[tuple[Outgoing, str]] = ()

    def remaining(self) -> list[Outgoing]:
        """What is not acknowledged, a partition's records in their order."""
        return [
            record
            for wave in self.waves
            for batch in wave
            if not batch.is_acknowledged
            for record in batch.records
        ]


class Packing:
    """Fills batches. create_batch: aiokafka's, which knows the largest size.

    limits: for topics that refused a larger batch, the size that theirs may have.
    """

    def __init__(self, create_batch: Callable[[], BatchBuilder], limits: Mapping[str, int]) -> None:
        self._create_batch = create_batch
        self._limits = limits
        self._unfit: list[tuple[Outgoing, str]] = []

    def by_partition(
        self, records: Iterable[Outgoing], partitions: Mapping[str, int]
    ) -> tuple[dict[tuple[str, int], list[Outgoing]], list[Outgoing]]:
        """Deal the records to partitions, and tell which have no topic.

        The partition is CRC-32 of the key: librdkafka's `consistent` partitioner. Java's murmur2
        is pure Python in aiokafka, and slower than all else that is done for a record.
        """
        dealt: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        missing = []
        for record in records:
            count = partitions.get(record.topic)
            if count is None:
                missing.append(record)
            else:
                partition = crc32(record.key or record.value or b"") % count
                dealt[record.topic, partition].append(record)
        return dealt, missing

    def batches(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[Batch]:
        """The records of one partition in as few batches as possible."""
        limit = self._limits.get(topic)
        filled: list[Batch] = []
        builder, taken = self._create_batch(), list[Outgoing]()
        for record in records:
            _, key, value, headers, _ = record
            if limit is not None and taken and builder.size() + size_of(record) > limit:
                builder.close()
            try:
                if builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
                    filled.append(Batch(topic, partition, builder, taken, builder.size()))
                    builder, taken = self._create_batch(), []
                    builder.append(timestamp=None, key=key, value=value, headers=headers)
            except UNFIT as error:
                exact = exact_batch(record) if isinstance(error, UnicodeEncodeError) else None
                if exact is None:
                    self._unfit.append((record, f"{type(error).__name__}: {error}"))
                    continue
                if taken:
                    builder.close()
                    filled.append(Batch(topic, partition, builder, taken, builder.size()))
                filled.append(Batch(topic, partition, exact, [record], exact.size()))
                builder, taken = self._create_batch(), []
            else:
                taken.append(record)
        if taken:
            builder.close()
            filled.append(Batch(topic, partition, builder, taken, builder.size()))
        return filled

    def shipment(self, batches: Sequence[Sequence[Batch]], missing: Sequence[Outgoing]) -> Shipment:
        """Put the n-th batch of each partition into the n-th wave."""
        waves = [[batch for batch in wave if batch is not None] for wave in zip_longest(*batches)]
        return Shipment(waves, missing, self._unfit)


def exact_batch(record: Outgoing) -> ExactBatch | None:
    """One with this record alone, whose header names aiokafka can't write; None if nobody can."""
    with suppress(UnicodeEncodeError):
        return ExactBatch.of(record.key, record.value, record.headers)
    return None


def size_of(record: Outgoing) -> int:
    """An upper bound of the bytes that a record takes in a batch."""
    headers = sum(
        HEADER_OVERHEAD * 3 + len(name) * 4 + len(value or b"") for name, value in record.headers
    )
    return RECORD_OVERHEAD + len(record.key or b"") + len(record.value or b"") + headers
