"""`ticket.requested`: open a ticket."""

import json
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Tag, model_validator

from schemas.context import Context
from schemas.fields import (
    IGNORED,
    Absent,
    ActorId,
    ActorTypeWord,
    Address,
    CustomerId,
    GroupKey,
    Items,
    LongText,
    NullIs,
    PriorityWord,
    RequestId,
    Team,
    TenantId,
    TicketTypeWord,
    Title,
    Uuid,
    missing_field,
)
from schemas.message import ActorObject, Attachments, Message
from schemas.times import Time
from schemas.vocabulary import ActorType, Priority


class TicketRequested(Message):
    """A request for a ticket, as upstream services publish it."""

    nested: ClassVar = ("actor", "attachments")

    request_id: Annotated[
        RequestId | None, Absent("the event's source and id, else the record's place")
    ] = None
    tenant_id: TenantId
    customer_id: Annotated[
        CustomerId | None, Absent("none; required where the origin is the customer")
    ] = None
    title: Title
    description: LongText
    priority: Annotated[PriorityWord, NullIs(Priority.NORMAL)] = Priority.NORMAL
    ticket_type: TicketTypeWord | None = None
    assigned_team: Team | None = None
    service_address: Address | None = None
    affected_services: Annotated[Items, NullIs(())] = ()
    device_serial_numbers: Annotated[Items, NullIs(())] = ()
    origin_type: Annotated[ActorTypeWord, NullIs(ActorType.CUSTOMER)] = ActorType.CUSTOMER
    target_type: Annotated[ActorTypeWord, NullIs(ActorType.TENANT)] = ActorType.TENANT
    partner_id: Annotated[Uuid | None, Absent("none; required where the origin is a partner")] = (
        None
    )
    actor: Annotated[ActorObject | None, Absent("the origin")] = None
    attachments: Annotated[Attachments, NullIs(())] = ()
    context: Context | None = None
    group_key: GroupKey | None = None
    requested_at: Time | None = None

    @model_validator(mode="after")
    def _origin_is_named(self) -> Self:
        if self.customer_id is None and self.origin_type is ActorType.CUSTOMER:
            raise missing_field("customer_id", "and the origin is the customer")
        if self.partner_id is None and self.origin_type is ActorType.PARTNER:
            raise missing_field("partner_id", "and the origin is a partner")
        return self

    @property
    def context_json(self) -> str | None:
        """The context as compact JSON, with integers of any size kept exactly."""
        return None if self.context is None else self.context.json


class Caller(Message):
    """Who asks through the library face: there a workflow is the system."""

    type: Annotated[ActorTypeWord, Tag(IGNORED)] | Annotated[Literal["system"], Tag(IGNORED)]
    id: ActorId | None = None


def _json_only(context: object) -> object:
    """Unlike a record's, a caller's object may hold anything. Raises what the encoder raises."""
    json.dumps(context)
    return context


class TicketCalled(TicketRequested):
    """The same request as a call of the library face."""

    actor: Caller | None = None  # type: ignore[assignment]  # wider: the system may be the actor
    context: Annotated[Context | None, BeforeValidator(_json_only)] = None
