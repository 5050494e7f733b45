"""Read every record that a broker can store, also one whose header names are not UTF-8.

aiokafka 0.14 decodes header names strictly while it hands out fetched records. One such record
raises UnicodeDecodeError from `getmany`, for ever, and the records of other partitions that the
same call had already taken are lost: their positions have moved on. A producer in C or Go can
write one. So the fetcher is given a reader that yields such a record too, with a name that encodes
to the same bytes again; all other batches go through aiokafka's compiled reader untouched.
"""

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from handlers.record import NAMES_KEEP_BYTES

HEAD_OF_BATCH = struct.Struct(">qi")  # base offset, length of what follows
RECORDS_AT = 61  # the length of a batch's header in format 2
DECODERS = {
    DefaultRecordBatch.CODEC_GZIP: codec.gzip_decode,
    DefaultRecordBatch.CODEC_SNAPPY: codec.snappy_decode,
    DefaultRecordBatch.CODEC_LZ4: codec.lz4_decode,
    DefaultRecordBatch.CODEC_ZSTD: codec.zstd_decode,
}


def tolerate_every_header() -> None:
    """Give aiokafka's fetcher the tolerant reader; doing it again changes nothing.

    The fetcher has no seam for this: the name in its module is the only one. Raises
    AttributeError where a newer aiokafka no longer has it, instead of tolerating nothing silently.
    """
    if fetcher.MemoryRecords is MemoryRecords:
        fetcher.MemoryRecords = TolerantRecords


class TolerantRecords:
    """aiokafka's MemoryRecords, whose batches are TolerantBatch."""

    def __init__(self, data: bytes) -> None:
        self._records = MemoryRecords(data)
        self._data = data
        self._at = 0

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def next_batch(self) -> Any:  # noqa: ANN401 - one of aiokafka's batch types, or ours
        batch = self._records.next_batch()
        start = self._at
        _, length = HEAD_OF_BATCH.unpack_from(self._data, start)
        self._at = start + HEAD_OF_BATCH.size + length
        if isinstance(batch, DefaultRecordBatch):
            return TolerantBatch(batch, memoryview(self._data)[start : self._at])
        return batch


class TolerantBatch:
    """A batch read by aiokafka up to the first name that it can't decode, and by us from there."""

    def __init__(self, batch: DefaultRecordBatch, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the fetcher asks a batch for
        return getattr(self._batch, name)

    def __next__(self) -> DefaultRecord:
        return next(self._batch)

    def __iter__(self) -> Iterator[DefaultRecord]:
        count = 0
        try:
            for record in self._batch:
                yield record
                count += 1
        except UnicodeDecodeError:
            records = _records(self._batch, self._raw)
            yield from list(records)[count:]


def _records(batch: DefaultRecordBatch, raw: memoryview) -> Iterator[DefaultRecord]:
    """Parse a whole batch (format 2: kafka.apache.org, "Record Batch")."""
    payload = bytes(raw[RECORDS_AT:])
    if decode := DECODERS.get(batch.compression_type):
        payload = decode(payload)
    buffer = bytearray(payload)
    (count,) = struct.unpack_from(">i", raw, RECORDS_AT - 4)
    at = 0
    for _ in range(count):
        length, start = decode_varint(buffer, at)
        at = start + length
        yield _record(batch, buffer, start)
    if at != len(buffer):
        raise CorruptRecordException(f"a batch of {count} records leaves {len(buffer) - at} bytes")


def _record(batch: DefaultRecordBatch, buffer: bytearray, start: int) -> DefaultRecord:
    delta, at = decode_varint(buffer, start + 1)  # after one byte of attributes
    offset_delta, at = decode_varint(buffer, at)
    key, at = _bytes(buffer, at)
    value, at = _bytes(buffer, at)
    headers, at = _headers(buffer, at)
    append_time = batch.timestamp_type == 1
    return DefaultRecord(
        batch.base_offset + offset_delta,
        batch.max_timestamp if append_time else batch.first_timestamp + delta,
        batch.timestamp_type,
        key,
        value,
        headers,
    )


def _headers(buffer: bytearray, at: int) -> tuple[list[tuple[str, bytes | None]], int]:
    count, at = decode_varint(buffer, at)
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name, at = _bytes(buffer, at)
        value, at = _bytes(buffer, at)
        headers.append(((name or b"").decode("utf-8", NAMES_KEEP_BYTES), value))
    return headers, at


def _bytes(buffer: bytearray, at: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(buffer, at)
    if length < 0:
        return None, at
    return bytes(buffer[at : at + length]), at + length
