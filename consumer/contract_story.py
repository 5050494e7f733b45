"""The story of the examples: somebody's internet is gone, and the answer comes late."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

OPENED_AT: Final = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
CUSTOMER: Final = "0b7f1d0e-6f0a-4c55-9f2c-5d1f6f1f0a01"
PARTNER: Final = "4c1c9d0a-2f1e-4f0b-8f3b-6a0c7d2e9b10"
TENANT: Final = "alpine-net"

REQUEST: Final[Mapping[str, object]] = {
    "request_id": "portal-4711",
    "tenant_id": TENANT,
    "customer_id": CUSTOMER,
    "title": "No internet since this morning",
    "description": "The modem's WAN light is off; a restart changed nothing.",
    "priority": "urgent",
    "ticket_type": "outage_report",
    "assigned_team": "network_ops",
    "affected_services": ["internet", "voip"],
}
_AGENT: Final = {"type": "tenant", "id": "agent-7"}
_ASKER: Final = {"type": "customer", "id": CUSTOMER}

CHANGES: Final[Sequence[tuple[int, Mapping[str, object]]]] = (
    (
        100,
        {
            "change": "add_message",
            "actor": _AGENT,
            "body": "We found a broken line card, and are on our way.",
            "occurred_at": "2026-11-24T09:20:00Z",
        },
    ),
    (105, {"change": "escalate", "actor": _AGENT, "to": {"level": 2}, "reason": "Line card"}),
    (110, {"change": "assign", "actor": _AGENT, "assigned_to_user_id": "agent-9"}),
    (115, {"change": "set_priority", "actor": _AGENT, "priority": "high"}),
    (
        120,
        {
            "change": "set_fields",
            "actor": _AGENT,
            "fields": {"ticket_type": "equipment_issue", "device_serial_numbers": ["LC-88-4"]},
        },
    ),
    (180, {"change": "set_status", "actor": _AGENT, "status": "resolved"}),
    (200, {"change": "set_status", "actor": _ASKER, "status": "open"}),
    (240, {"change": "set_status", "actor": _AGENT, "status": "resolved"}),
    (300, {"change": "rate", "actor": _ASKER, "rating": 4, "comment": "Quick, in the end."}),
)
"""Minutes after the ticket was opened, and what was asked then."""

PARTIES: Final[Mapping[str, Mapping[str, object]]] = {
    "customer.changed": {
        "customer_id": CUSTOMER,
        "tenant_id": TENANT,
        "external_id": 4711,
        "name": "Anna Steiner",
        "status": "active",
        "tier": "business",
        "updated_at": "2026-11-01T07:00:00Z",
    },
    "partner.changed": {
        "partner_id": PARTNER,
        "tenant_id": TENANT,
        "name": "Fibre Works",
        "status": "active",
        "updated_at": "2026-11-01T07:00:00Z",
    },
}

REFUSED: Final[Mapping[str, object]] = {
    "request_id": "portal-4712",
    "tenant_id": TENANT,
    "origin_type": "platform",
    "target_type": "platform",
    "title": "Maintenance window",
    "description": "The core router is restarted tonight.",
}
BROKEN: Final[Mapping[str, Mapping[str, object]]] = {
    "customer.changed": {"customer_id": CUSTOMER, "name": "Anna Steiner"},
    "partner.changed": {"partner_id": "Fibre Works", "tenant_id": TENANT},
    "ticket.requested": {**REQUEST, "priority": "asap"},
    "ticket.change_requested": {"change": "close", "tenant_id": TENANT, "actor": _AGENT},
}
"""What is no record of its topic."""
