"""Dead letters that operators deal with while the service runs: the promise holds all the same."""

import asyncio
import json
import signal

from tests.scenarios.messages import (
    Message,
    change_requested,
    customer,
    encoded,
    party_id,
    request,
    requested,
)
from tests.scenarios.world import World

MENDED = ("--set", "priority=high", "--set", "title=A line is down")


async def told(world: World, *words: str) -> dict[str, int]:
    """What a redrive says became of its letters."""
    printed = await world.ticketing("dlq", "redrive", *words, "--yes", "--json", "--by", "ops")
    counts: dict[str, int] = json.loads(printed)["counts"]
    return counts


async def test_letters_are_edited_redriven_and_published(world: World) -> None:
    broken = [requested(number, priority="hgih") for number in range(20)]
    async with world.service():
        await world.publish(customer(), *broken, requested("short", title="ab"))
        await world.until_rows("dead_letters", 21)
        assert await told(world, "--all", *MENDED) == {"created": 21}
        report = await world.come_to_rest()
        assert report.tickets == 21
        await world.publish(*(requested(number) for number in range(20)))
        await world.come_to_rest()
    created = await world.read("ticket.created")
    assert len(created) == 21
    assert {json.loads(record.value)["priority"] for record in created} == {"high"}


async def test_every_end_of_a_letter_is_an_outcome(world: World) -> None:
    """Created, rejected, parked and then decided, discarded, failed again; and a change."""
    async with world.service(UNKNOWN_CUSTOMER_GRACE_SECONDS="3600"):
        await world.publish(
            customer(),
            requested("created", priority="?"),
            requested("rejected", priority="?", target_type="platform"),
            requested("parked", priority="?", customer_id=party_id("late")),
            Message(b"not json"),
            requested("broken", priority="?", description=""),
        )
        await world.until_rows("dead_letters", 5)
        places = await world.ask(
            "SELECT topic || ':' || partition || ':' || \"offset\" FROM dead_letters"
            " WHERE error_class = 'NotJson'"
        )
        discard = ("dlq", "discard", places[0][0], "--reason", "a test", "--yes")
        await world.ticketing(*discard)
        words = ("dlq", "redrive", "--all", "--set", "priority=low", "--yes")
        await world.ticketing(*words, code=1)
        states = await world.ask("SELECT state, outcome FROM dead_letters ORDER BY 1, 2")
        assert [tuple(row) for row in states] == [
            ("discarded", None),
            ("failed_again", None),
            ("redriven", "created"),
            ("redriven", "parked"),
            ("redriven", "rejected"),
        ]
        await world.publish(customer("late"))
        await world.until_rows("tickets", 2)
        ((ticket_id,),) = await world.ask(
            "SELECT id::text FROM tickets WHERE request_id = 'request-created'"
        )
        await world.publish(change_requested("set_priority", ticket_id, priority="?"))
        await world.until_rows("dead_letters", 6)
        topic = ("--topic", "ticket.change_requested")
        assert await told(world, *topic, "--set", "priority=urgent") == {"changed": 1}
        await world.come_to_rest()


async def test_a_record_from_a_dead_letter_topic_is_a_record_like_any_other(world: World) -> None:
    """Its dlq-* headers say nothing about who it is, whoever sends it again."""
    async with world.service():
        await world.publish(customer(), Message(encoded(request("a", priority="?"))))
        await world.until_rows("dead_letters")
        await world.come_to_rest()
        (letter,) = await world.read("ticket.requested.dlq")
        mended = encoded(request("a"))
        await world.publish(Message(mended, letter.key, letter.headers))
        await world.until_rows("tickets")
        assert await told(world, "--all", "--set", "priority=low") == {"duplicate": 1}
        await world.publish(Message(letter.value, letter.key, letter.headers))
        await world.until_rows("dead_letters", 2)
        report = await world.come_to_rest()
    assert report.tickets == 1


async def test_services_that_die_while_letters_are_redriven_lose_nothing(world: World) -> None:
    broken = [requested(number, priority="?") for number in range(60)]
    async with world.service() as service:
        await world.publish(customer(), *broken)
        await world.until_rows("dead_letters", 60)
        redriving = asyncio.create_task(told(world, "--all", *MENDED, "--rate", "30"))
        await world.until_rows("dead_letter_steps", 10)
        world.services.remove(service)
        service.signal(signal.SIGKILL)
        await service.end()
        world.services.append(service)
        assert await redriving == {"created": 60}
    await world.let_leases_expire()
    async with world.service():
        report = await world.come_to_rest()
    assert report.tickets == 60
