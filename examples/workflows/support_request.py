"""A support request, from the customer's first word to the rating.

Run it with `python -m examples.workflows.support_request`.
"""

import sys
from typing import Any, Final

from examples.workflows.case import Case, Step, example_id
from examples.workflows.running_service import tell

ADA: Final = "Ada Lovelace"
CUSTOMER: Final = {"type": "customer", "id": example_id(ADA)}
AGENT: Final = {"type": "tenant", "id": "agent-7"}

REQUEST: Final[dict[str, Any]] = {
    "title": "No internet since this morning",
    "description": "The router blinks red. I have restarted it twice.",
    "priority": "high",
    "ticket_type": "connectivity_issue",
    "service_address": "12 Analytical Row, Anytown",
}

STEPS: Final = (
    Step(
        "first_reply",
        "2. An agent answers. It is the first reply: the ticket is in progress from here on.",
        AGENT,
        {"change": "add_message", "body": "I am measuring your line. One moment, please."},
        facts=("ticket.message_added", "ticket.status_changed"),
    ),
    Step(
        "note",
        "3. The agent leaves a note for colleagues. Subscribers hear of it, not what it says.",
        AGENT,
        {"change": "add_message", "body": "High attenuation: port 14?", "is_internal": True},
        facts=("ticket.message_added",),
    ),
    Step(
        "answer",
        "4. The customer answers. This moves nothing: the ticket is in progress already.",
        CUSTOMER,
        {"change": "add_message", "body": "Now the light is orange."},
        facts=("ticket.message_added",),
    ),
    Step(
        "resolved",
        "5. The agent has moved the line to another port and says so: message and status in one.",
        AGENT,
        {
            "change": "add_message",
            "body": "You are on a new port. Please try again.",
            "new_status": "resolved",
        },
        facts=("ticket.message_added", "ticket.status_changed"),
    ),
    Step(
        "back",
        "6. It is not solved. The customer's message alone opens the ticket again.",
        CUSTOMER,
        {"change": "add_message", "body": "It worked for an hour, and is gone again."},
        facts=("ticket.message_added", "ticket.reopened"),
    ),
    Step(
        "resolved_again",
        "7. A new router later it is.",
        AGENT,
        {"change": "set_status", "status": "resolved"},
        facts=("ticket.status_changed",),
    ),
    Step(
        "rated",
        "8. The customer is content: 5 of 5.",
        CUSTOMER,
        {"change": "rate", "rating": 5, "comment": "Quick, and friendly."},
        facts=("ticket.rated",),
    ),
)


def story(case: Case) -> None:
    """Eight steps, each once the one before has been told."""
    customer_id = case.announce("customer", ADA)
    case.open("1. The customer asks for help.", customer_id, **REQUEST)
    for step in STEPS:
        case.take(step)


if __name__ == "__main__":
    sys.exit(tell("support_request", "A support request and all that follows.", story))
