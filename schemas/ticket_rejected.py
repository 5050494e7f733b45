"""`ticket.rejected`: a request or a change was refused by a rule."""

from schemas.fact import (
    ActorObject,
    ChangeWord,
    CodeWord,
    Fact,
    Id,
    Integer,
    KindWord,
    Number,
    Text,
    Utc,
)


class TicketRejected(Fact):
    """Why, and for which record. ticket_id: addressed, or that would have been opened.

    The place is that of the record; of a ticket addressed by number only, the id may be unknown.
    actor: null where a change names none, or one of a type that we don't know.
    """

    tenant_id: Text
    request_id: Text | None
    kind: KindWord
    change: ChangeWord | None
    ticket_id: Id | None
    ticket_number: Number | None
    code: CodeWord
    message: Text
    actor: ActorObject | None
    topic: Text | None
    partition: Integer | None
    offset: Integer | None
    rejected_at: Utc
