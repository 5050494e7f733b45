"""What other clients send: compressed, in transactions, huge, with headers that nobody expects."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.scenarios.messages import Message, customer, encoded, party_id, request, requested
from tests.scenarios.world import World

MEGABYTE = 1024 * 1024


async def test_requests_compressed_with_zstd(world: World) -> None:
    await world.publish(customer(), compression_type="zstd")
    async with world.service():
        for codec in ("zstd", "lz4", "snappy", "gzip"):
            await world.publish(
                *[requested(f"{codec}-{number}") for number in range(50)], compression_type=codec
            )
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 200}


@contextmanager
def transaction(producer: Producer, *, is_kept: bool = True) -> Iterator[None]:
    producer.begin_transaction()
    yield
    producer.flush()
    (producer.commit_transaction if is_kept else producer.abort_transaction)(60)


async def test_what_an_aborted_transaction_sent_never_becomes_a_ticket(world: World) -> None:
    producer = world.producer(transactional_id=f"{world.prefix}upstream")
    producer.init_transactions(60)
    await world.publish(customer())
    async with world.service():
        for is_kept in (True, False, True, False):
            with transaction(producer, is_kept=is_kept):
                for number in range(20):
                    world.produce(producer, requested(f"{number}-{is_kept}"))
        await world.publish(requested("after"))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 21, "duplicate": 20}
    assert await world.count("tickets WHERE request_id LIKE '%False'") == 0


@pytest.mark.parametrize("is_kept", [True, False])
async def test_customers_sent_in_transactions_are_read_to_their_end(
    world: World, *, is_kept: bool
) -> None:
    """Behind the last customer stands the transaction's marker, or what was aborted: no record."""
    producer = world.producer(transactional_id=f"{world.prefix}upstream")
    producer.init_transactions(60)
    await world.publish(customer())
    with transaction(producer, is_kept=is_kept):
        world.produce(producer, customer("Bert"))
    await world.publish(requested(1), requested(2, customer_id=party_id("Bert")))
    async with world.service(UNKNOWN_CUSTOMER_GRACE_SECONDS="0.1"):
        await world.until_rows("requests WHERE outcome <> 'parked'", 2)
        await world.until_rows("tickets", 2 if is_kept else 1)
        report = await world.report()
    assert report.violations == ()
    assert await world.count("requests WHERE outcome = 'rejected'") == (0 if is_kept else 1)


async def test_five_megabytes_that_compress_well(world: World) -> None:
    """One has a field that nobody knows, one lacks its title, and one is longer than we take."""
    ballast = "x" * (5 * MEGABYTE)
    valid = Message(encoded(request(1) | {"ballast": ballast}))
    broken = Message(encoded(request(2, title=...) | {"ballast": ballast}))
    too_large = Message(encoded(request(3) | {"ballast": ballast + ballast}))
    await world.publish(customer())
    async with world.service():
        options = {"compression_type": "gzip", "message_max_bytes": 20 * MEGABYTE}
        await world.publish(valid, broken, too_large, **options)
        await world.publish(requested(4))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 2, "dead_lettered": 2}
    rows = await world.ask("SELECT value, publish_error FROM dead_letters ORDER BY length(value)")
    assert [len(row[0]) for row in rows] == [len(broken.value or b""), len(too_large.value or b"")]
    passed_on = {letter.value for letter in await world.read("ticket.requested.dlq")}
    assert broken.value in passed_on
    assert report.kept == sum(row[1] is not None for row in rows)


async def test_headers_that_nobody_expects(world: World) -> None:
    traps: list[tuple[Any, Any]] = [
        ("", b"nameless"),
        (b"\xff\xfe", b"a name that is no text"),
        ("content-type", None),
        ("content-type", b"\xff\xfe"),
        ("ce_id", None),
        ("ce_id", b"\x00"),
        ("ce_source", b"\xed\xa0\x80"),
        ("ce_id", "x" * 100_000),
        ("ce_specversion", b"9.9"),
        ("traceparent", b"00-nonsense"),
        ("tr\u00e4ger \U0001f4e6", b"\x80"),
        ("dlq-topic", b"mine"),
    ]
    await world.publish(customer())
    async with world.service():
        await world.publish(
            *[requested(number, headers=[trap]) for number, trap in enumerate(traps)],
            *[Message(b"broken", headers=[trap]) for trap in traps],
            requested("all", headers=traps * 3),
            Message(b"broken", headers=traps * 3),
        )
        report = await world.come_to_rest()
    many = len(traps) + 1
    assert report.outcomes == {"applied": 1, "created": many, "dead_lettered": many}


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_trace_is_carried_through(world: World) -> None:
    await world.publish(customer())
    async with world.service():
        await world.publish(requested(1, headers=[("traceparent", TRACE.encode())]))
        await world.come_to_rest()
    (fact,) = await world.read("ticket.created")
    assert dict(fact.headers)["traceparent"] == TRACE.encode()


async def test_a_position_that_retention_deleted_is_told_and_left_behind(world: World) -> None:
    await lose_fifteen(world)
    async with world.service() as service:
        line = await service.line("position.lost")
        report = await world.come_to_rest()
    assert (line["lost_offset"], line["resumed_offset"]) == (10, 25)
    assert report.outcomes == {"applied": 1, "created": 5}
    rows = await world.ask("SELECT lost_offset, resumed_offset FROM lost_positions")
    assert [tuple(row) for row in rows] == [(10, 25)]
    assert await world.count("tickets") == 15


async def lose_fifteen(world: World) -> None:
    """Of 30 records the service has handled 10, and 5 are left of the others."""
    await world.make_topics_named("requests.one", partitions=1)
    world.options["REQUEST_TOPICS"] = "requests.one"
    await world.make_topics()
    await world.publish(customer())
    async with world.service() as service:
        await world.publish(*[requested(number).on("requests.one") for number in range(10)])
        await world.come_to_rest_and_leave(service)
    await world.publish(*[requested(number).on("requests.one") for number in range(10, 30)])
    delete_before(world, "requests.one", 25)


def delete_before(world: World, topic: str, offset: int) -> None:
    """As retention would, but now."""
    admin = AdminClient({"bootstrap.servers": world.kafka, "log_level": 0})
    partition = TopicPartition(world.prefix + topic, 0, offset)
    admin.delete_records([partition])[partition].result()


async def test_a_fact_that_the_broker_refuses_is_held_and_the_rest_flows(world: World) -> None:
    await world.shrink("ticket.created", max_message_bytes=3_000)
    await world.publish(customer())
    messages = [requested(number) for number in range(200)]
    messages[77] = requested(77, description="very long " * 1_000)
    async with world.service():
        await world.publish(*messages)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 200}
    assert (report.kept, report.published) == (1, 199)
    ((reason, request_id),) = await world.ask(
        "SELECT h.reason, t.request_id FROM held_facts h JOIN tickets t ON t.id = h.subject_id"
    )
    assert request_id == "request-77"
    assert "large" in reason.lower()
