"""Who may open a ticket to whom, and what a partner must be for that."""

from typing import Final

from handlers.outcomes import Known, Request
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
    if message.partner_id is None:
        needs_partner = message.target_type is ActorType.PARTNER
        return RejectionCode.PARTNER_REQUIRED if needs_partner else None
    partner = known.partners.get(message.partner_id)
    if partner is None or partner.status == "deleted":
        return RejectionCode.PARTNER_NOT_FOUND
    if partner.tenant_id != request.tenant_id:
        return RejectionCode.PARTNER_OTHER_TENANT
    return None if partner.status == "active" else RejectionCode.PARTNER_INACTIVE
