"""Topics are made anew, given partitions, and emptied before they were read."""

import json
import signal
from collections.abc import Iterable
from dataclasses import replace

from tests.integration.service_process import ServiceProcess
from tests.scenarios.messages import Message, customer, requested
from tests.scenarios.topic_keeper import TopicKeeper
from tests.scenarios.world import World

REQUESTS = "ticket.requested"
QUICK = ["METADATA_MAX_AGE_MS=500"]
"""Topics and partitions are noticed sooner than in production."""


def on_the_first(messages: Iterable[Message]) -> list[Message]:
    return [replace(each, partition=0) for each in messages]


def three_kinds(beginning: int, count: int) -> list[Message]:
    """Requests named by an id, requests named by their place, and broken ones: so many each."""
    return on_the_first(
        message
        for number in range(beginning, beginning + count)
        for message in (requested(number), requested(request_id=...), Message(b"broken"))
    )


async def test_a_topic_made_anew_holds_other_records_at_the_same_offsets(world: World) -> None:
    """They are told apart by their timestamps, and all are read: also more than there were."""
    keeper = TopicKeeper(world)
    await world.publish(customer())
    async with world.service(client=QUICK) as service:
        await world.publish(*three_kinds(0, 3))
        first = await world.come_to_rest()
        ((since,),) = await world.ask("SELECT clock_timestamp()")
        await keeper.delete(REQUESTS)
        await service.line("partitions.assigned", partitions=6)
        await keeper.create(REQUESTS, partitions=2)
        await world.publish(*three_kinds(100, 10))
        await world.until_rows("tickets", 26)
        await world.until_at_rest()
        second = await world.report(since=since)
    assert first.outcomes == {"applied": 1, "created": 6, "dead_lettered": 3}
    assert second.outcomes == {"applied": 1, "created": 20, "dead_lettered": 10}
    assert second.violations == ()
    assert await world.count("dead_letters") == 13
    assert await world.count("lost_positions") == 0


async def test_partitions_added_under_load_are_read_from_their_beginning(world: World) -> None:
    keeper = TopicKeeper(world)
    await world.publish(customer())
    async with world.service(client=QUICK, BATCH_RECORDS="50"), world.service(client=QUICK):
        await world.publish(*[_keyless(number) for number in range(300)])
        await world.until_rows("tickets", 50)
        for topic in (REQUESTS, "ticket.created", f"{REQUESTS}.dlq", "customer.changed"):
            await keeper.grow(topic, partitions=5)
        added = [replace(_keyless(number), partition=number % 5) for number in range(300, 600)]
        await world.publish(*added, *[replace(Message(b"broken"), partition=4)] * 5)
        await world.publish(replace(customer("late"), partition=4))
        await world.until_rows("tickets", 600)
        await world.until_rows("customers", 2)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 2, "created": 600, "dead_lettered": 5}
    assert (report.published, await world.count("lost_positions")) == (600, 0)


def _keyless(number: int) -> Message:
    return replace(requested(number), key=None)


async def test_records_deleted_under_a_reader_are_reported(world: World) -> None:
    """It stands still meanwhile, and keeps its place in memory alone."""
    keeper = TopicKeeper(world)
    await world.publish(customer(), *on_the_first(map(requested, range(10))))
    async with world.service() as service:
        await world.come_to_rest()
        service.signal(signal.SIGSTOP)
        await world.until_stopped(service)
        # Its last question is still at the broker: it is answered with this record, and no other.
        await world.publish(replace(requested(60), partition=1))
        await world.publish(*on_the_first(map(requested, range(10, 60))))
        await keeper.delete_records(REQUESTS, 0, before=30)
        service.signal(signal.SIGCONT)
        await reported(world, service, lost=10, resumed=30)


async def reported(world: World, service: ServiceProcess, *, lost: int, resumed: int) -> None:
    """The loss is in the log, a metric, a row and `status`, and what is left is read."""
    topic = world.prefix + REQUESTS
    told = await service.line("position.lost", topic=topic, partition=0)
    assert (told["lost_offset"], told["resumed_offset"], told["level"]) == (lost, resumed, "error")
    report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 61 - resumed}
    assert await world.count("tickets") == 61 - resumed + lost
    rows = await world.ask(
        "SELECT topic, partition, lost_offset, resumed_offset FROM lost_positions"
    )
    assert [tuple(row) for row in rows] == [(topic, 0, lost, resumed)]
    _, metrics = await service.page("/metrics")
    assert f'ticketing_lost_positions_total{{topic="{topic}"}} 1.0' in metrics.splitlines()
    shown = json.loads(await world.ticketing("status", "--json"))
    assert topic in json.dumps(shown["lost"])
