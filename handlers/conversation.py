"""Messages on a ticket, and what they do to it: the first answer, and a customer who is back."""

from datetime import datetime, timedelta

from handlers.change_facts import Step, message_step, status_step
from handlers.facts import EMPTY_LIST, compact_json
from handlers.identity import added_message_id
from handlers.life import CLOSED, Deed, Move, Occasion, find_move, move_on, reopening_refusal
from handlers.outcomes import NewMessage
from handlers.refusal import Refusal, refused
from handlers.ticket import Ticket
from schemas.ticket_change_requested import AddMessage
from schemas.vocabulary import ActorType, RejectionCode


def add_message(
    message: AddMessage,
    ticket: Ticket,
    actor: ActorType,
    *,
    key: str,
    at: datetime,
    now: datetime,
    reopen_window: timedelta,
) -> list[Step] | Refusal:
    """The message and the status that follows from it. key: the change's request key.

    Whoever speaks counts, not who passes it on: what a tenant writes in its customer's name is the
    customer's word. A status that is named goes before any that would follow.
    """
    if ticket.status is CLOSED and not message.is_internal:
        return refused(RejectionCode.TICKET_CLOSED)
    sender, sender_id = sender_of(message, ticket, actor)
    is_reply = not message.is_internal and sender is not ActorType.CUSTOMER
    is_first = is_reply and ticket.first_response_at is None
    move = _move(message, ticket, actor, sender, is_first=is_first)
    if isinstance(move, Refusal):
        return move
    if move is not None and move.deed is Deed.REOPENS:
        is_agents_choice = actor is not ActorType.CUSTOMER and message.new_status is not None
        refusal = None if is_agents_choice else reopening_refusal(ticket, now, reopen_window)
        if refusal is not None:
            return refusal
    after = ticket.copy()
    if not message.is_internal:
        after.last_response_at = now
    if is_first:
        after.first_response_at = at
    steps = [message_step(ticket, after, _new_message(message, sender, sender_id, key))]
    if move is not None:
        steps.append(status_step(after, move, at, now))
    return steps


def sender_of(
    message: AddMessage, ticket: Ticket, actor: ActorType
) -> tuple[ActorType, str | None]:
    """Who speaks: the one named, else the actor; of a customer or partner, the ticket's."""
    sender = message.sender_type or actor
    if message.sender_id is not None:
        return sender, message.sender_id
    if sender is actor:
        return sender, None if message.actor is None else message.actor.id
    ids = {ActorType.CUSTOMER: ticket.customer_id, ActorType.PARTNER: ticket.partner_id}
    return sender, ids.get(sender)


def _move(
    message: AddMessage, ticket: Ticket, actor: ActorType, sender: ActorType, *, is_first: bool
) -> Move | Refusal | None:
    if message.new_status is not None:
        return find_move(ticket.status, message.new_status, actor)
    if is_first:
        return move_on(Occasion.FIRST_REPLY, ticket.status)
    if sender is ActorType.CUSTOMER and not message.is_internal:
        return move_on(Occasion.CUSTOMER_MESSAGE, ticket.status)
    return None


def _new_message(
    message: AddMessage, sender: ActorType, sender_id: str | None, key: str
) -> NewMessage:
    attachments = EMPTY_LIST
    if message.attachments:
        attachments = compact_json([item.known() for item in message.attachments])
    return NewMessage(
        added_message_id(key),
        sender,
        sender_id,
        message.body,
        attachments,
        message.is_internal,
    )
