"""Resolved tickets close by themselves, once their tenant's days are over. No request asks for it.

No actor did it either: a change that knows the ticket as it was before is not stale.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from db import closing, tickets
from db.closing import Key
from handlers.batch import Handled
from handlers.change_batch import ticket_of
from handlers.change_facts import facts_by_time, status_step
from handlers.change_rows import effect_row, ticket_row
from handlers.life import Occasion, move_on
from handlers.outcomes import Effect, Known
from handlers.ticket import Ticket
from handlers.write import write
from handlers.written import Stamp, Written

CLOSED_COLUMNS: Final = (
    "tenant_id",
    "id",
    "status",
    "closed_at",
    "sequence",
    "last_change_at",
    "updated_at",
)
"""What closing sets, after the key. The rest of the ticket is not written again."""


class Closed(NamedTuple):
    """A ticket as it is now, and its facts."""

    ticket: Ticket
    effects: Sequence[Effect]


async def close_due(
    connection: asyncpg.Connection, keys: Sequence[Key], *, copy_from: int
) -> Handled:
    """Close these tickets under their locks, looking again at each and at its tenant's days.

    What somebody else holds, or is no longer due, is left out. copy_from: as `write` takes it.
    """
    found = [ticket_of(row) for row in await closing.lock(connection, sorted(keys))]
    tenants = sorted({ticket.tenant_id for ticket in found})
    now, outbox_id, days = await closing.open_write(connection, tenants)
    closed = [
        done
        for ticket in found
        if ticket.tenant_id in days
        and (done := close_ticket(ticket, now, timedelta(days=days[ticket.tenant_id])))
    ]
    if closed:
        known = Known(now, outbox_id)
        rows = [ticket_row(each.ticket, CLOSED_COLUMNS) for each in closed]
        await tickets.update(connection, CLOSED_COLUMNS, rows)
        stamp = Stamp(known)
        facts = [
            effect_row(each.ticket, effect, stamp) for each in closed for effect in each.effects
        ]
        written = Written(facts=facts)
        await write(connection, written, known, copy_from=copy_from)
    return Handled(
        now=now,
        decisions=[],
        parties=[],
        dead=[],
        repeated=[],
        outbox_id=outbox_id if closed else None,
        closed=len(closed),
    )


def close_ticket(ticket: Ticket, now: datetime, stay: timedelta) -> Closed | None:
    """The ticket closed, if it has been resolved for so long. Its time never goes back."""
    move = move_on(Occasion.AUTO_CLOSE, ticket.status)
    if move is None or ticket.resolved_at is None or now - ticket.resolved_at < stay:
        return None
    at = max(now, ticket.updated_at)
    step = status_step(ticket, move, at, at)
    return Closed(*facts_by_time([step], ticket, at))
