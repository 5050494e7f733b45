"""The rows of one transaction, table by table, and what all of them share."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from db import tables
from db.bulk import Row, Rows
from handlers.facts import utc
from handlers.outcomes import Known, Parked
from handlers.sla.beginnings import Beginnings
from handlers.sla.clock import Clock
from handlers.sla.history import Segment
from handlers.sla.rows import (
    CLOCK_COLUMNS,
    NEW_CLOCK_COLUMNS,
    SEGMENT_COLUMNS,
    clock_row,
    segment_row,
)

TICKET_COLUMNS: Final = (
    "id",
    "ticket_number",
    "tenant_id",
    "request_id",
    "subject",
    "priority",
    "origin_type",
    "target_type",
    "origin_user_id",
    "assigned_team",
    "assigned_to_user_id",
    "customer_id",
    "partner_id",
    "ticket_type",
    "service_address",
    "affected_services",
    "device_serial_numbers",
    "context",
    "group_key",
    "requested_at",
    "sla_due_date",
    "first_response_due_at",
    "last_response_at",
    "created_by",
    "created_at",
    "updated_at",
)
MESSAGE_COLUMNS: Final = (
    "id",
    "ticket_id",
    "tenant_id",
    "sequence",
    "sender_type",
    "sender_id",
    "body",
    "attachments",
    "is_internal",
    "created_at",
)
REQUEST_COLUMNS: Final = (
    "tenant_id",
    "request_key",
    "kind",
    "outcome",
    "code",
    "ticket_id",
    "topic",
    "partition",
    "offset",
    "content_hash",
    "decided_at",
)
FACT_COLUMNS: Final = (
    "tenant_id",
    "subject_id",
    "sequence",
    "outbox_id",
    "ce_type",
    "ticket_id",
    "ticket_number",
    "causation_id",
    "traceparent",
    "record",
    "occurred_at",
    "data",
)

ClockKey: TypeAlias = tuple[str, str, str, int]
"""Which clock: tenant, ticket, metric and cycle."""


@dataclass(slots=True)
class Written:
    """The rows of a batch. settled: identities decided before (rejected or parked), decided anew.

    A settled identity's row changes; one that is new to the arbiter is inserted. changed: tickets
    (handlers.change_rows.CHANGED_COLUMNS), as they are after their last change. new_clocks: those
    that run from now on; held_clocks: those that begin standing still; clocks: those that may be
    there already.
    """

    customers: list[tuple[str, str]] = field(default_factory=list)
    tickets: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    requests: dict[tuple[str, str], Row] = field(default_factory=dict)
    settled: dict[tuple[str, str], Row] = field(default_factory=dict)
    parked: dict[tuple[str, str], Parked] = field(default_factory=dict)
    changed: dict[tuple[str, str], Row] = field(default_factory=dict)
    new_clocks: list[Row] = field(default_factory=list)
    held_clocks: list[Row] = field(default_factory=list)
    clocks: dict[ClockKey, Row] = field(default_factory=dict)
    segments: list[Row] = field(default_factory=list)

    def keep_clocks(
        self, tenant_id: str, ticket_id: str, clocks: Iterable[Clock], segments: Iterable[Segment]
    ) -> None:
        """Write these clocks of a ticket as they are now, and what happened to them."""
        for clock in clocks:
            key = (tenant_id, ticket_id, clock.metric, clock.cycle)
            self.clocks[key] = clock_row(tenant_id, ticket_id, clock)
        self.segments += [segment_row(tenant_id, ticket_id, each) for each in segments]

    def tables(self) -> list[Rows]:
        """Everything that is only ever inserted, table by table, without the empty ones."""
        batches = [
            Rows(tables.tickets, TICKET_COLUMNS, self.tickets),
            Rows(tables.ticket_messages, MESSAGE_COLUMNS, self.messages),
            Rows(tables.sla_clocks, NEW_CLOCK_COLUMNS, self.new_clocks),
            Rows(tables.sla_clocks, CLOCK_COLUMNS, self.held_clocks),
            Rows(tables.sla_segments, SEGMENT_COLUMNS, self.segments),
            Rows(tables.requests, REQUEST_COLUMNS, sorted(self.requests.values())),
            Rows(tables.ticket_facts, FACT_COLUMNS, self.facts),
        ]
        return [batch for batch in batches if batch.rows]


class Stamp:
    """What all rows of one transaction share."""

    __slots__ = ("beginnings", "decided", "now", "outbox_id")

    def __init__(self, known: Known) -> None:
        self.now = utc(known.now)
        self.outbox_id = str(known.outbox_id)
        self.beginnings = Beginnings(known.now)
        self.decided = known.decided
