"""The clocks that breach next, and those that go on after their breach."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from consumer.standing import Standing, standings
from db import clock_reading
from schemas.vocabulary import SlaMetric


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which clocks. within: how far ahead their breach may be; None: however far.

    breached: those whose breach is told instead of those that have yet to breach.
    """

    tenant: str | None = None
    metric: SlaMetric | None = None
    within: timedelta | None = None
    breached: bool = False
    limit: int = 20


@dataclass(frozen=True, slots=True)
class AtRisk:
    """A clock with the ticket that it is about."""

    ticket_id: str
    ticket_number: str
    tenant_id: str
    title: str
    status: str
    priority: str
    assigned_team: str | None
    clock: Standing


async def at_risk(
    connection: asyncpg.Connection, wanted: Wanted, now: datetime
) -> Sequence[AtRisk]:
    """The clocks that fit, the first that is due first."""
    if wanted.breached:
        rows = await clock_reading.breached(
            connection, tenant_id=wanted.tenant, metric=wanted.metric, limit=wanted.limit
        )
    else:
        rows = await clock_reading.breach_next(
            connection,
            tenant_id=wanted.tenant,
            metric=wanted.metric,
            until=None if wanted.within is None else now + wanted.within,
            limit=wanted.limit,
        )
    clocks = await standings(connection, rows, now)
    return [_at_risk(row, clock) for row, clock in zip(rows, clocks, strict=True)]


def _at_risk(row: Any, clock: Standing) -> AtRisk:  # noqa: ANN401  asyncpg's
    return AtRisk(
        ticket_id=row["ticket_id"],
        ticket_number=row["ticket_number"],
        tenant_id=row["tenant_id"],
        title=row["title"],
        status=row["ticket_status"],
        priority=row["priority"],
        assigned_team=row["assigned_team"],
        clock=clock,
    )
