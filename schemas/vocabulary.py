"""The words of the contract, once: what requests, tickets and facts may say."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

_NO_ALIASES: Final[Mapping[str, str]] = MappingProxyType({})
_PRIORITY_ALIASES: Final = MappingProxyType({"medium": "normal", "critical": "urgent"})


class Word(StrEnum):
    """A closed list of words, which senders may write in any case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        # Only an odd spelling comes here: the canonical one is found without a line of Python.
        if not isinstance(value, str):
            return None
        word = value.strip().lower()
        word = cls.aliases().get(word, word)
        return next((member for member in cls if member.value == word), None)

    @classmethod
    def aliases(cls) -> Mapping[str, str]:
        """What senders also say, and the word that it means."""
        return _NO_ALIASES


class ActorType(Word):
    """Who takes part in a ticket."""

    CUSTOMER = "customer"
    TENANT = "tenant"
    PARTNER = "partner"
    PLATFORM = "platform"


SYSTEM_ACTOR: Final = "system"
"""The actor of workflows; ours alone, and invalid inbound."""


class TicketStatus(Word):
    """Where a ticket is in its life."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Priority(Word):
    """How urgent a ticket is. Senders also say `medium` (normal) and `critical` (urgent)."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    @classmethod
    def aliases(cls) -> Mapping[str, str]:
        return _PRIORITY_ALIASES


class TicketType(Word):
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


class ChangeKind(StrEnum):
    """What a change does to a ticket."""

    ADD_MESSAGE = "add_message"
    SET_STATUS = "set_status"
    ASSIGN = "assign"
    SET_PRIORITY = "set_priority"
    SET_FIELDS = "set_fields"
    ESCALATE = "escalate"
    RATE = "rate"


class SlaMetric(StrEnum):
    """What a service level is measured by."""

    FIRST_RESPONSE = "first_response"
    RESOLUTION = "resolution"


class PauseReason(StrEnum):
    """Why a clock may stand still. It runs while it has none of those that count for it."""

    WAITING_FOR_CUSTOMER = "waiting_for_customer"
    WAITING_FOR_PARTNER = "waiting_for_partner"
    SCHEDULED_VISIT = "scheduled_visit"


class Reopening(StrEnum):
    """What becomes of a ticket's clocks when it is reopened."""

    NEW_CYCLE = "new_cycle"
    CONTINUE = "continue"


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
