"""What a backlog, long records and a flood may cost: some memory, and nobody else's time."""

import signal

import psutil

from tests.integration.service_process import ServiceProcess
from tests.scenarios.messages import Message, customer, encoded, request, requested
from tests.scenarios.world import World

MEGABYTE = 2**20
MOST_MEGABYTES = 300
"""Of one process: some 110 at rest, what is fetched and decoded, and what waits to be published."""

PORTION = 50_000
"""So many records are made at once: a test needs memory too."""

LONG = 5 * MEGABYTE
TOPIC_FOR_LONG = {"max_message_bytes": str(8 * MEGABYTE)}
SENDS_LONG = {"message_max_bytes": 8 * MEGABYTE}


class Memory:
    """The most that a process was seen to take, in megabytes."""

    def __init__(self, service: ServiceProcess) -> None:
        self._process = psutil.Process(service.process.pid)
        self.peak = 0.0

    def look(self) -> None:
        self.peak = max(self.peak, self._process.memory_info().rss / MEGABYTE)


async def until_rows_within(world: World, memory: Memory, what: str, at_least: int) -> None:
    """Wait for rows, and look at the memory all the while."""

    async def are_there() -> bool:
        memory.look()
        return await world.count(what) >= at_least

    await world.until(are_there, f"{at_least} rows of {what}")


def backlog(first: int, count: int) -> list[Message]:
    return [requested(number, description="x") for number in range(first, first + count)]


async def test_a_backlog_does_not_fill_the_memory(world: World) -> None:
    """Most of it stays where it is: it is only read as fast as it is settled."""
    await read_a_backlog(world, waiting=100_000, settled=20_000)


async def read_a_backlog(world: World, *, waiting: int, settled: int) -> None:
    await world.publish(customer())
    for first in range(0, waiting, PORTION):
        await world.publish(*backlog(first, PORTION))
    async with world.service() as service:
        memory = Memory(service)
        await until_rows_within(world, memory, "tickets", settled)
        service.signal(signal.SIGTERM)
        assert await service.end() == 0
    assert memory.peak < MOST_MEGABYTES, memory.peak
    assert (await world.report()).violations == ()


async def test_long_records_do_not_fill_the_memory(world: World) -> None:
    """Forty of five megabytes: half are tickets with a field that nobody knows, half are broken."""
    await world.make_topics_named("long", "long.dlq", partitions=4, **TOPIC_FOR_LONG)
    padding = "x" * LONG
    whole = [
        Message(encoded(request(number, padding=padding)), topic="long") for number in range(20)
    ]
    broken = [Message(padding.encode(), topic="long") for _ in range(20)]
    await world.publish(customer())
    for long in (*whole, *broken):
        await world.publish(long, **SENDS_LONG)
    async with world.service(REQUEST_TOPICS="long") as service:
        memory = Memory(service)
        await until_rows_within(world, memory, "tickets", 20)
        await until_rows_within(world, memory, "dead_letters", 20)
        await world.until_at_rest()
        memory.look()
    assert memory.peak < MOST_MEGABYTES, memory.peak


FLOODED = "requests.flood"
QUIET = "requests.quiet"
PER_TENANT = {
    "REQUEST_TOPICS": r"^requests\.(?P<tenant>[a-z]+)$",
    "CUSTOMER_CHECK": "off",
}
BETWEEN = """
SELECT (SELECT count(DISTINCT decided_at) FROM requests
         WHERE tenant_id = 'flood' AND decided_at > $1
           AND decided_at < q.decided_at)
  FROM requests q WHERE q.tenant_id = 'quiet' AND q.topic = $2 AND q."offset" = $3
"""
"""How many batches of the flood began between a record's arrival and the batch that held it."""


AT_FIRST = 50_000
MORE = 15_000
"""What comes in beside each quiet record: more than is handled meanwhile, so the flood goes on."""


def flood(first: int, number: int) -> list[Message]:
    return [
        Message(encoded(request(each, tenant_id="flood")), b"%d" % each, topic=FLOODED)
        for each in range(first, first + number)
    ]


async def test_a_flood_delays_the_others_by_three_batches_at_most(world: World) -> None:
    """Counted in batches: what they take depends on the machine, and is a benchmark's to say."""
    world.options |= PER_TENANT
    await world.make_topics_named(FLOODED, partitions=6)
    await world.make_topics_named(QUIET, partitions=1)
    await world.publish(*flood(0, AT_FIRST))
    delays = []
    async with world.service() as service:
        for number in range(6):
            await world.publish(*flood(AT_FIRST + number * MORE, MORE))
            await world.until_rows("tickets", 4_000 * (number + 1))
            message = Message(encoded(request(number, tenant_id="quiet")), topic=QUIET)
            (place,) = await world.publish(message)
            ((arrived_at,),) = await world.ask("SELECT clock_timestamp()")
            await world.until_rows("requests WHERE tenant_id = 'quiet'", number + 1)
            ((batches,),) = await world.ask(BETWEEN, arrived_at, place.topic, place.offset)
            delays.append(batches)
        assert await world.count("tickets") < AT_FIRST + 6 * MORE
        service.signal(signal.SIGTERM)
        assert await service.end() == 0
    assert max(delays) <= 3, delays
