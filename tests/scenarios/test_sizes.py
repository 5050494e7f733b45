"""Records as long as the broker takes, as long as we take, and a byte longer."""

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from confluent_kafka import KafkaException

from tests.scenarios.messages import Headers, Message, customer, encoded, request, requested
from tests.scenarios.world import World

MEGABYTE = 1024 * 1024
BROKERS_LIMIT = MEGABYTE + 12
"""What a broker takes in one batch where nobody says otherwise (message.max.bytes)."""

OUR_LIMIT = 8 * MEGABYTE
"""TICKETING_MAX_RECORD_BYTES, by default."""

ANY_SIZE = {"message_max_bytes": 64 * MEGABYTE}
"""The sender leaves it to the broker to refuse."""


def padded(number: int, length: int, **fields: object) -> Message:
    """A request whose value has just this many bytes; the field that fills it is unknown."""
    empty = len(encoded(request(number, **fields) | {"ballast": ""}))
    return Message(encoded(request(number, **fields) | {"ballast": "x" * (length - empty)}))


def batch_of(value: bytes, key: bytes | None = None, headers: Headers = ()) -> int:
    """How long a batch is in which such a record goes alone."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=0,
        batch_size=2 * MEGABYTE,
    )
    builder.append(0, 0, key, value, list(headers))
    return len(builder.build())


async def is_taken(world: World, message: Message) -> bool:
    """Whether the broker takes a record, uncompressed."""
    try:
        await world.publish(message, **ANY_SIZE)
    except (AssertionError, KafkaException):
        return False
    return True


async def test_the_longest_records_that_the_broker_takes(world: World) -> None:
    """One is a ticket, one a dead letter, which is longer than it came, and passes all the same."""
    await world.publish(customer())
    nearly = BROKERS_LIMIT - 100
    longest = nearly + BROKERS_LIMIT - batch_of(b"x" * nearly)
    assert not await is_taken(world, padded(0, longest + 1))
    async with world.service():
        await world.publish(padded(1, longest), padded(2, longest, title=...), **ANY_SIZE)
        await world.publish(requested(3))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 2, "dead_lettered": 1}
    (letter,) = await world.read("ticket.requested.dlq")
    assert len(letter.value) == longest
    assert report.kept == 0


async def test_a_record_as_long_as_we_take_and_one_that_is_a_byte_longer(world: World) -> None:
    """Both compress to little, so that a broker of 1 MB takes them."""
    await world.publish(customer())
    async with world.service():
        await world.publish(
            padded(1, OUR_LIMIT), padded(2, OUR_LIMIT + 1), compression_type="gzip", **ANY_SIZE
        )
        await world.publish(requested(3))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 2, "dead_lettered": 1}
    ((error_class, length),) = await world.ask(
        "SELECT error_class, length(value) FROM dead_letters"
    )
    assert (error_class, length) == ("RecordTooLarge", OUR_LIMIT + 1)


async def test_a_dead_letter_topic_for_shorter_records(world: World) -> None:
    """What it refuses stays whole in its row, told; what it takes is passed on."""
    await world.shrink("ticket.requested.dlq", max_message_bytes=100_000)
    long, short = padded(1, 200_000, title=...), padded(2, 50_000, title=...)
    await world.publish(customer())
    async with world.service():
        await world.publish(long, short, long, requested(3))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 1, "dead_lettered": 3}
    (letter,) = await world.read("ticket.requested.dlq")
    assert letter.value == short.value
    rows = await world.ask("SELECT value FROM dead_letters WHERE publish_error IS NOT NULL")
    assert [row[0] for row in rows] == [long.value] * 2
    assert report.kept == 2


async def test_the_longest_fact_that_a_topic_takes(world: World) -> None:
    """Two facts of one length; the topic's limit is what the first one took, then a byte less."""
    await world.publish(customer())
    long = "x" * 20_000
    async with world.service() as service:
        await world.publish(requested(1, description=long))
        await world.come_to_rest()
        (fact,) = await world.read("ticket.created")
        limit = batch_of(fact.value, fact.key, fact.headers)
        await world.shrink("ticket.created", max_message_bytes=limit)
        await world.publish(requested(2, description=long))
        taken = await world.come_to_rest()
        await world.shrink("ticket.created", max_message_bytes=limit - 1)
        await world.publish(requested(3, description=long), requested(4))
        report = await world.come_to_rest()
        assert (await service.document("/livez"))[0] == 200
    assert (taken.published, taken.kept) == (2, 0)
    assert (report.published, report.kept) == (3, 1)
