"""A thousand requests: with poison among them, sent again and again, while members come and go."""

import signal

from tests.scenarios.messages import Message, customer, encoded, party_id, request, requested
from tests.scenarios.world import World

POISON: tuple[bytes | None, ...] = (
    b"",
    None,
    b"\xff\xfe",
    b'{"tenant_id": "north"',
    encoded(request(title="")),
    encoded(request(ticket_type="unheard of")),
    encoded(request(tenant_id="no tenant")),
)
HEADERS = [("trace", b"\x00\x01"), ("trace", None), ("content-type", b"application/json")]


def thousand() -> list[Message]:
    return [requested(number) for number in range(1_000)]


async def test_seven_poison_records_among_a_thousand_stand_alone(world: World) -> None:
    messages = thousand()
    poison = {}
    for number, value in enumerate(POISON):
        at = number * 140 + 3
        messages[at] = poison[at] = Message(value, b"key %d" % number, HEADERS)
    await world.publish(customer())
    places = await world.publish(*messages)
    async with world.service():
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 993, "dead_lettered": 7}
    letters = {
        (int(ours[b"dlq-partition"]), int(ours[b"dlq-offset"])): letter
        for letter in await world.read("ticket.requested.dlq")
        for ours in [{name.encode(): value for name, value in letter.headers}]
    }
    assert letters.keys() == {places[at][1:] for at in poison}
    for at, message in poison.items():
        letter = letters[places[at][1:]]
        assert (letter.key, letter.value) == (message.key, message.value)
        assert list(letter.headers[: len(HEADERS)]) == HEADERS


async def test_a_record_that_only_the_database_refuses_stands_alone_too(world: World) -> None:
    messages = [*thousand()[:400], requested("smuggled")]
    await world.publish(customer())
    await world.publish(*messages)
    calls = ("connection.copy_to_table", "connection.execute")
    async with world.service(faults=[f"poison {call} ~request-smuggled" for call in calls]):
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 400, "dead_lettered": 1}
    ((error_class, request_id),) = await world.ask("SELECT error_class, value FROM dead_letters")
    assert error_class == "CharacterNotInRepertoireError"
    assert b"request-smuggled" in request_id


async def test_the_same_thousand_three_times_are_a_thousand_tickets(world: World) -> None:
    messages = thousand()
    await world.publish(customer())
    await world.publish(*messages)
    async with world.service():
        await world.publish(*messages)
        await world.publish(*messages)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 1_000, "duplicate": 2_000}
    assert (report.tickets, report.published, report.repeated) == (1_000, 1_000, 0)


async def test_members_come_and_go_under_load(world: World) -> None:
    """Two members share the topics; a third joins, and one leaves in order, as at a deployment."""
    people = [f"customer {number}" for number in range(50)]
    await world.publish(*map(customer, people))
    load = [requested(number, customer_id=party_id(people[number % 50])) for number in range(4_000)]
    options = {"BATCH_RECORDS": "100"}
    async with world.service(**options) as first, world.service(**options):
        await first.line("partitions.assigned")
        await world.publish(*load[:1_000])
        await world.until_rows("tickets", 200)
        async with world.service(**options) as third:
            await third.line("partitions.assigned")
            await world.publish(*load[1_000:2_500])
            await world.until_rows("tickets", 1_500)
            third.signal(signal.SIGTERM)
            assert await third.end() == 0
        await world.publish(*load[2_500:])
        await world.until_rows("tickets", 2_800)
        first.signal(signal.SIGTERM)
        assert await first.end() == 0
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 50, "created": 4_000}


async def test_workers_under_one_parent_share_the_load(world: World) -> None:
    people = [f"customer {number}" for number in range(20)]
    await world.publish(*map(customer, people))
    load = [requested(number, customer_id=party_id(people[number % 20])) for number in range(2_000)]
    async with world.service("--workers", "2", BATCH_RECORDS="100") as parent:
        for worker in (1, 2):
            await parent.line("partitions.assigned", worker=worker)
        await world.publish(*load)
        report = await world.come_to_rest()
        assert {line["worker"] for line in parent.lines if line["event"] == "batch.committed"} == {
            1,
            2,
        }
        parent.signal(signal.SIGTERM)
        assert await parent.end() == 0
    assert report.outcomes == {"applied": 20, "created": 2_000}


async def test_each_role_in_a_process_of_its_own(world: World) -> None:
    """The consumer wakes the relay and the timers through the database alone."""
    await world.publish(customer())
    options = {"UNKNOWN_CUSTOMER_GRACE_SECONDS": "3600"}
    async with (
        world.service("--role", "consumer", **options),
        world.service("--role", "relay", **options),
        world.service("--role", "timers", **options),
    ):
        await world.publish(
            *[requested(number) for number in range(100)],
            requested("late", customer_id=party_id("late")),
            Message(b"broken"),
        )
        await world.until_rows("parked_requests")
        await world.publish(customer("late"))
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 2, "created": 101, "dead_lettered": 1}
