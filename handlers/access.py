"""Who may do what to a ticket, as one table by actor. Whoever is not in it may do nothing."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from handlers.outcomes import Change
from handlers.refusal import Refusal, denied
from handlers.ticket import Ticket
from schemas.ticket_change_requested import (
    AddMessage,
    SetFields,
    SetStatus,
    TicketChangeRequested,
)
from schemas.vocabulary import ActorType, ChangeKind, TicketStatus

CUSTOMER, TENANT, PARTNER, PLATFORM = ActorType


class Act(StrEnum):
    """What a change does, as far as it matters who does it."""

    REPLY = "reply"
    REOPEN = "reopen"
    RATE = "rate"
    NOTE = "internal message"
    SET_STATUS = "status"
    SET_PRIORITY = "priority"
    ASSIGN = "assignment"
    ESCALATE = "escalation"
    SET_CONTEXT = "context"
    SET_TICKET_TYPE = "ticket type"
    SET_SERVICE_ADDRESS = "service address"
    SET_AFFECTED_SERVICES = "affected services"
    SET_DEVICE_SERIAL_NUMBERS = "device serial numbers"


_FIELDS: Final = {
    "ticket_type": Act.SET_TICKET_TYPE,
    "service_address": Act.SET_SERVICE_ADDRESS,
    "affected_services": Act.SET_AFFECTED_SERVICES,
    "device_serial_numbers": Act.SET_DEVICE_SERIAL_NUMBERS,
    "context": Act.SET_CONTEXT,
}
_KINDS: Final = {
    ChangeKind.ASSIGN: Act.ASSIGN,
    ChangeKind.SET_PRIORITY: Act.SET_PRIORITY,
    ChangeKind.ESCALATE: Act.ESCALATE,
    ChangeKind.RATE: Act.RATE,
}
_SERVICE_FIELDS: Final = frozenset(_FIELDS.values()) - {Act.SET_CONTEXT}
_ALL_BUT_RATING: Final = frozenset(Act) - {Act.RATE}


def is_customer(ticket: Ticket, actor_id: str | None) -> bool:
    """Whether this is the ticket's customer, by either of its ids. Nobody is nobody's customer."""
    if actor_id is None:
        return False
    return actor_id.lower() == ticket.customer_id or (
        ticket.customer_external_id is not None and actor_id == str(ticket.customer_external_id)
    )


def is_partner(ticket: Ticket, actor_id: str | None) -> bool:
    """Whether this is the partner that the ticket is routed to."""
    return actor_id is not None and actor_id.lower() == ticket.partner_id


def _anyone(_: Ticket, __: str | None) -> bool:
    return True


class Rights(NamedTuple):
    """What one type of actor may do. reaches: which tickets; speaks_as: for whom it may write."""

    acts: frozenset[Act]
    speaks_as: frozenset[ActorType]
    reaches: Callable[[Ticket, str | None], bool] = _anyone


RIGHTS: Final = {
    CUSTOMER: Rights(
        frozenset({Act.REPLY, Act.REOPEN, Act.RATE}), frozenset({CUSTOMER}), is_customer
    ),
    PARTNER: Rights(_ALL_BUT_RATING - _SERVICE_FIELDS, frozenset({PARTNER}), is_partner),
    TENANT: Rights(_ALL_BUT_RATING, frozenset({TENANT, PARTNER, CUSTOMER})),
    PLATFORM: Rights(_ALL_BUT_RATING, frozenset(ActorType)),
}
"""Within the ticket's tenant, whom no actor leaves: see `admitted`. A tenant answers for what its
customers and partners said to it by other means; only the customer itself rates."""


def known_actor(message: TicketChangeRequested) -> ActorType | Refusal:
    """Who asks. Nobody, a type that we don't know, and `system` (ours alone) are refused."""
    actor = message.actor
    if actor is not None and isinstance(actor.type, ActorType):
        return actor.type
    return denied("Only customer, tenant, partner and platform actors can change a ticket.")


def admitted(change: Change, ticket: Ticket, actor: ActorType) -> Refusal | None:
    """Why this actor may not make this change to this ticket; None when it may try."""
    message, rights = change.message, RIGHTS[actor]
    actor_id = None if message.actor is None else message.actor.id
    if ticket.tenant_id != change.tenant_id:
        return denied("Ticket belongs to a different tenant.")
    if not rights.reaches(ticket, actor_id):
        return denied(f"{actor.title()} does not have access to this ticket.")
    for act in acts_of(message):
        if act not in rights.acts:
            return denied(_words(actor, act))
    if isinstance(message, AddMessage):
        return _impersonation(message, ticket, actor, rights)
    return None


def acts_of(message: TicketChangeRequested) -> Iterator[Act]:
    """What a change does. Naming `open` is reopening, where the ticket's life allows that."""
    match message:
        case AddMessage():
            yield Act.NOTE if message.is_internal else Act.REPLY
            if message.new_status is not None:
                yield _act_of(message.new_status)
        case SetStatus():
            yield _act_of(message.status)
        case SetFields():
            yield from map(_FIELDS.__getitem__, message.fields.values)
        case _:
            yield _KINDS[kind_of(message)]


def kind_of(message: TicketChangeRequested) -> ChangeKind:
    """Which change it is."""
    kind: ChangeKind = message.change  # type: ignore[attr-defined]  # each of the union has it
    return kind


def _act_of(status: TicketStatus) -> Act:
    return Act.REOPEN if status is TicketStatus.OPEN else Act.SET_STATUS


def _words(actor: ActorType, act: Act) -> str:
    if act is Act.RATE:
        return "Only the customer can rate a ticket."
    if act is Act.NOTE:
        return "Customers cannot write internal messages."
    if actor is CUSTOMER:
        return "Customers cannot update ticket metadata."
    return f"Only tenant and platform actors can update {act}."


def _impersonation(
    message: AddMessage, ticket: Ticket, actor: ActorType, rights: Rights
) -> Refusal | None:
    """Why the actor may not write in this sender's name. A customer is nobody but itself."""
    sender = message.sender_type or actor
    if sender not in rights.speaks_as:
        return denied(f"{actor.title()} actors cannot write messages as {sender}.")
    named = message.sender_id
    if actor is CUSTOMER and named is not None and not is_customer(ticket, named):
        return denied("Customers cannot write messages for others.")
    return None
