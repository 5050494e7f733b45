"""Clocks are read with what they are judged by, and tickets with their clocks."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import asyncpg

from db import clocks as stored
from handlers.outcomes import Known
from handlers.policies import of_versions
from handlers.routing import CompiledPolicy, PolicyUnreadable
from handlers.sla.clock import Clock
from handlers.sla.rows import clock_of
from handlers.sla.terms import DEFAULT_LEVELS, Levels, Terms, default_terms
from handlers.ticket import Ticket
from schemas.vocabulary import SlaMetric

Versions = dict[tuple[str, int], CompiledPolicy | PolicyUnreadable]


class Unreadable(NamedTuple):
    """A clock whose own version of the policy can't be understood. row: with db.clocks.FIELDS."""

    key: tuple[str, str]
    row: Any
    problem: PolicyUnreadable


async def add_clocks(connection: asyncpg.Connection, tickets: Sequence[Ticket]) -> list[Unreadable]:
    """Give these locked tickets their clocks, and return those that can't be understood.

    One round trip, and one more for the versions of policies that clocks name.
    """
    rows = await stored.read(connection, [(ticket.tenant_id, ticket.id) for ticket in tickets])
    named = {(row["tenant_id"], row["policy_version"]) for row in rows if row["policy"] is not None}
    versions = await of_versions(connection, sorted(named)) if named else {}
    found: dict[tuple[str, str], dict[SlaMetric, Clock]] = {}
    unreadable: list[Unreadable] = []
    for row in rows:
        key = (row["tenant_id"], row["ticket_id"])
        terms = terms_of(row, versions)
        if isinstance(terms, PolicyUnreadable):
            unreadable.append(Unreadable(key, row, terms))
        else:
            found.setdefault(key, {})[SlaMetric(row["metric"])] = clock_of(row, terms)
    for ticket in tickets:
        ticket.clocks = found.get((ticket.tenant_id, ticket.id), {})
    return unreadable


def terms_of(row: Any, versions: Versions) -> Terms | PolicyUnreadable:  # noqa: ANN401  asyncpg's
    """What the clock of this row is judged by. versions: with the one that the row names."""
    metric, target = SlaMetric(row["metric"]), timedelta(seconds=row["target_seconds"])
    if row["policy"] is None:
        return default_terms(metric, target)
    version = (row["tenant_id"], row["policy_version"])
    policy = versions.get(version)
    if isinstance(policy, PolicyUnreadable):
        return policy
    terms = None if policy is None else policy.sla.terms(row["policy"], metric, target)
    return PolicyUnreadable(*version) if terms is None else terms


def choice_in(known: Known) -> Callable[[Ticket], Levels]:
    """What clocks are judged by, as the policies in force have it."""

    def choose(ticket: Ticket) -> Levels:
        policy = known.policies.get(ticket.tenant_id)
        if policy is None:
            return DEFAULT_LEVELS[ticket.priority]
        customer = (ticket.tenant_id, ticket.customer_id or "")
        return policy.sla.select(
            ticket_type=ticket.ticket_type,
            priority=ticket.priority,
            customer_tier=known.tiers.get(customer),
            team=ticket.assigned_team,
        )

    return choose


def curious_customers(tickets: Iterable[Ticket], known: Known) -> list[tuple[str, str]]:
    """The customers (tenant, id) of these tickets whose tier an SLA policy asks for."""
    return sorted(
        {
            (ticket.tenant_id, ticket.customer_id)
            for ticket in tickets
            if ticket.customer_id is not None
            and (policy := known.policies.get(ticket.tenant_id)) is not None
            and policy.sla.asks_for_tiers
        }
    )
