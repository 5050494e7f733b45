"""Every topic, once: what it carries, which way, and under which key."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from schemas.party_changed import CustomerChanged, PartnerChanged
from schemas.sla_breach_annulled import SlaBreachAnnulled
from schemas.sla_breached import SlaBreached
from schemas.sla_warning import SlaWarning
from schemas.ticket_change_requested import TicketChangeRequested
from schemas.ticket_created import TicketCreated
from schemas.ticket_escalated import TicketEscalated
from schemas.ticket_rejected import TicketRejected
from schemas.ticket_requested import TicketRequested
from schemas.ticket_updated import TicketUpdated


class Direction(StrEnum):
    """As we see it."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's name (without the prefix), what it carries and how it is kept.

    model: the contract of its values. ce_types: of what we publish; an inbound type is not judged.
    """

    name: str
    model: type[BaseModel]
    direction: Direction
    key: str
    description: str
    ce_types: tuple[str, ...] = ()
    is_compacted: bool = False
    has_dead_letters: bool = False


def _inbound(
    name: str, model: type[BaseModel], key: str, description: str, *, is_compacted: bool = False
) -> Topic:
    return Topic(
        name,
        model,
        Direction.IN,
        key,
        description,
        is_compacted=is_compacted,
        has_dead_letters=True,
    )


def _outbound(
    name: str, model: type[BaseModel], description: str, ce_types: tuple[str, ...] = ()
) -> Topic:
    """A topic whose name is also the type of what it carries, unless it is a family."""
    return Topic(name, model, Direction.OUT, "ticket id", description, ce_types or (name,))


TOPICS: Final = (
    _inbound("ticket.requested", TicketRequested, "customer id (recommended)", "Open a ticket."),
    _inbound(
        "ticket.change_requested",
        TicketChangeRequested,
        "ticket id (recommended)",
        "Change a ticket.",
    ),
    _inbound(
        "customer.changed",
        CustomerChanged,
        "customer id",
        "A customer as it is now; a tombstone deletes it.",
        is_compacted=True,
    ),
    _inbound(
        "partner.changed",
        PartnerChanged,
        "partner id",
        "A partner as it is now; a tombstone deletes it.",
        is_compacted=True,
    ),
    _outbound("ticket.created", TicketCreated, "A ticket was opened."),
    _outbound(
        "ticket.updated",
        TicketUpdated,
        "Something about a ticket changed.",
        (
            "ticket.message_added",
            "ticket.status_changed",
            "ticket.assigned",
            "ticket.priority_changed",
            "ticket.fields_changed",
            "ticket.reopened",
            "ticket.rated",
        ),
    ),
    _outbound("ticket.escalated", TicketEscalated, "A ticket went to another level or party."),
    _outbound("ticket.rejected", TicketRejected, "A request was refused by a rule."),
    _outbound("sla.warning", SlaWarning, "Part of a target's time is used up."),
    _outbound("sla.breached", SlaBreached, "A target was missed."),
    _outbound("sla.breach_annulled", SlaBreachAnnulled, "A breach turned out to be none."),
)

TOPIC_OF_CE_TYPE: Final = {ce_type: topic.name for topic in TOPICS for ce_type in topic.ce_types}
OUTBOUND_TOPICS: Final = frozenset(
    topic.name for topic in TOPICS if topic.direction is Direction.OUT
)
