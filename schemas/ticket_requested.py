"""`ticket.requested`: open a ticket."""

from functools import cached_property
from typing import Annotated, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from schemas.context import Context, context_json
from schemas.fields import (
    Actor,
    ActorId,
    ActorTypeWord,
    Address,
    Attachments,
    CustomerId,
    GroupKey,
    Items,
    LongText,
    Message,
    NullIs,
    PriorityWord,
    RequestId,
    Team,
    TenantId,
    TicketTypeWord,
    Time,
    Title,
    Uuid,
    Words,
)
from schemas.vocabulary import SYSTEM_ACTOR, ActorType, Priority


class TicketRequested(Message):
    """A request for a ticket, as upstream services publish it."""

    request_id: RequestId | None = None
    tenant_id: TenantId
    customer_id: CustomerId | None = None
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
    partner_id: Uuid | None = None
    actor: Actor | None = None
    attachments: Annotated[Attachments, NullIs(())] = ()
    context: Context | None = None
    group_key: GroupKey | None = None
    requested_at: Time | None = None

    @model_validator(mode="after")
    def _origin_is_named(self) -> Self:
        if self.origin_type is ActorType.CUSTOMER:
            if self.customer_id is None:
                raise PydanticCustomError("customer_needed", "is missing")
        elif self.origin_type is ActorType.PARTNER and self.partner_id is None:
            raise PydanticCustomError("partner_needed", "is missing")
        return self

    @cached_property
    def context_json(self) -> str | None:
        """The context as compact JSON."""
        return None if self.context is None else context_json(self.context)


_CALLERS = {**{actor.value: actor for actor in ActorType}, SYSTEM_ACTOR: SYSTEM_ACTOR}


class Caller(Message):
    """Who calls the library face: an actor, or the system, which is a workflow."""

    type: Annotated[str, Words(_CALLERS)]
    id: ActorId | None = None


class TicketCalled(TicketRequested):
    """The same request as a call of the library face."""

    actor: Caller | None = None  # type: ignore[assignment]
