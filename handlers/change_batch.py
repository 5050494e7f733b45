"""A batch of changes: their tickets locked, each judged in its turn, several of one ticket too."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg
import orjson

from db import tickets as locked
from db.policies import tiers
from handlers.changes import ChangeRules, decide_change
from handlers.identity import ticket_number
from handlers.outcomes import (
    Change,
    Changed,
    ChangeDecision,
    Created,
    Decision,
    Duplicate,
    Known,
    Request,
    Rules,
)
from handlers.requests import Earlier, wrong_tenant
from handlers.sla.loading import Unreadable, add_clocks, choice_in, curious_customers
from handlers.sla.stand_in import stand_in
from handlers.ticket import Ticket
from schemas.vocabulary import ActorType, Outcome, Priority, TicketStatus, TicketType


class Tickets:
    """The tickets that a batch may change, by id and by number within their tenant."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], Ticket] = {}
        self._by_number: dict[tuple[str, str], Ticket] = {}
        self._unreadable: list[Unreadable] = []

    async def lock(self, connection: asyncpg.Connection, changes: Iterable[Change]) -> None:
        """Lock those that these changes address, as far as they exist."""
        ids, numbers = set(), set()
        for change in changes:
            if change.message.ticket_id is not None:
                ids.add((change.tenant_id, change.message.ticket_id))
            elif change.message.ticket_number is not None:
                numbers.add((change.tenant_id, change.message.ticket_number))
        rows = await locked.lock(connection, sorted(ids), sorted(numbers))
        tickets = [ticket_of(row) for row in rows]
        if tickets:
            self._unreadable += await add_clocks(connection, tickets)
        for ticket in tickets:
            self._by_id[ticket.tenant_id, ticket.id] = ticket
            self._by_number[ticket.tenant_id, ticket.number] = ticket

    async def ask_tiers(self, connection: asyncpg.Connection, known: Known) -> None:
        """Add the tiers of their customers to what is known, where a policy may ask for them."""
        wanted = curious_customers(self._by_id.values(), known)
        if wanted:
            known.tiers |= await tiers(connection, wanted)

    def stand_in(self, known: Known) -> None:
        """Let the policies in force judge the clocks whose own version can't be understood.

        A timer comes again, a change does not: it can neither wait nor leave its clocks behind.
        """
        for key, row, problem in self._unreadable:
            ticket = self._by_id[key]
            clock = stand_in(row, known.policies.get(ticket.tenant_id))
            ticket.clocks = {**ticket.clocks, clock.metric: clock}
            known.unreadable.append(problem)
        self._unreadable.clear()

    def addressed(self, change: Change) -> Ticket | None:
        """The ticket that a change addresses within its tenant, as it is by now."""
        message = change.message
        if message.ticket_id is not None:
            return self._by_id.get((change.tenant_id, message.ticket_id))
        return self._by_number.get((change.tenant_id, message.ticket_number or ""))

    def keep(self, ticket: Ticket) -> None:
        """As it is after a change: the next one is judged by it."""
        self._by_id[ticket.tenant_id, ticket.id] = ticket
        self._by_number[ticket.tenant_id, ticket.number] = ticket


Name = tuple[str, str | None]
"""A ticket's id or number, within its tenant."""


def opened_here(lost: Sequence[Change], decisions: Sequence[Decision]) -> list[Change]:
    """Those of these changes whose tickets this very batch opens."""
    names = {
        (each.request.tenant_id, name)
        for each in decisions
        if isinstance(each, Created)
        for name in (each.request.ticket_id, each.ticket_number)
    }
    return [change for change in lost if _name(change) in names]


def opened_elsewhere(lost: Sequence[Change], decisions: Sequence[Decision], known: Known) -> bool:
    """Whether such a ticket belongs to a request of the batch that somebody else accepted first.

    Perhaps that was after the tickets were locked. Who is around again has seen to it.
    """
    names: set[Name] = set()
    for each in decisions:
        if isinstance(each, Duplicate) and isinstance(each.request, Request):
            tenant_id, ticket_id = each.request.tenant_id, each.request.ticket_id
            prior = known.decided.get((tenant_id, each.request.request_key))
            if prior is not None and prior.outcome is Outcome.CREATED:
                names |= {(tenant_id, ticket_id), (tenant_id, ticket_number(ticket_id))}
    return any(_name(change) in names for change in lost)


def _name(change: Change) -> Name:
    return change.tenant_id, change.message.ticket_id or change.message.ticket_number


def decide_changes(
    changes: Sequence[Change],
    tickets: Tickets,
    known: Known,
    rules: Rules,
    change_rules: ChangeRules,
) -> list[ChangeDecision]:
    """One decision per change, in their order; a repeat within the batch is a duplicate too."""
    tickets.stand_in(known)
    earlier, choice = Earlier(known), choice_in(known)
    decisions: list[ChangeDecision] = []
    for each in changes:
        ticket = tickets.addressed(each)
        change = each if ticket is None else each._replace(ticket_id=ticket.id)
        decision: ChangeDecision | None = earlier.duplicate(change)
        if decision is None:
            decided = wrong_tenant(change, rules) or decide_change(
                change,
                ticket,
                now=known.now,
                partners=known.partners,
                rules=_rules_of(change.tenant_id, known, change_rules),
                choice=choice,
            )
            decision = earlier.refused_again(decided)
            if decision is None:
                earlier.remember(decided)
                decision = decided
        if isinstance(decision, Changed):
            tickets.keep(decision.ticket)
        decisions.append(decision)
    return decisions


def _rules_of(tenant_id: str, known: Known, default: ChangeRules) -> ChangeRules:
    """The tenant's own, where its policy has any."""
    policy = known.policies.get(tenant_id)
    if policy is None:
        return default
    return replace(default, reopen_window=timedelta(days=policy.reopen_days))


def ticket_of(row: Any) -> Ticket:  # noqa: ANN401  a row of asyncpg's
    """The ticket of a row with db.tickets.FIELDS."""
    ticket = Ticket(*row)
    ticket.status = TicketStatus(ticket.status)
    ticket.priority = Priority(ticket.priority)
    ticket.origin_type = ActorType(ticket.origin_type)
    ticket.target_type = ActorType(ticket.target_type)
    if ticket.ticket_type is not None:
        ticket.ticket_type = TicketType(ticket.ticket_type)
    ticket.affected_services = orjson.loads(row["affected_services"])
    ticket.device_serial_numbers = orjson.loads(row["device_serial_numbers"])
    ticket.context = _context(row["context"])
    return ticket


MOST_DIGITS: Final = 18
"""Of an integer that orjson reads as what it is, whatever its digits."""

_LONG_NUMBER: Final = re.compile(f"[0-9]{{{MOST_DIGITS + 1}}}")


def _context(text: str) -> dict[str, Any]:
    """As it is stored, to be written again: orjson makes floats of integers beyond 64 bits."""
    if not _LONG_NUMBER.search(text):
        found: dict[str, Any] = orjson.loads(text)
    else:
        found = json.loads(text, parse_int=_whole)
    return found


def _whole(digits: str) -> int | float:
    """A whole number as its sender wrote it: PostgreSQL shows 1e300 with all its zeros."""
    number = int(digits)
    if len(digits) > MOST_DIGITS and Decimal(repr(float(number))) == number:
        return float(number)
    return number
