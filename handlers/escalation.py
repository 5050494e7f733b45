"""Handing a ticket on: to another level, another party, another team or person, or back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from handlers.change_facts import Step, steps
from handlers.outcomes import Party
from handlers.refusal import Refusal, refused
from handlers.routes import partner_refusal
from handlers.ticket import Ticket
from schemas.ticket_change_requested import Escalate, EscalationTarget
from schemas.vocabulary import ActorType, RejectionCode

CUSTOMER, TENANT, PARTNER, PLATFORM = ActorType

HANDED_TO: Final = {
    CUSTOMER: frozenset[ActorType](),
    TENANT: frozenset({TENANT, PARTNER, PLATFORM}),
    PARTNER: frozenset({TENANT, PLATFORM}),
    PLATFORM: frozenset({TENANT, PARTNER, PLATFORM}),
}
"""Which party an actor may hand a ticket to: on, or back. A partner may not choose another one."""

_LADDER: Final = (CUSTOMER, TENANT, PARTNER, PLATFORM)


def escalate(
    message: Escalate,
    ticket: Ticket,
    actor: ActorType,
    *,
    partners: Mapping[str, Party],
    highest_level: int,
    now: datetime,
) -> list[Step] | Refusal:
    """The ticket at its new place. Levels count from 0 (L1); what is absent stays as it was.

    Naming a partner without a target targets it. A ticket that comes back to the tenant leaves its
    partner behind, unless it is the partner's own. Every escalation but a step down moves
    escalated_at; a step down is a fact all the same.
    """
    to = message.to
    if to.level is not None and not 0 <= to.level <= highest_level:
        return refused(RejectionCode.LEVEL_INVALID, level=to.level)
    target = _target(to, ticket)
    partner_id = _partner(to, ticket, target)
    refusal = _route_refusal(to, ticket, actor, target, partners)
    if refusal is not None:
        return refusal
    after = ticket.copy()
    after.escalation_level = ticket.escalation_level if to.level is None else to.level
    after.target_type, after.partner_id = target, partner_id
    after.assigned_team = to.team or ticket.assigned_team
    after.escalated_to_user_id = to.user_id or ticket.escalated_to_user_id
    if point(after) == point(ticket):
        return []
    if _height(after) >= _height(ticket):
        after.escalated_at = now
    more = {"from": point(ticket), "to": point(after), "reason": message.reason or None}
    return steps("ticket.escalated", ticket, after, **more)


def point(ticket: Ticket) -> dict[str, Any]:
    """Where a ticket is, as `ticket.escalated` tells it."""
    return {
        "level": ticket.escalation_level,
        "target_type": ticket.target_type,
        "partner_id": ticket.partner_id,
        "team": ticket.assigned_team,
        "user_id": ticket.escalated_to_user_id,
    }


def _height(ticket: Ticket) -> tuple[int, int]:
    return _LADDER.index(ticket.target_type), ticket.escalation_level


def _target(to: EscalationTarget, ticket: Ticket) -> ActorType:
    if to.target_type is not None:
        return to.target_type
    return ticket.target_type if to.partner_id is None else PARTNER


def _partner(to: EscalationTarget, ticket: Ticket, target: ActorType) -> str | None:
    if to.partner_id is not None:
        return to.partner_id
    comes_back = target is TENANT and ticket.target_type is not TENANT
    return None if comes_back and ticket.origin_type is not PARTNER else ticket.partner_id


def _route_refusal(
    to: EscalationTarget,
    ticket: Ticket,
    actor: ActorType,
    target: ActorType,
    partners: Mapping[str, Party],
) -> Refusal | None:
    """Why it can't be handed to that party: in the words that a request would get."""
    is_other_partner = to.partner_id not in {None, ticket.partner_id}
    is_handed_on = target is not ticket.target_type
    for party, is_chosen in ((target, is_handed_on), (PARTNER, is_other_partner)):
        if is_chosen and party not in HANDED_TO[actor]:
            return refused(
                RejectionCode.ROUTE_NOT_ALLOWED, Origin=actor.title(), target=party.value
            )
    if not is_handed_on and not is_other_partner:
        return None
    code = partner_refusal(target, to.partner_id, ticket.tenant_id, partners)
    return None if code is None else refused(code)
