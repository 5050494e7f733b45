"""Time that has passed, without waiting for it: everything on record becomes older."""

import asyncio
from typing import Final

from consumer.transaction import transaction
from db import clocks
from db.connect import open_pool
from handlers.sla.firing import fire_due
from tests.integration.command import Command

AGED: Final = """
UPDATE sla_clocks SET started_at = started_at - $1, counted_at = counted_at - $1,
  due_at = due_at - $1, next_fire_at = next_fire_at - $1, ended_at = ended_at - $1,
  annulled_at = annulled_at - $1, pauses = coalesce((SELECT array_agg(pause - $1 ORDER BY place)
    FROM unnest(pauses) WITH ORDINALITY AS p (pause, place)), '{}');
UPDATE sla_segments SET at = at - $1, until = until - $1;
UPDATE tickets SET created_at = created_at - $1, updated_at = updated_at - $1,
  last_change_at = last_change_at - $1, sla_due_date = sla_due_date - $1,
  first_response_due_at = first_response_due_at - $1, resolved_at = resolved_at - $1,
  first_response_at = first_response_at - $1
"""


def age(command: Command, interval: str) -> None:
    """Let this much time have passed since everything that is on record; an SQL interval."""
    command.execute(AGED.replace("$1", f"interval '{interval}'"))


def fire(command: Command) -> None:
    """Let what is due on the clocks happen, as the timers do."""
    asyncio.run(_fire(command))


async def _fire(command: Command) -> None:
    pool = await open_pool(command.settings.database_url.get_secret_value(), size=1)
    async with transaction(pool) as connection:
        due, _ = await clocks.look(connection, 1_000)
        fired = await fire_due(connection, due, copy_from=1_000)
        assert fired.unfit == []
    await pool.close()
