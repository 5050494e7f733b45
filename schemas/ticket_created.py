"""`ticket.created`: a ticket was opened."""

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.fact import (
    Fact,
    Id,
    Level,
    Number,
    PartyWord,
    PriorityWord,
    Sequence,
    Text,
    Texts,
    TypeWord,
    Utc,
)


class TicketCreated(Fact):
    """The ticket as it was when it was opened."""

    ticket_id: Id
    ticket_number: Number
    title: Text
    description: Text
    customer_id: Id | None
    origin_type: PartyWord
    target_type: PartyWord
    partner_id: Id | None
    priority: PriorityWord
    ticket_type: TypeWord | None
    status: Annotated[Literal["open"], Field(description="open")]
    assigned_team: Text | None
    service_address: Text | None
    affected_services: Texts
    device_serial_numbers: Texts
    sla_due_date: Utc | None
    first_response_due_at: Utc | None
    escalation_level: Level
    context: Annotated[dict[str, Any], Field(description="an object")]
    created_at: Utc
    tenant_id: Text
    request_id: Text | None
    sequence: Sequence
