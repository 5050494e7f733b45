"""Resolved tickets, and a policy that closes them."""

import asyncio
from pathlib import Path

from tests.records import asked
from tests.scenarios.messages import NORTH, change_requested, customer, requested
from tests.scenarios.world import World

QUICK = ("SESSION_TIMEOUT_MS=1000", "HEARTBEAT_INTERVAL_MS=200")
DAYS = 86_400.0


async def resolve(world: World, *numbers: int) -> list[str]:
    """The ids of tickets that were opened and resolved, by a service without timers."""
    tickets = [asked(number).ticket_id for number in numbers]
    roles = ("--role", "consumer", "--role", "relay")
    async with world.service(*roles, client=QUICK) as service:
        await world.publish(customer(), *(requested(number) for number in numbers))
        await world.until_rows("tickets", len(numbers))
        await world.publish(
            *(
                change_requested("set_status", each, status="resolved", request_id=f"r-{each}")
                for each in tickets
            )
        )
        await world.until_rows("tickets WHERE status = 'resolved'", len(numbers))
        await world.come_to_rest_and_leave(service)
    return tickets


async def close_after(world: World, *, days: float) -> None:
    """Put a policy in force, at once."""
    document = f'{{"settings": {{"auto_close_days": {days}}}}}'
    await world.ask(
        """
        INSERT INTO policies (tenant_id, version, document)
        SELECT $1, 1 + count(*), $2::text::json FROM policies WHERE tenant_id = $1
        """,
        NORTH,
        document,
    )


async def apply_policy(world: World, file: Path, *, seconds: float) -> None:
    """Have resolved tickets close after these seconds, as an operator does it."""
    text = f"settings:\n  auto_close_days: {seconds / DAYS:.10f}\n"
    await asyncio.to_thread(file.write_text, text)
    await world.ticketing("policy", "apply", str(file), "--tenant", NORTH, "--yes")


async def until_none_is_resolved(world: World, *, longer_than_days: float = 0) -> None:
    due = f"resolved_at <= now() - make_interval(secs => {longer_than_days * DAYS})"

    async def is_closed() -> bool:
        return await world.count(f"tickets WHERE status = 'resolved' AND {due}") == 0

    await world.until(is_closed, "resolved tickets close")
