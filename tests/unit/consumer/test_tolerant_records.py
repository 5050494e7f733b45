import random
import struct

import pytest
from aiokafka import codec as codecs
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from consumer.tolerant_records import TolerantRecords, tolerate_every_header
from handlers.record import NAMES_KEEP_BYTES

NAME_TO_SPOIL = b"spoil-me"
SPOILT = b"sp\xff\xfe\xed\xa0\x80e"
CRC_AT, CRC_COVERS_FROM, RECORDS_AT = 17, 21, 61
NONE, GZIP, ZSTD = 0, 1, 4

Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]


def batch_of(records: list[Record], *, base_offset: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, NONE, 0, -1, -1, 0, 10_000_000)
    for number, (key, value, headers) in enumerate(records):
        builder.append(number, 1_000 + number, key, value, headers)
    raw = bytes(builder.build())
    raw = raw.replace(NAME_TO_SPOIL, SPOILT)
    raw = struct.pack(">q", base_offset) + raw[8:]
    return sealed(raw)


def sealed(raw: bytes) -> bytes:
    crc = calc_crc32c(raw[CRC_COVERS_FROM:])
    return raw[:CRC_AT] + struct.pack(">I", crc) + raw[CRC_COVERS_FROM:]


def compressed(raw: bytes, codec: int) -> bytes:
    encode = {GZIP: codecs.gzip_encode, ZSTD: codecs.zstd_encode}[codec]
    body = raw[:RECORDS_AT] + encode(raw[RECORDS_AT:])
    head = body[:8] + struct.pack(">i", len(body) - 12) + body[12:21]
    return sealed(head + struct.pack(">h", codec) + body[23:])


def read(data: bytes, reader: type = TolerantRecords) -> list[tuple[object, ...]]:
    records = reader(data)
    found: list[tuple[object, ...]] = []
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += [
            (each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
            for each in batch
        ]
    return found


GOOD: Record = (b"key", b"value", [("name", b"\x00\xff"), ("name", None), ("", b"")])
SPOILT_NAME: Record = (None, None, [("before", b"1"), (NAME_TO_SPOIL.decode(), b"2")])


def test_aiokafka_still_fails_on_a_name_that_is_not_utf_8() -> None:
    with pytest.raises(UnicodeDecodeError):
        read(batch_of([GOOD, SPOILT_NAME]), MemoryRecords)


def test_a_record_whose_header_name_is_not_utf_8_is_read_like_its_neighbours() -> None:
    first = batch_of([GOOD, SPOILT_NAME, GOOD])
    second = batch_of([GOOD], base_offset=3)

    found = read(first + second)

    assert [offset for offset, *_ in found] == [0, 1, 2, 3]
    assert found[1] == (
        1,
        1_001,
        None,
        None,
        (("before", b"1"), (SPOILT.decode("utf-8", NAMES_KEEP_BYTES), b"2")),
    )
    assert found[2][2:] == found[0][2:]


@pytest.mark.parametrize("codec", [GZIP, ZSTD])
def test_it_is_read_from_a_compressed_batch_too(codec: int) -> None:
    plain = batch_of([GOOD, SPOILT_NAME, GOOD])

    assert read(compressed(plain, codec)) == read(plain)


def test_our_parser_and_aiokafkas_read_the_same() -> None:
    chance = random.Random(7)  # noqa: S311 - data, not a secret

    def text(longest: int) -> bytes | None:
        return chance.choice([None, chance.randbytes(chance.randint(0, longest))])

    records: list[Record] = [
        (text(9), text(300), [("é" * (n % 5), text(70)) for n in range(chance.randint(0, 4))])
        for _ in range(200)
    ]
    by_aiokafka = read(batch_of(records), MemoryRecords)
    by_us = read(batch_of([SPOILT_NAME, *records]))[1:]

    assert [each[2:] for each in by_us] == [each[2:] for each in by_aiokafka]


def test_the_fetcher_uses_the_tolerant_reader_once_a_consumer_is_built() -> None:
    tolerate_every_header()
    tolerate_every_header()

    assert fetcher.MemoryRecords is TolerantRecords
    assert TolerantRecords(batch_of([GOOD])).size_in_bytes() > RECORDS_AT
    assert isinstance(MemoryRecords(batch_of([GOOD])).next_batch(), DefaultRecordBatch)
