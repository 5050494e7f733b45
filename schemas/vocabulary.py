"""The words of the contract, once: what requests, tickets and facts may say."""

from enum import StrEnum
from typing import Final


class ActorType(StrEnum):
    """Who takes part in a ticket."""

    CUSTOMER = "customer"
    TENANT = "tenant"
    PARTNER = "partner"
    PLATFORM = "platform"


SYSTEM_ACTOR: Final = "system"
"""The actor of workflows; ours alone, and invalid inbound."""


class TicketStatus(StrEnum):
    """Where a ticket is in its life."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Priority(StrEnum):
    """How urgent a ticket is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


PRIORITY_NAMES: Final = {
    **{priority.value: priority for priority in Priority},
    "medium": Priority.NORMAL,
    "critical": Priority.URGENT,
}
"""What senders may write, in any case."""


class TicketType(StrEnum):
    """What an internet provider's tickets are about."""

    GENERAL_INQUIRY = "general_inquiry"
    BILLING_ISSUE = "billing_issue"
    TECHNICAL_SUPPORT = "technical_support"
    INSTALLATION_REQUEST = "installation_request"
    OUTAGE_REPORT = "outage_report"
    SERVICE_UPGRADE = "service_upgrade"
    SERVICE_DOWNGRADE = "service_downgrade"
    CANCELLATION_REQUEST = "cancellation_request"
    EQUIPMENT_ISSUE = "equipment_issue"
    SPEED_ISSUE = "speed_issue"
    NETWORK_ISSUE = "network_issue"
    CONNECTIVITY_ISSUE = "connectivity_issue"


class Kind(StrEnum):
    """What a record asks for."""

    REQUEST = "request"
    CHANGE = "change"


class Outcome(StrEnum):
    """What becomes of a record: exactly one of these."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    DEAD_LETTERED = "dead_lettered"
    PARKED = "parked"


class RejectionCode(StrEnum):
    """Why a well-formed request is refused. A closed list: a new one is a contract change."""

    CUSTOMER_NOT_FOUND = "customer_not_found"
    ROUTE_NOT_ALLOWED = "route_not_allowed"
    PARTNER_REQUIRED = "partner_required"
    PARTNER_NOT_FOUND = "partner_not_found"
    PARTNER_INACTIVE = "partner_inactive"
    PARTNER_OTHER_TENANT = "partner_other_tenant"
    TENANT_MISMATCH = "tenant_mismatch"
    TENANT_UNKNOWN = "tenant_unknown"
    TICKET_NOT_FOUND = "ticket_not_found"
    ACCESS_DENIED = "access_denied"
    TRANSITION_NOT_ALLOWED = "transition_not_allowed"
    REOPEN_WINDOW_PASSED = "reopen_window_passed"
    TICKET_CLOSED = "ticket_closed"
    NOT_RESOLVED = "not_resolved"
    LEVEL_INVALID = "level_invalid"
    STALE = "stale"


REJECTION_MESSAGES: Final = {
    RejectionCode.CUSTOMER_NOT_FOUND: "Invalid customer_id: {v} (customer lookup failed)",
    RejectionCode.ROUTE_NOT_ALLOWED: "{Origin} actors cannot open tickets targeting {target}.",
    RejectionCode.PARTNER_REQUIRED: "partner_id is required when targeting a partner.",
    RejectionCode.PARTNER_NOT_FOUND: "Partner not found or inactive.",
    RejectionCode.PARTNER_INACTIVE: "Partner must be active to receive tickets.",
    RejectionCode.PARTNER_OTHER_TENANT: (
        "Partner does not belong to the specified tenant context."
    ),
    RejectionCode.TENANT_MISMATCH: "The topic is bound to tenant {tenant}, not {claimed}.",
    RejectionCode.TENANT_UNKNOWN: "Tenant {tenant} is not served here.",
    RejectionCode.TICKET_NOT_FOUND: "Ticket {id} not found",
    RejectionCode.ACCESS_DENIED: "{reason}",
    RejectionCode.TRANSITION_NOT_ALLOWED: "A ticket can't go from {before} to {after}.",
    RejectionCode.REOPEN_WINDOW_PASSED: (
        "The ticket was resolved too long ago to be reopened; please open a new ticket."
    ),
    RejectionCode.TICKET_CLOSED: "The ticket is closed; please open a new ticket.",
    RejectionCode.NOT_RESOLVED: "A ticket can be rated once it is resolved.",
    RejectionCode.LEVEL_INVALID: "Escalation level {level} does not exist.",
    RejectionCode.STALE: "The ticket has changed since sequence {sequence}.",
}
"""Templates for str.format."""
