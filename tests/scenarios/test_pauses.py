"""Topics paused by people and by the ceiling, while services run, come and go: nothing is lost."""

import asyncio
import json
import signal
from typing import Any

from tests.integration.service_process import ServiceProcess
from tests.scenarios.messages import Message, customer, party_id, requested
from tests.scenarios.test_outages import sending
from tests.scenarios.world import World

TOPIC = "ticket.requested"
LOAD = 3_000
QUICK = ("SESSION_TIMEOUT_MS=1000", "HEARTBEAT_INTERVAL_MS=200")
CEILING = {"DLQ_MAX_RATIO": "0.5", "BATCH_RECORDS": "200"}
STREAM = 5_000


def load(first: int, end: int) -> list[Message]:
    """Requests of many customers' keys, so on all partitions; all for Anna."""
    return [
        Message(requested(number).value, key=b"key %d" % number) for number in range(first, end)
    ]


async def pause(world: World, topic: str = TOPIC) -> dict[str, Any]:
    printed = await world.ticketing("pause", topic, "--reason", "a test", "--by", "Ben", "--json")
    found: dict[str, Any] = json.loads(printed)
    return found


async def applied(world: World, service: ServiceProcess, name: str) -> None:
    """A customer announced now is known: other topics go on."""
    await world.publish(customer(name))
    await world.until_rows(f"customers WHERE name = '{name}'")
    assert service.process.returncode is None


async def lag(world: World) -> int:
    status = json.loads(await world.ticketing("status", "--json"))
    (found,) = [each for each in status["lag"] if each["topic"] == f"{world.prefix}{TOPIC}"]
    return int(found["records"])


async def decided_in_order(world: World) -> None:
    """On each partition, what came first was decided first."""
    rows = await world.ask(
        """
        SELECT count(*) FROM (
          SELECT decided_at < lag(decided_at) OVER (PARTITION BY topic, partition ORDER BY "offset")
              AS is_late FROM requests) AS decisions WHERE is_late
        """
    )
    assert rows[0][0] == 0


async def test_what_was_paused_before_the_start_waits(world: World) -> None:
    made = await pause(world)
    assert (made["topic"], made["paused_by"]) == (f"{world.prefix}{TOPIC}", "Ben")
    await world.publish(customer(), *load(0, 50))
    async with world.service() as service:
        await service.line("topic.paused", topic=f"{world.prefix}{TOPIC}")
        await applied(world, service, "Zoe")
        await service.ready()
        _, ready = await service.document("/readyz")
        (shown,) = ready["paused"]
        assert (shown["topic"], shown["by"]) == (f"{world.prefix}{TOPIC}", "Ben")
        assert (shown["reason"], shown["is_ceiling"]) == ("a test", False)
        _, metrics = await service.page("/metrics")
        assert f'ticketing_topics_paused{{topic="{world.prefix}{TOPIC}"}} 1.0' in metrics
        assert await world.count("tickets") == 0
        assert await lag(world) == 50
        await world.ticketing("resume", TOPIC)
        await service.line("topic.resumed")
        await world.come_to_rest_and_leave(service)
    assert await world.count("tickets") == 50
    await decided_in_order(world)


async def test_paused_under_load_and_resumed(world: World) -> None:
    await world.publish(customer())
    async with world.service(BATCH_RECORDS="100") as service:
        async with sending(world, LOAD):
            await world.until_rows("tickets", 100)
            await pause(world)
            await service.line("topic.paused")
            await applied(world, service, "Zoe")
            before = await world.count("tickets")
            await world.publish(*load(LOAD, LOAD + 200))
            await applied(world, service, "Yan")
            assert await lag(world) >= 200
            assert await world.count("tickets") == before < LOAD
            await world.ticketing("resume", "--all")
        await world.come_to_rest_and_leave(service)
    assert await world.count("tickets") == LOAD + 200
    await decided_in_order(world)


async def test_a_pause_outlives_rebalances_and_holds_for_who_comes_later(world: World) -> None:
    await world.publish(customer())
    options = {"BATCH_RECORDS": "50"}
    async with world.service(client=QUICK, **options) as first:
        await world.publish(*load(0, 600))
        await world.until_rows("tickets", 50)
        await pause(world)
        await first.line("topic.paused")
        await applied(world, first, "Zoe")
        before = await world.count("tickets")
        async with world.service(client=QUICK, **options) as second:
            await second.line("topic.paused")
            await second.line("partitions.assigned")
            await applied(world, second, "Yan")
            await world.publish(*load(600, 700))
            second.signal(signal.SIGTERM)
            await second.end()
        await applied(world, first, "Xia")
        assert await world.count("tickets") == before
        async with world.service(client=QUICK, **options) as third:
            await third.line("partitions.assigned")
            await world.ticketing("resume", TOPIC)
            await world.come_to_rest_and_leave(third)
        await world.come_to_rest_and_leave(first)
    assert await world.count("tickets") == 700


async def test_who_dies_while_paused_leaves_everything_to_the_next(world: World) -> None:
    await world.publish(customer())
    async with world.service(client=QUICK, BATCH_RECORDS="50") as first:
        await world.publish(*load(0, 600))
        await world.until_rows("tickets", 50)
        await pause(world)
        await first.line("topic.paused")
        first.signal(signal.SIGKILL)
        await first.end()
    await world.let_leases_expire()
    before = await world.count("tickets")
    async with world.service() as second:
        await applied(world, second, "Zoe")
        assert await world.count("tickets") == before
        await world.ticketing("resume", TOPIC)
        await world.come_to_rest_and_leave(second)
    assert await world.count("tickets") == 600
    await decided_in_order(world)


async def test_requests_go_on_without_new_customers_and_none_is_rejected_for_that(
    world: World,
) -> None:
    """Their grace does not run before the paused topic is read."""
    world.options["UNKNOWN_CUSTOMER_GRACE_SECONDS"] = "0.1"
    await pause(world, "customer.changed")
    await world.publish(customer(), *load(0, 20))
    async with world.service() as service:
        await world.until_rows("parked_requests", 20)
        await service.ready()
        assert await world.count("tickets") == 0
        await world.ticketing("resume", "customer.changed")
        await world.come_to_rest_and_leave(service)
    assert await world.count("tickets") == 20


async def test_the_ceiling_stops_a_misconfigured_stream_for_all(world: World) -> None:
    """Whoever configured the service allows no record to be longer than ten bytes."""
    wrong = CEILING | {"MAX_RECORD_BYTES": "10"}
    topic = f"{world.prefix}{TOPIC}"
    async with (
        world.service(client=QUICK, **wrong) as first,
        world.service(client=QUICK, **wrong) as second,
    ):
        for service in (first, second):
            await service.line("partitions.assigned")
        await world.publish(*load(0, STREAM))
        for service in (first, second):
            line = await service.line("topic.paused", is_ceiling=True)
            assert line["reason"].endswith(f"after mending: `ticketing resume {topic}`")
            assert "TICKETING_DLQ_MAX_RATIO is 0.5" in line["reason"]
            assert (await service.document("/readyz"))[0] == 503
            assert (await service.document("/livez"))[0] == 200
            service.signal(signal.SIGTERM)
            assert await service.end() == 0
    ((by, is_ceiling),) = await world.ask("SELECT paused_by, is_ceiling FROM paused_topics")
    assert is_ceiling
    assert by.rpartition(":")[2] in {str(each.process.pid) for each in (first, second)}
    dead = await world.count("dead_letters")
    assert 100 <= dead < STREAM / 2
    await world.publish(customer())
    async with world.service(**CEILING) as mended:
        await mended.line("topic.paused", is_ceiling=True)
        assert (await mended.document("/readyz"))[0] == 503
        await world.ticketing("resume", TOPIC)
        await mended.ready()
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": STREAM - dead, "dead_lettered": dead}


async def test_a_subscribed_topic_that_is_missing_is_said_until_it_exists(world: World) -> None:
    """The others are read meanwhile, and it is, once somebody makes it."""
    async with world.service(REQUEST_TOPICS=f"{TOPIC},requests.later") as service:

        async def missing() -> bool:
            status, ready = await service.document("/readyz")
            problem = f"subscribed topic {world.prefix}requests.later does not exist"
            return status == 503 and ready["problems"] == [problem]

        await world.until(missing, "the missing topic is told")
        await world.publish(customer(), requested(1))
        await world.until_rows("tickets", 1)
        await world.make_topics_named("requests.later")
        await service.ready()
        await world.publish(requested(2).on("requests.later"))
        await world.until_rows("tickets", 2)


async def test_workers_show_a_pause_once(world: World) -> None:
    await pause(world)
    async with world.service("--workers", "2") as parent:
        for number in (1, 2):
            await parent.line("topic.paused", worker=number)
        _, ready = await parent.document("/readyz")
        assert [each["topic"] for each in ready["paused"]] == [f"{world.prefix}{TOPIC}"]
        await world.publish(customer("Zoe"), requested(1, customer_id=party_id("Zoe")))
        await world.ticketing("resume", TOPIC)
        await world.until_rows("tickets", 1)
        await asyncio.gather(*(parent.line("topic.resumed", worker=each) for each in (1, 2)))
