"""How records become batches, and batches become requests."""

from typing import Any
from zlib import crc32

from aiokafka.producer.message_accumulator import BatchBuilder

from consumer.exact_names import ExactBatch
from consumer.outgoing import Outgoing
from consumer.shipment import Packing, Shipment, size_of
from consumer.tolerant_records import TolerantRecords


def outgoing(number: int = 0, **changes: Any) -> Outgoing:  # noqa: ANN401  of any field
    valid = Outgoing("t", b"%d" % number, b"x" * 100, [("name", b"value")], ())
    return valid._replace(**changes)


def packing(*, batch_size: int = 10_000, limits: dict[str, int] | None = None) -> Packing:
    return Packing(lambda: BatchBuilder(batch_size, 0), limits or {})


def shipment(records: list[Outgoing], packer: Packing, partitions: dict[str, int]) -> Shipment:
    dealt, missing = packer.by_partition(records, partitions)
    batches = [packer.batches(topic, partition, own) for (topic, partition), own in dealt.items()]
    return packer.shipment(batches, missing)


def test_a_key_always_has_the_same_partition_and_records_their_order() -> None:
    records = [outgoing(number % 7, value=b"%d" % number) for number in range(70)]
    dealt, missing = packing().by_partition(records, {"t": 3})
    assert missing == []
    for (topic, partition), own in dealt.items():
        assert topic == "t"
        assert own == [record for record in records if crc32(record.key or b"") % 3 == partition]


def test_records_to_unknown_topics_are_missing() -> None:
    known, unknown = outgoing(), outgoing(topic="other")
    _, missing = packing().by_partition([unknown, known], {"t": 3})
    assert missing == [unknown]


def test_keyless_records_spread_over_the_partitions() -> None:
    records = [outgoing(key=None, value=b"%d" % number) for number in range(100)]
    dealt, _ = packing().by_partition(records, {"t": 4})
    assert len(dealt) == 4


def test_a_wave_has_at_most_one_batch_for_a_partition() -> None:
    records = [outgoing(number % 3) for number in range(500)]
    packed = shipment(records, packing(batch_size=1_000), {"t": 3})
    for wave in packed.waves:
        places = [(batch.topic, batch.partition) for batch in wave]
        assert len(places) == len(set(places))
    assert sorted(packed.remaining()) == sorted(records)


def test_batches_are_full_but_no_larger() -> None:
    batches = packing(batch_size=1_000).batches("t", 0, [outgoing(n) for n in range(100)])
    assert all(batch.size <= 1_000 for batch in batches)
    assert all(batch.size > 800 for batch in batches[:-1])
    assert all(batch.builder.closed() for batch in batches)


def test_a_record_larger_than_a_batch_goes_alone() -> None:
    records = [outgoing(1), outgoing(2, value=b"x" * 5_000), outgoing(3)]
    batches = packing(batch_size=1_000).batches("t", 0, records)
    assert [batch.records for batch in batches] == [[record] for record in records]


def test_half_of_a_refused_size_halves_the_batch_until_a_record_is_alone() -> None:
    """Also where the last record is nearly all of it."""
    records = [outgoing(1), outgoing(2), outgoing(3, value=b"x" * 50_000)]
    sizes = [packing(batch_size=1_000_000).batches("t", 0, records)[0].size]
    while True:
        batches = packing(batch_size=1_000_000, limits={"t": sizes[-1] // 2}).batches(
            "t", 0, records
        )
        first = batches[0]
        if len(first.records) == 1:
            break
        sizes.append(first.size)
        assert sizes[-1] <= sizes[-2] // 2
    assert [record for batch in batches for record in batch.records] == records


def test_the_upper_bound_of_a_records_size_holds() -> None:
    for record in (
        outgoing(),
        outgoing(key=None, value=None, headers=[]),
        outgoing(headers=[("ü" * 50, None)] * 40),
        outgoing(value=b"x" * 3_000_000),
    ):
        builder = BatchBuilder(10_000_000, 0)
        empty = builder.size()
        builder.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
        assert builder.size() - empty <= size_of(record)


def test_what_can_not_be_written_down_is_told_and_the_rest_packed() -> None:
    unfit = outgoing(2, headers=[("\ud800", b"x")])
    packed = shipment([outgoing(1), unfit, outgoing(3)], packing(), {"t": 1})
    [(record, reason)] = packed.unfit
    assert record is unfit
    assert "UnicodeEncodeError" in reason
    assert packed.remaining() == [outgoing(1), outgoing(3)]


def test_acknowledged_batches_do_not_remain() -> None:
    packed = shipment([outgoing(n) for n in range(50)], packing(batch_size=1_000), {"t": 1})
    first = packed.waves[0][0]
    first.is_acknowledged = True
    assert packed.remaining() == [outgoing(n) for n in range(len(first.records), 50)]


def test_a_header_name_of_any_bytes_goes_out_as_it_came() -> None:
    """In a batch of its own, at its place among the others."""
    name = b"tr\xe4ger".decode("utf-8", "surrogateescape")
    odd = outgoing(2, headers=[("plain", b"1"), (name, b"2"), ("none", None)])
    records = [outgoing(1), odd, outgoing(3)]
    batches = packing().batches("t", 0, records)
    assert [batch.records for batch in batches] == [[record] for record in records]
    assert isinstance(batches[1].builder, ExactBatch)
    batches[1].builder._set_producer_state(7, 1, 3)  # noqa: SLF001  as aiokafka's sender does
    raw = bytes(batches[1].builder._build())  # noqa: SLF001
    assert b"tr\xe4ger" in raw
    batch = TolerantRecords(raw).next_batch()
    assert batch.validate_crc()
    assert batch.producer_id == 7
    ((read),) = list(batch)
    assert (read.key, read.value, list(read.headers)) == (odd.key, odd.value, list(odd.headers))
