"""A replay beside the running service: nothing is decided twice, nobody's offsets move."""

import asyncio
from collections import Counter
from pathlib import Path

from tests.integration.ticketing_process import Ended, begun, end_of
from tests.scenarios.messages import Message, change_requested, customer, party_id, requested
from tests.scenarios.world import World

FEWEST_ROUNDS, MOST_ROUNDS = 4, 60
AT_ONCE = 50
REPLAY = ("replay", "--all", "--retry-rejected", "--yes", "--json", "--by", "ops")


async def replay(world: World, cwd: Path, *words: str) -> Ended:
    return await end_of(await begun(*REPLAY, *words, settings=world.environment, cwd=cwd))


async def tickets_of(world: World) -> Counter[str]:
    rows = await world.ask("SELECT request_id FROM tickets")
    return Counter(str(row[0]) for row in rows)


async def test_everything_is_replayed_while_the_service_works(world: World, tmp_path: Path) -> None:
    """Records of all kinds come in, the service decides them, and replays run beside it."""
    await world.publish(customer("Anna"))
    is_over = asyncio.Event()

    async def publish() -> int:
        rounds = 0
        while rounds < FEWEST_ROUNDS or (rounds < MOST_ROUNDS and not is_over.is_set()):
            numbers = range(rounds * AT_ONCE, (rounds + 1) * AT_ONCE)
            await world.publish(
                *(requested(number) for number in numbers),
                *(requested(number) for number in numbers if number % 5 == 0),
                Message(b"not json"),
                requested(f"platform-{rounds}", target_type="platform"),
                change_requested("add_message", party_id("no ticket"), body="Any news?"),
            )
            rounds += 1
        return rounds

    async with world.service() as service:
        await world.until_rows("customers")
        publishing = asyncio.create_task(publish())
        await world.until_rows("tickets", AT_ONCE)
        first = (await replay(world, tmp_path, "--include-unread")).json
        second = (await replay(world, tmp_path)).json
        is_over.set()
        rounds = await publishing
        await world.until_at_rest()
        before, facts = await tickets_of(world), await world.count("ticket_facts")
        last = (await replay(world, tmp_path)).json
        report = await world.check()
        assert Counter(line["event"] for line in service.lines)["partitions.assigned"] == 1
    assert first["complete"]
    assert second["complete"]
    assert min(first["counts"]["scanned"], second["counts"]["scanned"]) >= AT_ONCE
    assert last["counts"]["created"] == last["counts"]["rejected"] == 0
    assert last["counts"]["still_failing"] == rounds
    assert last["counts"]["still_rejected"] == 2 * rounds
    assert await world.count("ticket_facts") == facts
    assert await tickets_of(world) == before
    assert before == Counter({f"request-{number}": 1 for number in range(rounds * AT_ONCE)})
    assert report.outcomes["created"] == rounds * AT_ONCE


async def test_what_was_rejected_and_is_retried_has_one_outcome(
    world: World, tmp_path: Path
) -> None:
    """Its refusal was told and stays told; what counts is the ticket."""
    await world.publish(requested(1, customer_id=party_id("Ben")), requested(2))
    async with world.service(UNKNOWN_CUSTOMER_GRACE_SECONDS="0"):
        await world.until_rows("requests WHERE outcome = 'rejected'", 2)
        await world.publish(customer("Ben"))
        await world.until_at_rest()
        done = (await replay(world, tmp_path)).json
        assert (done["counts"]["created"], done["counts"]["still_rejected"]) == (1, 1)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 1, "created": 1, "rejected": 1}
    assert report.published == 3
