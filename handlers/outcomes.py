"""What can become of a request: values that the machine acts on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from handlers.record import Record
from handlers.routing import CompiledPolicy, PolicyUnreadable, Routed
from handlers.sla.clock import Clock
from handlers.sla.history import Segment
from handlers.sla.terms import DEFAULT_LEVELS, Levels
from handlers.ticket import Ticket
from schemas.envelope import Envelope
from schemas.ticket_change_requested import TicketChangeRequested
from schemas.ticket_requested import TicketRequested
from schemas.vocabulary import Outcome, Priority, RejectionCode

# Named tuples, not frozen dataclasses: made once per record, at a third of the cost.


class Request(NamedTuple):
    """A valid request and who it is. record: where it came from, None for a workflow's call."""

    message: TicketRequested
    envelope: Envelope
    record: Record | None
    tenant_id: str
    request_key: str
    ticket_id: str
    content_hash: int


class Change(NamedTuple):
    """A valid change and who it is. ticket_id: of the ticket addressed, once that is known."""

    message: TicketChangeRequested
    envelope: Envelope
    record: Record | None
    tenant_id: str
    request_key: str
    ticket_id: str | None
    content_hash: int


class Created(NamedTuple):
    """A ticket is opened. customer_id: resolved to our own id; unlisted: not on record yet.

    routed: what a rule of this version of the tenant's policy gave it. selected: what the policy
    in force has its clocks judged by; None where the tenant has no policy.
    """

    request: Request
    customer_id: str | None
    ticket_number: str
    customer_is_unlisted: bool
    routed: Routed | None = None
    policy_version: int | None = None
    selected: Levels | None = None

    @property
    def levels(self) -> Levels:
        return DEFAULT_LEVELS[self.priority] if self.selected is None else self.selected

    @property
    def priority(self) -> Priority:
        routed = self.routed
        return self.request.message.priority if routed is None else routed.priority

    @property
    def team(self) -> str | None:
        routed = self.routed
        return self.request.message.assigned_team if routed is None else routed.team

    @property
    def assignee(self) -> str | None:
        return None if self.routed is None else self.routed.assignee


class Rejected(NamedTuple):
    """Well-formed, refused by a rule."""

    request: Request | Change
    code: RejectionCode
    message: str


class Duplicate(NamedTuple):
    """Accepted before, or this very record was decided before. differs: with other content.

    refused: why it was refused once more, where it was decided again: nothing is told twice.
    """

    request: Request | Change
    differs: bool
    refused: Rejected | None = None


class Parked(NamedTuple):
    """The customer is unknown so far; customer_ref is the id that the request gave."""

    request: Request
    customer_ref: str


class Effect(NamedTuple):
    """A fact that a change causes. data: its JSON, as it is published.

    is_by_time: nobody caused it; it is told now because the ticket's clocks were looked at.
    """

    ce_type: str
    sequence: int
    data: str
    is_by_time: bool = False


class NewMessage(NamedTuple):
    """A message that a change adds. attachments: a JSON list."""

    id: str
    sender_type: str
    sender_id: str | None
    body: str
    attachments: str
    is_internal: bool


class Changed(NamedTuple):
    """A ticket is changed. ticket: as it is now; effects: at least one, in their order.

    clocks, segments: those of the ticket's that are to be written, and what happened to them.
    """

    request: Change
    ticket: Ticket
    effects: Sequence[Effect]
    message: NewMessage | None
    clocks: Sequence[Clock] = ()
    segments: Sequence[Segment] = ()


class Unchanged(NamedTuple):
    """Accepted, and there was nothing to change."""

    request: Change
    ticket: Ticket


Decision = Created | Duplicate | Rejected | Parked
"""Of a request."""

ChangeDecision = Changed | Unchanged | Duplicate | Rejected


class Prior(NamedTuple):
    """What the arbiter remembers of an identity."""

    outcome: Outcome
    content_hash: int
    topic: str | None
    partition: int | None
    offset: int | None
    ticket_id: str | None


class Stranger(StrEnum):
    """Why a customer id is not an active customer of the tenant."""

    MISSING = "missing"
    DELETED = "deleted"
    OTHER_TENANT = "other_tenant"


class Party(NamedTuple):
    """A partner as a request may meet it."""

    tenant_id: str
    status: str


@dataclass(slots=True)
class Known:
    """What the database knew about a batch, at one instant.

    strangers: the customer ids (tenant, id) that are not active customers of that tenant.
    reopened: parked identities whose rows the caller holds: they are decided now.
    expired: those of them that no longer wait: an unknown customer is a rejection.
    rejections: the ce_ids of rejections already recorded, of those that a repeat would have.
    versions, policies: those in force by tenant. tiers: of customers (tenant, id), where asked for.
    unreadable: versions that were asked for and are not understood; others hold instead.
    retries_rejections: records that were rejected are decided again, like new ones.
    """

    now: datetime
    outbox_id: int
    decided: dict[tuple[str, str], Prior] = field(default_factory=dict)
    strangers: dict[tuple[str, str], Stranger] = field(default_factory=dict)
    customers: dict[tuple[str, int], str] = field(default_factory=dict)
    partners: dict[str, Party] = field(default_factory=dict)
    reopened: set[tuple[str, str]] = field(default_factory=set)
    expired: set[tuple[str, str]] = field(default_factory=set)
    rejections: set[str] = field(default_factory=set)
    taken_numbers: set[tuple[str, str]] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)
    policies: dict[str, CompiledPolicy] = field(default_factory=dict)
    tiers: dict[tuple[str, str], str] = field(default_factory=dict)
    unreadable: list[PolicyUnreadable] = field(default_factory=list)
    retries_rejections: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator set. grace_seconds: how long an unknown customer is waited for."""

    tenants: frozenset[str] | None = None
    customers_required: bool = True
    grace_seconds: float = 30.0
    last_chance: bool = False
    """True when nobody waits any longer: an unknown customer is a rejection."""


class Question(NamedTuple):
    """What to ask the database before deciding a batch."""

    keys: Sequence[tuple[str, str]]
    customers: Sequence[tuple[str, str]]
    external_ids: Sequence[tuple[str, int]]
    partners: Sequence[str]


_OUTCOMES: Final = {
    Created: Outcome.CREATED,
    Changed: Outcome.CHANGED,
    Unchanged: Outcome.UNCHANGED,
    Duplicate: Outcome.DUPLICATE,
    Rejected: Outcome.REJECTED,
    Parked: Outcome.PARKED,
}


def outcome_of(decision: Decision | ChangeDecision) -> Outcome:
    """The recorded outcome that a decision is."""
    return _OUTCOMES[type(decision)]
