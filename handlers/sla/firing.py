"""What is due on tickets' clocks happens: warnings, breaches and steps of the ladder, told once.

The ticket's row is the only lock. Its clocks are read again under it: whoever was first has told
what was due, and the second finds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from db import outbox, policies, tickets
from db.clocks import Key
from handlers.batch import Handled
from handlers.change_batch import ticket_of
from handlers.change_facts import facts_by_time
from handlers.change_rows import effect_row, ticket_row
from handlers.outcomes import Effect, Known
from handlers.policies import add_in_force
from handlers.sla.course import Choice, Course
from handlers.sla.loading import add_clocks, choice_in, curious_customers
from handlers.ticket import Ticket
from handlers.write import write
from handlers.written import Stamp, Written

FIRED_COLUMNS: Final = (
    "tenant_id",
    "id",
    "priority",
    "assigned_team",
    "sla_due_date",
    "first_response_due_at",
    "sla_breached",
    "escalation_level",
    "escalated_at",
    "escalated_to_user_id",
    "sequence",
    "last_change_at",
    "updated_at",
)
"""What time alone may set, after the key."""


class TicketMissing(Exception):
    """There is no ticket {ticket_id} of {tenant_id}; only a clock of it."""

    def __init__(self, tenant_id: str, ticket_id: str) -> None:
        super().__init__(f"There is no ticket {ticket_id} of {tenant_id}; only a clock of it.")


class Unfit(NamedTuple):
    """A ticket whose clocks could not be dealt with, and why. It is left as it was."""

    key: Key
    error: BaseException


class Told(NamedTuple):
    """A fact that time brought about. late: how long after it was due."""

    ce_type: str
    late: timedelta


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of a sweep, once it is committed. tickets: whose clocks were dealt with."""

    handled: Handled
    tickets: int
    told: Sequence[Told]
    unfit: Sequence[Unfit]


class Moved(NamedTuple):
    """A ticket as it is now, what came of its clocks, and its facts, if any."""

    ticket: Ticket
    course: Course
    effects: Sequence[Effect]


async def fire_due(connection: asyncpg.Connection, keys: Sequence[Key], *, copy_from: int) -> Fired:
    """Let everything happen that is due on the clocks of these tickets, under their locks.

    What somebody else holds is left out. copy_from: as `write` takes it.
    """
    found = [ticket_of(row) for row in await tickets.lock_free(connection, keys)]
    unfit = await _without_ticket(connection, keys, found)
    moved: list[Moved] = []
    now, outbox_id = await outbox.open_write(connection)
    known = Known(now, outbox_id)
    if found:
        unreadable = await add_clocks(connection, found)
        known.unreadable += [each.problem for each in unreadable]
        unfit += [Unfit(*each) for each in {row.key: row.problem for row in unreadable}.items()]
        await _add_policies(connection, found, known)
        left_out = {each.key for each in unfit}
        choice = choice_in(known)
        for ticket in found:
            key = (ticket.tenant_id, ticket.id)
            if key in left_out:
                continue
            try:
                each = move_on(ticket, max(now, ticket.updated_at), choice)
            except Exception as error:  # noqa: BLE001  one ticket's fault stops no other's clocks
                unfit.append(Unfit(key, error))
            else:
                moved += [each] if each.course.clocks else []
        await _write(connection, moved, known, copy_from)
    facts = sum(len(each.effects) for each in moved)
    told = [
        Told(step.ce_type, each.course.now - step.since)
        for each in moved
        for step in each.course.steps
        if step.since is not None
    ]
    handled = Handled(
        now=now,
        decisions=[],
        parties=[],
        dead=[],
        repeated=[],
        outbox_id=outbox_id if facts else None,
        versions=known.versions,
        unreadable=known.unreadable,
    )
    return Fired(handled, len(moved), told, unfit)


async def _without_ticket(
    connection: asyncpg.Connection, keys: Sequence[Key], found: Sequence[Ticket]
) -> list[Unfit]:
    """Clocks that measure nothing: no key holds them to a ticket."""
    free = {(ticket.tenant_id, ticket.id) for ticket in found}
    left = [key for key in keys if key not in free]
    missing = await tickets.missing(connection, left) if left else []
    return [Unfit(key, TicketMissing(*key)) for key in missing]


def move_on(ticket: Ticket, now: datetime, choice: Choice) -> Moved:
    """What comes of a ticket whose clocks are looked at now. Its time never goes back."""
    course = Course(ticket, now, choice)
    course.catch_up(now)
    if not course.steps:
        return Moved(course.ticket, course, [])
    after, effects = facts_by_time(course.steps, ticket, now)
    return Moved(after, course, effects)


async def _add_policies(
    connection: asyncpg.Connection, found: Sequence[Ticket], known: Known
) -> None:
    newest = await policies.newest(connection, [ticket.tenant_id for ticket in found])
    if newest:
        await add_in_force(connection, known, newest)
        wanted = curious_customers(found, known)
        if wanted:
            known.tiers = await policies.tiers(connection, wanted)


async def _write(
    connection: asyncpg.Connection, moved: Sequence[Moved], known: Known, copy_from: int
) -> None:
    written, stamp = Written(), Stamp(known)
    for ticket, course, effects in moved:
        clocks = course.clocks.values()
        written.keep_clocks(ticket.tenant_id, ticket.id, clocks, course.segments)
        written.facts += [effect_row(ticket, effect, stamp) for effect in effects]
    rows = [ticket_row(each.ticket, FIRED_COLUMNS) for each in moved if each.effects]
    if rows:
        await tickets.update(connection, FIRED_COLUMNS, rows)
    if moved:
        await write(connection, written, known, copy_from=copy_from)
