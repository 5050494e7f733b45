"""`ticket.updated`: one effect of a change, the family of seven types."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from schemas.fact import ActorObject, Fact, Flag, Id, Number, SenderWord, Sequence, Text, Utc


class ChangedValue(Fact):
    """One field, before and after."""

    from_: Annotated[Any, Field(alias="from", description="the value before")]
    to: Annotated[Any, Field(description="the value after")]


class MessageAdded(Fact):
    """The message of a `ticket.message_added`. What is internal is never published."""

    message_id: Id
    body: Text | None
    sender_type: SenderWord
    is_internal: Flag

    @model_validator(mode="after")
    def _keeps_internal_words(self) -> Self:
        if self.is_internal is not (self.body is None):
            raise ValueError("an internal message has no body, and any other has one")
        return self


class TicketUpdated(Fact):
    """What changed. message: of a `ticket.message_added` alone."""

    ticket_id: Id
    ticket_number: Number
    tenant_id: Text
    request_id: Text | None
    actor: ActorObject
    changes: Annotated[
        dict[str, ChangedValue], Field(description="an object of {from, to} by field")
    ]
    message: (
        Annotated[
            MessageAdded,
            Field(description="an object with message_id, body, sender_type, is_internal"),
        ]
        | None
    ) = None
    occurred_at: Utc
    updated_at: Utc
    sequence: Sequence
