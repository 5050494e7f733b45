"""`ticket.escalated`: a ticket went to another level or party."""

from typing import Annotated

from pydantic import Field

from schemas.fact import Fact, Id, Level, PartyWord, Text
from schemas.ticket_updated import TicketUpdated


class EscalationPoint(Fact):
    """Where a ticket is, or was."""

    level: Level
    target_type: PartyWord
    partner_id: Id | None
    team: Text | None
    user_id: Text | None


PointObject = Annotated[
    EscalationPoint,
    Field(description="an object with level, target_type, partner_id, team, user_id"),
]


class TicketEscalated(TicketUpdated):
    """An update that moved the ticket."""

    from_: Annotated[PointObject, Field(alias="from")]
    to: PointObject
    reason: Text | None
