"""What the clients do on a real broker."""

import struct
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import MessageSizeTooLargeError, NotLeaderForPartitionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from consumer import clients
from consumer.settings import Settings

pytestmark = pytest.mark.integration

TO_SPOIL = "spoil-me"


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    return Settings(kafka_bootstrap_servers=kafka, topic_prefix=topic_prefix)


async def topic_of(settings: Settings, *, partitions: int) -> str:
    name = f"{settings.topic_prefix}requests"
    admin = clients.admin(settings)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1)])
    finally:
        await admin.close()
    return name


def spoilt_batch(values: Sequence[bytes], *, spoilt: int) -> bytes:
    """Build a batch as a client in C could: the record number `spoilt` has a wrong header name."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 100_000)
    for number, value in enumerate(values):
        builder.append(
            number, 1_000, None, value, [(TO_SPOIL if number == spoilt else "name", b"x")]
        )
    raw = bytes(builder.build()).replace(TO_SPOIL.encode(), b"spoil\xff\xfe!")
    return raw[:17] + struct.pack(">I", calc_crc32c(raw[21:])) + raw[21:]


async def send_raw(settings: Settings, partition: TopicPartition, batch: bytes) -> None:
    client = AIOKafkaClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await client.bootstrap()
    try:
        await client.force_metadata_update()
        client.add_topic(partition.topic)
        topics = [(partition.topic, [(partition.partition, bytearray(batch))])]
        code = NotLeaderForPartitionError.errno
        while code == NotLeaderForPartitionError.errno:  # a new topic's broker learns of it late
            await client.force_metadata_update()
            node = client.cluster.leader_for_partition(partition)
            if node is None or node < 0:  # nor need it have a leader yet
                continue
            response = await client.send(node, ProduceRequest(None, -1, 10_000, topics))
            code = response.topics[0][1][0][1]
        assert code == 0
    finally:
        await client.close()


async def read_all(consumer: AIOKafkaConsumer, count: int) -> dict[bytes, tuple[str, ...]]:
    """Read `count` records: each value with its headers' names."""
    found: dict[bytes, tuple[str, ...]] = {}
    while len(found) < count:
        for records in (await consumer.getmany(timeout_ms=1_000)).values():
            found |= {each.value: tuple(name for name, _ in each.headers) for each in records}
    return found


async def test_a_header_name_that_is_not_utf_8_stops_and_loses_nothing(settings: Settings) -> None:
    topic = await topic_of(settings, partitions=2)
    one, other = (TopicPartition(topic, number) for number in (0, 1))
    await send_raw(settings, one, spoilt_batch([b"a", b"b", b"c"], spoilt=1))
    await send_raw(settings, other, spoilt_batch([b"d"], spoilt=-1))
    consumer = clients.consumer(settings)
    await consumer.start()
    try:
        consumer.assign([one, other])
        for partition in (one, other):
            consumer.seek(partition, 0)

        found = await read_all(consumer, 4)
    finally:
        await consumer.stop()

    assert found == {
        b"a": ("name",),
        b"b": ("spoil\udcff\udcfe!",),
        b"c": ("name",),
        b"d": ("name",),
    }


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_long_value_that_compresses_well_passes_with_every_codec(
    compression: str, settings: Settings
) -> None:
    topic = await topic_of(settings, partitions=1)
    producer = clients.producer(settings, compression=compression)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"x" * 5_000_000, partition=0)
    finally:
        await producer.stop()
    consumer = clients.consumer(settings)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)

        assert list(await read_all(consumer, 1)) == [b"x" * 5_000_000]
    finally:
        await consumer.stop()


async def test_the_broker_judges_what_is_too_long(settings: Settings) -> None:
    topic = await topic_of(settings, partitions=1)
    producer = clients.producer(settings)
    await producer.start()
    try:
        with pytest.raises(MessageSizeTooLargeError, match=r"\[Error 10\]"):
            await producer.send_and_wait(topic, b"x" * 5_000_000, partition=0)
    finally:
        await producer.stop()
