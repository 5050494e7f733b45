"""Decisions become facts: the only maker of what subscribers read."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from handlers.outcomes import Change, Created, Rejected, Request
from handlers.routing import Routed
from schemas.vocabulary import ActorType, Kind, TicketStatus

EMPTY_OBJECT: Final = "{}"
EMPTY_LIST: Final = "[]"


DECIDED: Final = frozenset({"rule", "policy_version", "escalation_path"})
"""Of `context.routing`: which rule decided, and the path that it gave."""


class DueDates(NamedTuple):
    """RFC 3339 texts in UTC, as both the row and the fact carry them; None: no clock, or held."""

    first_response: str | None
    resolution: str | None


def utc(instant: datetime) -> str:
    """RFC 3339, as facts and rows have it. instant: in UTC."""
    return instant.isoformat(timespec="microseconds")


def compact_json(value: object) -> str:
    """JSON without white space; integers beyond 64 bits, which orjson refuses, are kept exactly."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def context_of(created: Created) -> str:
    """The ticket's context as JSON: what was sent, with the team where readers look for it.

    What rules decide is ours to write: whoever opens a ticket does not choose to whom it climbs.
    """
    message = created.request.message
    team, routed = created.team, created.routed
    sent: Mapping[str, Any] = message.context or {}
    routing = sent.get("routing")
    kept = routing if isinstance(routing, dict) else {}
    is_claimed = not DECIDED.isdisjoint(kept)
    if is_claimed:
        kept = {name: value for name, value in kept.items() if name not in DECIDED}
    if team is None and routed is None:
        if not is_claimed:
            return message.context_json or EMPTY_OBJECT
        return compact_json({**sent, "routing": kept})
    if routed is not None:
        kept = {**kept, **_decided_by(routed, created.policy_version)}
    return compact_json({**sent, "assigned_team": team, "routing": {**kept, "team": team}})


def _decided_by(routed: Routed, version: int | None) -> dict[str, Any]:
    """Which rule of which version decided, and what is still to come of it."""
    told: dict[str, Any] = {"rule": routed.rule, "policy_version": version}
    if routed.escalation_path:
        told["escalation_path"] = [step._asdict() for step in routed.escalation_path]
    return told


def ticket_created(created: Created, context: str, due: DueDates, created_at: str) -> str:
    """The data of `ticket.created`, as JSON. created_at: RFC 3339 in UTC."""
    request = created.request
    message = request.message
    return orjson.dumps(
        {
            "ticket_id": request.ticket_id,
            "ticket_number": created.ticket_number,
            "title": message.title,
            "description": message.description,
            "customer_id": created.customer_id,
            "origin_type": message.origin_type,
            "target_type": message.target_type,
            "partner_id": message.partner_id,
            "priority": created.priority,
            "ticket_type": message.ticket_type,
            "status": TicketStatus.OPEN,
            "assigned_team": created.team,
            "service_address": message.service_address,
            "affected_services": message.affected_services,
            "device_serial_numbers": message.device_serial_numbers,
            "sla_due_date": due.resolution,
            "first_response_due_at": due.first_response,
            "escalation_level": 0,
            "context": orjson.Fragment(context),
            "created_at": created_at,
            "tenant_id": request.tenant_id,
            "request_id": message.request_id,
            "sequence": 1,
        }
    ).decode()


def ticket_rejected(rejected: Rejected, rejected_at: str) -> str:
    """The data of `ticket.rejected`, as JSON."""
    request = rejected.request
    message, record = request.message, request.record
    is_change = isinstance(request, Change)
    actor = _changer(request) if isinstance(request, Change) else actor_of(request)
    return compact_json(
        {
            "tenant_id": request.tenant_id,
            "request_id": message.request_id,
            "kind": Kind.CHANGE if is_change else Kind.REQUEST,
            "change": getattr(message, "change", None),
            "ticket_id": request.ticket_id,
            "ticket_number": getattr(message, "ticket_number", None),
            "code": rejected.code,
            "message": rejected.message,
            "actor": None if actor is None else dict(zip(("type", "id"), actor, strict=True)),
            "topic": None if record is None else record.topic,
            "partition": None if record is None else record.partition,
            "offset": None if record is None else record.offset,
            "rejected_at": rejected_at,
        }
    )


def _changer(change: Change) -> tuple[str, str | None] | None:
    """Who asked for a change; None where it is nobody, or of no type that we know."""
    actor = change.message.actor
    if actor is None or not isinstance(actor.type, ActorType):
        return None
    return actor.type, actor.id


def actor_of(request: Request, customer_id: str | None = None) -> tuple[str, str | None]:
    """Who asked for a ticket, type and id: the actor that the request names, else its origin.

    customer_id: resolved to our own id, where that is known.
    """
    message = request.message
    if message.actor is not None:
        return message.actor.type, message.actor.id
    origin = message.origin_type
    if origin is ActorType.CUSTOMER:
        given = message.customer_id if customer_id is None else customer_id
        return origin, None if given is None else str(given)
    return origin, message.partner_id if origin is ActorType.PARTNER else None
