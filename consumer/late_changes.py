"""Dead letters that are changes and come too late: their ticket has moved on since they failed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from db import ticket_changes, tickets
from db.letter_steps import Letter
from db.ticket_changes import LaterChange
from handlers.outcomes import Change

MOST_LOOKED_AT: Final = 1_000
"""Facts of one ticket: far more than a run of ours may have caused there itself."""

Deed = tuple[str, str, int]
"""Tenant, ticket id and sequence of a fact."""


class DeadChange(NamedTuple):
    """A change that is a dead letter, and since when."""

    letter: Letter
    failed_at: datetime
    change: Change


async def late_changes(
    connection: asyncpg.Connection, changes: Sequence[DeadChange], ours: Collection[Deed]
) -> dict[Letter, list[LaterChange]]:
    """Those of these changes whose ticket an actor has changed since, with what came later.

    Locks the tickets, so that it stays true until the transaction ends. Facts of time don't count,
    nor do `ours`: who redrives several changes of a ticket, in their order, makes none late.
    """
    if not changes:
        return {}
    since: dict[tuple[str, str], datetime] = {}
    places: list[tuple[DeadChange, tuple[str, str]]] = []
    ids = await _locked(connection, [each.change for each in changes])
    for each in changes:
        message = each.change.message
        name = message.ticket_id or message.ticket_number or ""
        id_ = ids.get((each.change.tenant_id, name))
        if id_ is not None:
            ticket = (each.change.tenant_id, id_)
            since[ticket] = min(each.failed_at, since.get(ticket, each.failed_at))
            places.append((each, ticket))
    moments = [(*ticket, moment) for ticket, moment in sorted(since.items())]
    found = [
        each
        for each in await ticket_changes.later(connection, moments, MOST_LOOKED_AT)
        if (each.tenant_id, each.ticket_id, each.sequence) not in ours
    ]
    late: dict[Letter, list[LaterChange]] = {}
    for each, ticket in places:
        for later in found:
            if (later.tenant_id, later.ticket_id) == ticket and later.occurred_at > each.failed_at:
                late.setdefault(each.letter, []).append(later)
    return late


async def _locked(
    connection: asyncpg.Connection, changes: Sequence[Change]
) -> dict[tuple[str, str], str]:
    """The ids of the tickets that these address, by tenant and id or number."""
    by_id = {
        (each.tenant_id, each.message.ticket_id)
        for each in changes
        if each.message.ticket_id is not None
    }
    by_number = {
        (each.tenant_id, each.message.ticket_number)
        for each in changes
        if each.message.ticket_number is not None
    }
    rows = await tickets.lock(connection, sorted(by_id), sorted(by_number))
    return {
        (row["tenant_id"], name): row["id"]
        for row in rows
        for name in (row["id"], row["ticket_number"])
    }
