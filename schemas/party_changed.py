"""`customer.changed` and `partner.changed`: who an internet provider's parties are now."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import ExternalId, Message, NullIs, TenantId, Time, Uuid

Name = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, max_length=255)]
Status = Annotated[
    str,
    StringConstraints(
        strict=True, strip_whitespace=True, to_lower=True, min_length=1, max_length=50
    ),
]
Tier = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, max_length=100)]


class PartyChanged(Message):
    """What both announce."""

    id: Uuid
    tenant_id: TenantId
    external_id: ExternalId | None = None
    name: Name | None = None
    status: Annotated[Status, NullIs("active")] = "active"
    tier: Tier | None = None
    updated_at: Time | None = None


class CustomerChanged(PartyChanged):
    """A customer, as upstream announces it."""

    id: Uuid = Field(alias="customer_id")


class PartnerChanged(PartyChanged):
    """A partner, as upstream announces it."""

    id: Uuid = Field(alias="partner_id")


@dataclass(frozen=True, slots=True)
class PartyDeleted:
    """A tombstone: the party of this id is gone; its row stays."""

    id: str
