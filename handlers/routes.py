"""Who may open a ticket to whom, and what a partner must be for that."""

from collections.abc import Mapping
from typing import Final

from handlers.outcomes import Known, Party, Request
from schemas.vocabulary import ActorType, RejectionCode

ALLOWED: Final = {
    ActorType.CUSTOMER: frozenset({ActorType.TENANT}),
    ActorType.TENANT: frozenset({ActorType.PARTNER, ActorType.PLATFORM}),
    ActorType.PARTNER: frozenset({ActorType.PLATFORM, ActorType.TENANT}),
    ActorType.PLATFORM: frozenset({ActorType.TENANT, ActorType.PARTNER}),
}


def refusal(request: Request, known: Known) -> RejectionCode | None:
    """Why this request may not take its route; None when it may."""
    message = request.message
    if message.target_type not in ALLOWED[message.origin_type]:
        return RejectionCode.ROUTE_NOT_ALLOWED
    return partner_refusal(
        message.target_type, message.partner_id, request.tenant_id, known.partners
    )


def partner_refusal(
    target: ActorType, partner_id: str | None, tenant_id: str, partners: Mapping[str, Party]
) -> RejectionCode | None:
    """Why a ticket of this tenant may not go to this target and partner; None when it may."""
    if partner_id is None:
        return RejectionCode.PARTNER_REQUIRED if target is ActorType.PARTNER else None
    partner = partners.get(partner_id)
    if partner is None or partner.status == "deleted":
        return RejectionCode.PARTNER_NOT_FOUND
    if partner.tenant_id != tenant_id:
        return RejectionCode.PARTNER_OTHER_TENANT
    return None if partner.status == "active" else RejectionCode.PARTNER_INACTIVE
