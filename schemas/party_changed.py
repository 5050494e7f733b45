"""`customer.changed` and `partner.changed`: who an internet provider's parties are now."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import Absent, ExternalId, NullIs, TenantId, Uuid
from schemas.message import Message
from schemas.times import Instant

PartyName = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=255),
    Field(description="text of up to 255 characters"),
]
PartyStatus = Annotated[
    str,
    StringConstraints(
        strict=True, strip_whitespace=True, to_lower=True, min_length=1, max_length=50
    ),
    Field(description="active, or other text of up to 50 characters; in any case"),
]
Tier = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=100),
    Field(description="text of up to 100 characters"),
]


class PartyChanged(Message):
    """What both announce. The newer `updated_at` counts; absent, it is the record's timestamp."""

    id: Uuid
    tenant_id: TenantId
    external_id: ExternalId | None = None
    name: PartyName | None = None
    status: Annotated[PartyStatus, NullIs("active")] = "active"
    tier: Tier | None = None
    updated_at: Annotated[Instant | None, Absent("the record's timestamp")] = None


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
