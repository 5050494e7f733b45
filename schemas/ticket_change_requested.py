"""`ticket.change_requested`: change a ticket. One contract, told apart by `change`."""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.context import Context
from schemas.fields import (
    Absent,
    ActorId,
    ActorTypeWord,
    Address,
    Comment,
    Flag,
    Items,
    Level,
    LongText,
    NullIs,
    PriorityWord,
    Rating,
    RequestId,
    Sequence,
    StatusWord,
    Team,
    TenantId,
    TicketNumber,
    TicketTypeWord,
    UserId,
    Uuid,
    missing_field,
    wrong_field,
)
from schemas.message import Attachments, Message
from schemas.times import Instant
from schemas.vocabulary import ActorType, ChangeKind


def _known(word: str) -> str:
    """The actor type of that name, or the word as it was sent."""
    try:
        return ActorType(word)
    except ValueError:
        return word


ClaimedType = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=255),
    AfterValidator(_known),
    Field(description=f"one of {', '.join(ActorType)}, in any case (other text: access_denied)"),
]


class Claimant(Message):
    """Who asks for a change, as it says of itself. A type that we know is an ActorType.

    Any text is accepted: a change by somebody unknown is refused by a rule, and told so.
    """

    type: Annotated[ClaimedType | None, Absent("nobody, who may change nothing")] = None
    id: ActorId | None = None


ClaimantObject = Annotated[Claimant, Field(description="an object with type and id")]


class TicketChangeRequested(Message):
    """What every change says: which ticket, and who asks.

    The actor is optional only in form: a change without one is refused by a rule (access_denied),
    and its sender is told so.
    """

    nested: ClassVar[tuple[str, ...]] = ("actor",)

    tenant_id: TenantId
    ticket_id: Annotated[Uuid | None, Absent("ticket_number is required")] = None
    ticket_number: Annotated[TicketNumber | None, Absent("ticket_id is required")] = None
    actor: Annotated[ClaimantObject | None, Absent("nobody, who may change nothing")] = None
    request_id: Annotated[
        RequestId | None, Absent("the event's source and id, else the record's place")
    ] = None
    occurred_at: Annotated[Instant | None, Absent("when it is decided")] = None
    expected_sequence: Annotated[Sequence | None, Absent("any")] = None

    @classmethod
    def wire_form(cls) -> Any:  # noqa: ANN401  a union, which has no class
        """Any change, where no particular one is named."""
        return _ANY_CHANGE if cls is TicketChangeRequested else cls

    @classmethod
    def at(cls, path: tuple[int | str, ...]) -> tuple[type[Message], tuple[int | str, ...]]:
        """The change that the path's first step names, and the path within it."""
        if cls is TicketChangeRequested and path:
            return CHANGES[ChangeKind(str(path[0]))], path[1:]
        return cls, path

    @model_validator(mode="after")
    def _names_one_ticket(self) -> Self:
        if self.ticket_id is None and self.ticket_number is None:
            raise missing_field("ticket_id", "and so is ticket_number")
        if self.ticket_id is not None and self.ticket_number is not None:
            raise wrong_field("ticket_number", "is given beside ticket_id, but only one may be")
        return self


class AddMessage(TicketChangeRequested):
    """Say something on the ticket; the sender is the actor, unless another one is named."""

    nested: ClassVar = ("actor", "attachments")

    change: Literal[ChangeKind.ADD_MESSAGE]
    body: LongText
    sender_type: Annotated[ActorTypeWord | None, Absent("the actor's")] = None
    sender_id: Annotated[ActorId | None, Absent("the actor's")] = None
    is_internal: Annotated[Flag, NullIs(False)] = False  # noqa: FBT003  the default, not a flag
    attachments: Annotated[Attachments, NullIs(())] = ()
    new_status: Annotated[StatusWord | None, Absent("as it was")] = None


class SetStatus(TicketChangeRequested):
    """Move the ticket on, as far as its life allows."""

    change: Literal[ChangeKind.SET_STATUS]
    status: StatusWord


class Assign(TicketChangeRequested):
    """Give the ticket to a team, to a person, or to both. Null clears, absent leaves."""

    change: Literal[ChangeKind.ASSIGN]
    assigned_team: Annotated[Team | None, Absent("as it was; null clears")] = None
    assigned_to_user_id: Annotated[UserId | None, Absent("as it was; null clears")] = None

    @property
    def assignments(self) -> dict[str, str | None]:
        """What was sent: the new value, or None for one to clear."""
        return _sent(self, "assigned_team", "assigned_to_user_id")

    @model_validator(mode="after")
    def _assigns_something(self) -> Self:
        if not self.assignments:
            raise missing_field("assigned_team", "and so is assigned_to_user_id")
        return self


class SetPriority(TicketChangeRequested):
    """Make the ticket more or less urgent."""

    change: Literal[ChangeKind.SET_PRIORITY]
    priority: PriorityWord


class ChangedFields(Message):
    """The fields to set. Null clears a ticket type or an address; lists and context it leaves.

    Lists and context are replaced as wholes: what is set twice is the same, and nothing grows.
    """

    ticket_type: Annotated[TicketTypeWord | None, Absent("as it was; null clears")] = None
    service_address: Annotated[Address | None, Absent("as it was; null clears")] = None
    affected_services: Annotated[Items | None, Absent("as it was")] = None
    device_serial_numbers: Annotated[Items | None, Absent("as it was")] = None
    context: Annotated[Context | None, Absent("as it was")] = None

    @property
    def values(self) -> dict[str, Any]:
        """What to set: the new values, or None for what is to be cleared."""
        sent = _sent(self, "ticket_type", "service_address")
        for name in ("affected_services", "device_serial_numbers", "context"):
            value = getattr(self, name)
            if value is not None:
                sent[name] = value
        return sent


class SetFields(TicketChangeRequested):
    """Correct what the ticket says about the matter."""

    nested: ClassVar = ("actor", "fields")

    change: Literal[ChangeKind.SET_FIELDS]
    fields: Annotated[
        ChangedFields,
        Field(
            description="an object with any of ticket_type, service_address, affected_services, "
            "device_serial_numbers, context"
        ),
    ]

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if not self.fields.values:
            raise wrong_field("fields", "names no field that can be set")
        return self


class EscalationTarget(Message):
    """Where to. A level that does not exist is refused by a rule, not here."""

    level: Level | None = None
    target_type: ActorTypeWord | None = None
    partner_id: Uuid | None = None
    team: Team | None = None
    user_id: UserId | None = None


class Escalate(TicketChangeRequested):
    """Hand the ticket to another level or party."""

    nested: ClassVar = ("actor", "to")

    change: Literal[ChangeKind.ESCALATE]
    to: Annotated[
        EscalationTarget,
        Field(description="an object with any of level, target_type, partner_id, team, user_id"),
    ]
    reason: Comment | None = None

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if all(getattr(self.to, name) is None for name in EscalationTarget.model_fields):
            raise wrong_field("to", "names no level and no party")
        return self


class Rate(TicketChangeRequested):
    """Say how the ticket was handled."""

    change: Literal[ChangeKind.RATE]
    rating: Rating
    comment: Comment | None = None


CHANGES: Final[dict[ChangeKind, type[TicketChangeRequested]]] = {
    ChangeKind.ADD_MESSAGE: AddMessage,
    ChangeKind.SET_STATUS: SetStatus,
    ChangeKind.ASSIGN: Assign,
    ChangeKind.SET_PRIORITY: SetPriority,
    ChangeKind.SET_FIELDS: SetFields,
    ChangeKind.ESCALATE: Escalate,
    ChangeKind.RATE: Rate,
}

_ANY_CHANGE: Final = Annotated[
    AddMessage | SetStatus | Assign | SetPriority | SetFields | Escalate | Rate,
    Field(discriminator="change"),
]


def _sent(message: Message, *names: str) -> dict[str, Any]:
    """The values of those fields that the sender wrote, null included."""
    return {name: getattr(message, name) for name in names if name in message.model_fields_set}
