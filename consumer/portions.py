"""How much is fetched and decoded at once: bounded by bytes too, whatever is compressed. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition

FETCH_RECORDS = 128
"""Records handed over by the client and decoded at once: a millisecond of work. Few, because each
may turn out to be megabytes long, compressed to nothing on the way."""

DECODE_BYTES = 256 * 1024
"""Bytes of values decoded before other tasks may run, heartbeats among them."""

FETCH_BYTES = 4 * 1024 * 1024
"""What a fetch aims at when records are long: it asks for fewer of them next time."""


def portions(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Consecutive records, as many and as long as may be decoded at once."""
    start = size = 0
    for number, record in enumerate(records):
        length = len(record.value or b"")
        full = number - start >= FETCH_RECORDS or size + length > DECODE_BYTES
        if full and number > start:
            yield records[start:number]
            start, size = number, 0
        size += length
    if start < len(records):
        yield records[start:]


def how_many_next(fetched: Mapping[TopicPartition, Sequence[Any]]) -> int:
    """How many records of the length just seen make up a fetch."""
    lengths = [len(record.value or b"") for records in fetched.values() for record in records]
    if not lengths:
        return FETCH_RECORDS
    return max(1, min(FETCH_RECORDS, FETCH_BYTES * len(lengths) // max(1, sum(lengths))))
