"""What nobody may do to a ticket: each attempt, and the code and the words that refuse it."""

from typing import Any, NamedTuple

from handlers.identity import ticket_number
from tests.records import asked
from tests.scenarios.messages import ANNA, Message, change_requested, party_id

SOUTH = "south"
BOUND = "south.changes"
ANNAS, PARTNERS, CLOSED, RESOLVED = (asked(number).ticket_id for number in range(1, 5))
"""A customer's ticket at the tenant; one at a partner; one that is closed; one resolved long ago.
All are Anna's."""

ANNA_HERSELF = {"type": "customer", "id": ANNA}
BERT = {"type": "customer", "id": party_id("Bert")}
PARTNER = {"type": "partner", "id": party_id("Cable & Co")}
OTHER_PARTNER = {"type": "partner", "id": party_id("Mast & Co")}
PLATFORM = {"type": "platform", "id": "engineer-3"}

METADATA = "Customers cannot update ticket metadata."
NOT_THEIRS = "Customer does not have access to this ticket."
NOT_ROUTED = "Partner does not have access to this ticket."
NO_ACTOR = "Only customer, tenant, partner and platform actors can change a ticket."
NOBODY_RATES = "Only the customer can rate a ticket."
SERVICE_FIELD = "Only tenant and platform actors can update {}."
NEW_TICKET = "please open a new ticket."
NO_TICKET = party_id("no ticket")


class Act(NamedTuple):
    """An attempt: the change, what it says besides, and how it is refused."""

    change: str
    ticket: str | None
    code: str
    message: str
    fields: dict[str, Any]
    topic: str = "ticket.change_requested"

    def record(self, name: str) -> Message:
        sent = change_requested(self.change, self.ticket, request_id=name, **self.fields)
        return sent.on(self.topic)


def denied(message: str, change: str, ticket: str = ANNAS, **fields: Any) -> Act:  # noqa: ANN401  a change's own
    return Act(change, ticket, "access_denied", message, fields)


def handed_to(code: str, message: str, ticket: str = ANNAS, *, actor: Any = ..., **to: Any) -> Act:  # noqa: ANN401  as sent
    named = {} if actor is ... else {"actor": actor}
    return Act("escalate", ticket, code, message, {"to": to, **named})


CUSTOMERS = {
    "sets the priority": denied(METADATA, "set_priority", actor=ANNA_HERSELF, priority="urgent"),
    "sets a field": denied(
        METADATA, "set_fields", actor=ANNA_HERSELF, fields={"service_address": "Elsewhere 1"}
    ),
    "sets the context": denied(
        METADATA, "set_fields", actor=ANNA_HERSELF, fields={"context": {"vip": True}}
    ),
    "assigns": denied(METADATA, "assign", actor=ANNA_HERSELF, assigned_team="The best"),
    "escalates": denied(METADATA, "escalate", actor=ANNA_HERSELF, to={"level": 1}),
    "resolves": denied(METADATA, "set_status", actor=ANNA_HERSELF, status="resolved"),
    "closes beside a message": denied(
        METADATA, "add_message", actor=ANNA_HERSELF, body="Done.", new_status="closed"
    ),
    "writes an internal note": denied(
        "Customers cannot write internal messages.",
        "add_message",
        actor=ANNA_HERSELF,
        body="Between us.",
        is_internal=True,
    ),
    "speaks as the tenant": denied(
        "Customer actors cannot write messages as tenant.",
        "add_message",
        actor=ANNA_HERSELF,
        body="All is well.",
        sender_type="tenant",
    ),
    "speaks as another": denied(
        "Customers cannot write messages for others.",
        "add_message",
        actor=ANNA_HERSELF,
        body="I am Bert.",
        sender_id=BERT["id"],
    ),
    "replies on another's": denied(NOT_THEIRS, "add_message", actor=BERT, body="Me too."),
    "rates another's": denied(NOT_THEIRS, "rate", RESOLVED, actor=BERT, rating=1),
    "reopens another's": denied(NOT_THEIRS, "set_status", RESOLVED, actor=BERT, status="open"),
    "is nobody in particular": denied(
        NOT_THEIRS, "add_message", actor={"type": "customer"}, body="Me."
    ),
    "rates too early": Act(
        "rate",
        ANNAS,
        "not_resolved",
        "A ticket can be rated once it is resolved.",
        {"rating": 1, "actor": ANNA_HERSELF},
    ),
    "replies to a closed one": Act(
        "add_message",
        CLOSED,
        "ticket_closed",
        f"The ticket is closed; {NEW_TICKET}",
        {"body": "Hello?", "actor": ANNA_HERSELF},
    ),
    "is back too late": Act(
        "add_message",
        RESOLVED,
        "reopen_window_passed",
        f"The ticket was resolved too long ago to be reopened; {NEW_TICKET}",
        {"body": "It is back.", "actor": ANNA_HERSELF},
    ),
}

PARTNERS_OF_THE_TENANT = {
    "answers what is not routed to it": denied(NOT_ROUTED, "add_message", actor=PARTNER, body="?"),
    "takes what is another's": denied(
        NOT_ROUTED, "set_status", PARTNERS, actor=OTHER_PARTNER, status="resolved"
    ),
    "is no partner in particular": denied(
        NOT_ROUTED, "set_status", PARTNERS, actor={"type": "partner"}, status="resolved"
    ),
    "sets the ticket type": denied(
        SERVICE_FIELD.format("ticket type"),
        "set_fields",
        PARTNERS,
        actor=PARTNER,
        fields={"ticket_type": "speed_issue"},
    ),
    "sets the address": denied(
        SERVICE_FIELD.format("service address"),
        "set_fields",
        PARTNERS,
        actor=PARTNER,
        fields={"service_address": "Elsewhere 1"},
    ),
    "sets the services": denied(
        SERVICE_FIELD.format("affected services"),
        "set_fields",
        PARTNERS,
        actor=PARTNER,
        fields={"affected_services": ["tv"]},
    ),
    "sets the serial numbers, and the context too": denied(
        SERVICE_FIELD.format("device serial numbers"),
        "set_fields",
        PARTNERS,
        actor=PARTNER,
        fields={"context": {"a": 1}, "device_serial_numbers": ["S-1"]},
    ),
    "rates": denied(NOBODY_RATES, "rate", PARTNERS, actor=PARTNER, rating=5),
    "speaks as the platform": denied(
        "Partner actors cannot write messages as platform.",
        "add_message",
        PARTNERS,
        actor=PARTNER,
        body="Do it.",
        sender_type="platform",
    ),
    "picks another partner": handed_to(
        "route_not_allowed",
        "Partner actors cannot open tickets targeting partner.",
        PARTNERS,
        actor=PARTNER,
        partner_id=OTHER_PARTNER["id"],
    ),
}

AGENTS = {
    "rates": denied(NOBODY_RATES, "rate", RESOLVED, rating=5),
    "rates for the platform": denied(NOBODY_RATES, "rate", RESOLVED, actor=PLATFORM, rating=5),
    "speaks as the platform": denied(
        "Tenant actors cannot write messages as platform.",
        "add_message",
        body="Done.",
        sender_type="platform",
    ),
    "names no partner": handed_to(
        "partner_required",
        "partner_id is required when targeting a partner.",
        target_type="partner",
    ),
    "names an unknown partner": handed_to(
        "partner_not_found", "Partner not found or inactive.", partner_id=party_id("nobody")
    ),
    "names a partner that sleeps": handed_to(
        "partner_inactive",
        "Partner must be active to receive tickets.",
        partner_id=party_id("asleep"),
    ),
    "names another tenant's partner": handed_to(
        "partner_other_tenant",
        "Partner does not belong to the specified tenant context.",
        partner_id=party_id("theirs"),
    ),
    "hands it to the customer": handed_to(
        "route_not_allowed",
        "Tenant actors cannot open tickets targeting customer.",
        target_type="customer",
    ),
    "climbs too high": handed_to("level_invalid", "Escalation level 99 does not exist.", level=99),
    "acts on an old picture": Act(
        "assign",
        RESOLVED,
        "stale",
        "The ticket has changed since sequence 1.",
        {"assigned_team": "North", "expected_sequence": 1},
    ),
    "opens what is closed": Act(
        "set_status",
        CLOSED,
        "transition_not_allowed",
        "A ticket can't go from closed to open.",
        {"status": "open"},
    ),
}

STRANGERS = {
    "nobody": denied(NO_ACTOR, "set_status", actor=..., status="resolved"),
    "null": denied(NO_ACTOR, "set_status", actor=None, status="resolved"),
    "no type": denied(NO_ACTOR, "set_status", actor={"id": "agent-7"}, status="resolved"),
    "the system, which is ours alone": denied(
        NO_ACTOR, "set_status", actor={"type": "system", "id": "x"}, status="resolved"
    ),
    "somebody unheard of": denied(
        NO_ACTOR, "set_status", actor={"type": "admin", "id": "root"}, status="resolved"
    ),
    "another tenant": Act(
        "set_status",
        ANNAS,
        "ticket_not_found",
        f"Ticket {ANNAS} not found",
        {"tenant_id": SOUTH, "status": "resolved"},
    ),
    "the platform in another tenant": Act(
        "set_status",
        ANNAS,
        "ticket_not_found",
        f"Ticket {ANNAS} not found",
        {"tenant_id": SOUTH, "status": "resolved", "actor": PLATFORM},
    ),
    "another tenant by its number": Act(
        "set_status",
        None,
        "ticket_not_found",
        f"Ticket {ticket_number(ANNAS)} not found",
        {"tenant_id": SOUTH, "ticket_number": ticket_number(ANNAS), "status": "resolved"},
    ),
    "a tenant on another's topic": Act(
        "set_status",
        ANNAS,
        "tenant_mismatch",
        "The topic is bound to tenant south, not north.",
        {"status": "resolved"},
        BOUND,
    ),
    "a tenant that is not served": Act(
        "set_status",
        ANNAS,
        "tenant_unknown",
        "Tenant west is not served here.",
        {"tenant_id": "west", "status": "resolved"},
    ),
    "no such ticket": Act(
        "set_status",
        NO_TICKET,
        "ticket_not_found",
        f"Ticket {NO_TICKET} not found",
        {"status": "resolved"},
    ),
    "no such number": Act(
        "set_status",
        None,
        "ticket_not_found",
        "Ticket TCK-000000000000 not found",
        {"ticket_number": "TCK-000000000000", "status": "resolved"},
    ),
}

ACTS = {
    f"{who}: {what}": act
    for who, acts in {
        "a customer": CUSTOMERS,
        "a partner": PARTNERS_OF_THE_TENANT,
        "an agent": AGENTS,
        "a stranger": STRANGERS,
    }.items()
    for what, act in acts.items()
}
