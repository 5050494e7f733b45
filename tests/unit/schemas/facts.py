"""Data of facts for the tests of what we publish: valid by default."""

from typing import Any

from tests.unit.schemas.documents import TICKET

AT = "2026-11-24T08:30:00.000000+00:00"
POINT = {"level": 0, "target_type": "tenant", "partner_id": None, "team": None, "user_id": None}


def fact(**fields: object) -> dict[str, Any]:
    """What the facts of a ticket have in common; a field that is ... is left out."""
    data = {
        "ticket_id": TICKET,
        "ticket_number": "TCK-0123456789AB",
        "tenant_id": "north",
        "sequence": 2,
    }
    return {name: value for name, value in (data | fields).items() if value is not ...}


def created(**fields: object) -> dict[str, Any]:
    """The data of a `ticket.created`."""
    data: dict[str, object] = {
        "title": "No connection",
        "description": "The modem shows a red light.",
        "customer_id": TICKET,
        "origin_type": "customer",
        "target_type": "tenant",
        "partner_id": None,
        "priority": "high",
        "ticket_type": None,
        "status": "open",
        "assigned_team": None,
        "service_address": None,
        "affected_services": [],
        "device_serial_numbers": ["SN-1"],
        "sla_due_date": AT,
        "first_response_due_at": "2026-11-24T08:30:00+00:00",
        "escalation_level": 0,
        "context": {"a": [1]},
        "created_at": AT,
        "request_id": None,
        "sequence": 1,
    }
    return fact(**(data | fields))


def updated(**fields: object) -> dict[str, Any]:
    """The data of a `ticket.updated`."""
    data: dict[str, object] = {
        "request_id": "r-1",
        "actor": {"type": "tenant", "id": "agent-7"},
        "changes": {"status": {"from": "open", "to": "waiting"}},
        "message": None,
        "occurred_at": AT,
        "updated_at": AT,
    }
    return fact(**(data | fields))


def escalated(**fields: object) -> dict[str, Any]:
    """The data of a `ticket.escalated`."""
    return updated(**({"from": POINT, "to": POINT | {"level": 2}, "reason": None} | fields))


def rejected(**fields: object) -> dict[str, Any]:
    """The data of a `ticket.rejected`."""
    data: dict[str, object] = {
        "request_id": "r-1",
        "kind": "request",
        "change": None,
        "ticket_number": None,
        "code": "customer_not_found",
        "message": "Invalid customer_id: 123 (customer lookup failed)",
        "actor": {"type": "customer", "id": "123"},
        "topic": "ticket.requested",
        "partition": 0,
        "offset": 41,
        "rejected_at": AT,
        "sequence": ...,
    }
    return fact(**(data | fields))


def clock(**fields: object) -> dict[str, Any]:
    """What the facts of a clock have in common."""
    data: dict[str, object] = {
        "metric": "first_response",
        "cycle": 1,
        "priority": "urgent",
        "due_at": AT,
        "detected_at": AT,
        "detection_lag_ms": 12,
        "target_seconds": 3600,
        "elapsed_seconds": 3600.012,
        "overrun_seconds": 0.012,
        "paused_seconds": 0,
        "policy_version": None,
        "calendar_version": 3,
        "assigned_team": None,
        "escalation_level": 0,
        "reason": "timer",
    }
    return fact(**(data | fields))
