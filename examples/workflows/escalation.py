"""An escalation: from the tenant to its partner, and from there to the platform.

Run it with `python -m examples.workflows.escalation`.
"""

import sys
from typing import Any, Final

from examples.workflows.case import Case, Step, example_id
from examples.workflows.running_service import tell

ADA: Final = "Ada Lovelace"
PARTNER_NAME: Final = "Fibre Works"
THEIR_PARTNER: Final = "Mast & Cable"
THEIR_TENANT: Final = "other-fiber"

CUSTOMER: Final = {"type": "customer", "id": example_id(ADA)}
AGENT: Final = {"type": "tenant", "id": "agent-7"}
PARTNER: Final = {"type": "partner", "id": example_id(PARTNER_NAME)}
ENGINEER: Final = {"type": "platform", "id": "engineer-3"}

REQUEST: Final[dict[str, Any]] = {
    "title": "The whole street is offline",
    "description": "My neighbours have no internet either.",
    "priority": "high",
    "ticket_type": "outage_report",
    "service_address": "12 Analytical Row, Anytown",
}

TO_PARTNER = Step(
    "to_partner",
    "4. Tenant to partner: level 1 (L2), and the partner is named.",
    AGENT,
    {
        "change": "escalate",
        "to": {"level": 1, "target_type": "partner", "partner_id": PARTNER["id"]},
        "reason": "The cable in the street is theirs.",
    },
    facts=("ticket.escalated",),
)

STEPS: Final = (
    Step(
        "urgent",
        "2. The customer wants it to be urgent. How urgent it is, is for the tenant to say.",
        CUSTOMER,
        {"change": "set_priority", "priority": "urgent"},
        refusal="access_denied",
    ),
    Step(
        "wrong_partner",
        "3. An agent picks another provider's partner by mistake. The ticket stays where it is.",
        AGENT,
        {
            "change": "escalate",
            "to": {"level": 1, "target_type": "partner", "partner_id": example_id(THEIR_PARTNER)},
        },
        refusal="partner_other_tenant",
    ),
    TO_PARTNER,
    Step(
        "partner_answers",
        "5. Now that the ticket is routed to it, the partner may answer: the first reply.",
        PARTNER,
        {"change": "add_message", "body": "The cable is whole. It is the node behind it."},
        facts=("ticket.message_added", "ticket.status_changed"),
    ),
    Step(
        "to_platform",
        "6. Partner to platform: level 2 (L3).",
        PARTNER,
        {
            "change": "escalate",
            "to": {"level": 2, "target_type": "platform", "team": "core_network"},
            "reason": "The node does not answer us.",
        },
        facts=("ticket.escalated",),
    ),
    Step(
        "platform_resolves",
        "7. The platform's engineer has replaced the node, and resolves the ticket.",
        ENGINEER,
        {
            "change": "add_message",
            "body": "The node is replaced, and your street is back.",
            "new_status": "resolved",
        },
        facts=("ticket.message_added", "ticket.status_changed"),
    ),
)


def story(case: Case) -> None:
    """Seven steps, each once the one before has been told."""
    customer_id = case.announce("customer", ADA)
    case.announce("partner", PARTNER_NAME)
    case.announce("partner", THEIR_PARTNER, THEIR_TENANT)
    case.open("1. The customer tells the tenant of an outage.", customer_id, **REQUEST)
    for step in STEPS:
        case.take(step)


if __name__ == "__main__":
    sys.exit(tell("escalation", "From the tenant to its partner to the platform.", story))
