"""Tickets and changes for the tests of what becomes of them; valid, unless a test says not."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.changes import ChangeRules, decide_change
from handlers.identity import request_key
from handlers.outcomes import Change, Changed, Party, Rejected, Unchanged
from handlers.sla.clock import Clock, ClockState, ended, held, start
from handlers.sla.notices import SLA_TYPES
from handlers.sla.terms import DEFAULT_LEVELS
from handlers.ticket import Ticket
from schemas.catalogue import TOPIC_OF_CE_TYPE, TOPICS
from schemas.decode import Decoded, decode
from schemas.ticket_change_requested import TicketChangeRequested
from schemas.vocabulary import (
    ActorType,
    PauseReason,
    Priority,
    RejectionCode,
    SlaMetric,
    TicketStatus,
)

CREATED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = CREATED + timedelta(minutes=90)
TICKET = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
CUSTOMER = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
PARTNER, OTHER_PARTNER = (
    "7d444840-9dc0-11d1-b245-5ffdce74fad2",
    "16fd2706-8baf-433b-82eb-8c7fada847da",
)
PARTNERS = {PARTNER: Party("north", "active"), OTHER_PARTNER: Party("north", "active")}

ACTORS = {
    ActorType.CUSTOMER: {"type": "customer", "id": CUSTOMER},
    ActorType.TENANT: {"type": "tenant", "id": "agent-7"},
    ActorType.PARTNER: {"type": "partner", "id": PARTNER},
    ActorType.PLATFORM: {"type": "platform", "id": "operator-1"},
}
AGENTS = [ActorType.TENANT, ActorType.PARTNER, ActorType.PLATFORM]

NEEDED: Mapping[str, Mapping[str, Any]] = {
    "add_message": {"body": "Any news?"},
    "set_status": {"status": "waiting"},
    "assign": {"assigned_team": "noc"},
    "set_priority": {"priority": "urgent"},
    "set_fields": {"fields": {"context": {"line": 4}}},
    "escalate": {"to": {"level": 1}},
    "rate": {"rating": 5},
}
_MODELS = {topic.name: topic.model for topic in TOPICS}


def a_ticket(status: str = "open", **fields: object) -> Ticket:
    """A customer's ticket with the tenant, in this status since NOW; its partner may see it."""
    ticket = Ticket(
        id=TICKET,
        number="TCK-1B9D6BCDBBFD",
        tenant_id="north",
        status=TicketStatus(status),
        priority=Priority.NORMAL,
        origin_type=ActorType.CUSTOMER,
        target_type=ActorType.TENANT,
        customer_id=CUSTOMER,
        customer_external_id=42,
        partner_id=PARTNER,
        assigned_team=None,
        assigned_to_user_id=None,
        ticket_type=None,
        service_address=None,
        affected_services=[],
        device_serial_numbers=[],
        context={},
        sla_due_date=CREATED + timedelta(hours=72),
        first_response_due_at=CREATED + timedelta(hours=24),
        first_response_at=None,
        resolved_at=NOW if status in {"resolved", "closed"} else None,
        closed_at=NOW if status == "closed" else None,
        resolution_time_minutes=90 if status in {"resolved", "closed"} else None,
        escalation_level=0,
        escalated_at=None,
        escalated_to_user_id=None,
        last_response_at=CREATED,
        rating=None,
        rating_comment=None,
        sequence=1,
        last_change_sequence=1,
        created_at=CREATED,
        updated_at=CREATED,
    )
    made = replace(ticket, **fields)  # type: ignore[arg-type]  # fields of Ticket
    if "clocks" not in fields:
        made.clocks = clocks_of(made)
    return made


def clocks_of(ticket: Ticket) -> dict[SlaMetric, Clock]:
    """Those of a ticket that has gone straight to where it is."""
    clocks = {}
    for metric, terms in zip(SlaMetric, DEFAULT_LEVELS[ticket.priority], strict=True):
        assert terms is not None
        clock = start(terms, ticket.created_at)
        if metric is SlaMetric.FIRST_RESPONSE and ticket.first_response_at is not None:
            clock = ended(clock, ClockState.FULFILLED, ticket.first_response_at)
        elif ticket.resolved_at is not None:
            is_resolution = metric is SlaMetric.RESOLUTION
            state = ClockState.FULFILLED if is_resolution else ClockState.CANCELLED
            clock = ended(clock, state, ticket.resolved_at)
        elif ticket.status is TicketStatus.WAITING:
            clock = held(clock, frozenset({PauseReason.WAITING_FOR_CUSTOMER}), None, NOW)
        clocks[metric] = clock
    return clocks


def a_change(
    kind: str, actor: ActorType | dict[str, Any] | None = ActorType.TENANT, **fields: object
) -> Change:
    """A change by this actor; a field that is ... is left out."""
    document: dict[str, object] = {
        "change": kind,
        "tenant_id": "north",
        "ticket_id": TICKET,
        "actor": ACTORS[actor] if isinstance(actor, ActorType) else actor,
        "request_id": "change-1",
        **NEEDED[kind],
        **fields,
    }
    sent = {name: value for name, value in document.items() if value is not ...}
    decoded = decode(TicketChangeRequested, json.dumps(sent).encode(), ())
    assert isinstance(decoded, Decoded), decoded
    message, envelope = decoded
    key = request_key("change", "request_id", "north", message.request_id or "")
    return Change(message, envelope, None, "north", key, TICKET, 0)


def decided(
    change: Change,
    ticket: Ticket | None,
    *,
    now: datetime = NOW,
    partners: Mapping[str, Party] = PARTNERS,
    rules: ChangeRules | None = None,
) -> Changed | Unchanged | Rejected:
    """What becomes of it. Whatever is published keeps its contract, and is numbered onwards."""
    before = None if ticket is None else replace(ticket)
    decision = decide_change(
        change, ticket, now=now, partners=partners, rules=rules or ChangeRules()
    )
    assert ticket == before, "the ticket that was given is altered"
    if isinstance(decision, Changed):
        assert ticket is not None
        for number, effect in enumerate(decision.effects, ticket.sequence + 1):
            _MODELS[TOPIC_OF_CE_TYPE[effect.ce_type]].model_validate_json(effect.data)
            assert effect.sequence == json.loads(effect.data)["sequence"] == number
        assert decision.ticket.sequence == decision.effects[-1].sequence
        theirs = [each for each in decision.effects if each.ce_type not in SLA_TYPES]
        assert decision.ticket.last_change_sequence == theirs[-1].sequence
        assert decision.ticket.updated_at == now
    return decision


def changed(change: Change, ticket: Ticket, **more: Any) -> Changed:  # noqa: ANN401  of `decided`
    decision = decided(change, ticket, **more)
    assert isinstance(decision, Changed), decision
    return decision


def unchanged(change: Change, ticket: Ticket, **more: Any) -> bool:  # noqa: ANN401  of `decided`
    decision = decided(change, ticket, **more)
    assert not isinstance(decision, Rejected), decision
    if isinstance(decision, Unchanged):
        assert decision.ticket is ticket
        return True
    return False


def refusal(
    change: Change,
    ticket: Ticket | None,
    **more: Any,  # noqa: ANN401  of `decided`
) -> tuple[RejectionCode, str]:
    decision = decided(change, ticket, **more)
    assert isinstance(decision, Rejected), decision
    return decision.code, decision.message


def types(decision: Changed) -> list[str]:
    """The types of what is published, in its order."""
    return [effect.ce_type for effect in decision.effects]


def data(decision: Changed) -> list[dict[str, Any]]:
    """What is published, in its order."""
    return [json.loads(effect.data) for effect in decision.effects]
