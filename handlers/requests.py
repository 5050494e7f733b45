"""A batch of requests and what is known about them: the decisions. Pure, and the heart of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from handlers.identity import rejection_id, ticket_number
from handlers.outcomes import (
    Change,
    Changed,
    Created,
    Decision,
    Duplicate,
    Known,
    Parked,
    Prior,
    Question,
    Rejected,
    Request,
    Rules,
    Stranger,
    Unchanged,
    outcome_of,
)
from handlers.record import Record
from handlers.routes import refusal
from handlers.routing import CompiledPolicy, Routed
from schemas.ticket_change_requested import Escalate
from schemas.vocabulary import REJECTION_MESSAGES, Outcome, Priority, RejectionCode, TicketType


def question(requests: Iterable[Request | Change]) -> Question:
    """What the database must be asked to decide these: each thing once."""
    keys, customers, external_ids, partners = [], set(), set(), set()
    for request in requests:
        keys.append((request.tenant_id, request.request_key))
        if isinstance(request, Change):  # not its message: pydantic's classes are slow to ask
            change = request.message
            if isinstance(change, Escalate) and change.to.partner_id is not None:
                partners.add(change.to.partner_id)
            continue
        message = request.message
        match message.customer_id:
            case str(customer_id):
                customers.add((request.tenant_id, customer_id))
            case int(external_id):
                external_ids.add((request.tenant_id, external_id))
            case None:
                pass
        if message.partner_id is not None:
            partners.add(message.partner_id)
    return Question(keys, sorted(customers), sorted(external_ids), sorted(partners))


Settled = Created | Changed | Unchanged | Rejected | Parked


@dataclass(slots=True)
class Earlier:
    """What a batch's earlier decisions mean for its later ones.

    rejections: ce_ids. newcomers: the tenants of customers that nobody had announced.
    """

    known: Known
    taken_numbers: set[tuple[str, str]] = field(default_factory=set)
    rejections: set[str] = field(default_factory=set)
    decided: dict[tuple[str, str], Settled] = field(default_factory=dict)
    newcomers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.taken_numbers |= self.known.taken_numbers
        self.rejections |= self.known.rejections

    def duplicate(self, request: Request | Change) -> Duplicate | None:
        """Whether this was decided before, in the batch or before it."""
        identity = (request.tenant_id, request.request_key)
        before = self.decided.get(identity)
        prior = self.known.decided.get(identity) if before is None else _remember(before)
        if prior is not None and _settled(request, prior, self.known, self):
            return Duplicate(request, prior.content_hash != request.content_hash)
        return None

    def refused_again(self, decision: Settled) -> Duplicate | None:
        """Whether it repeats a rejection of this very record, which is on record already."""
        request = decision.request
        if not isinstance(decision, Rejected) or request.record is None:
            return None
        if rejection_id(request.request_key, *_place(request.record)) not in self.rejections:
            return None
        prior = self.known.decided.get((request.tenant_id, request.request_key))
        differs = prior is not None and prior.content_hash != request.content_hash
        return Duplicate(request, differs, decision)

    def remember(self, decision: Settled) -> None:
        """What comes later in the batch may repeat it."""
        request = decision.request
        self.decided[request.tenant_id, request.request_key] = decision
        if isinstance(decision, Rejected) and request.record is not None:
            self.rejections.add(rejection_id(request.request_key, *_place(request.record)))


def decide(requests: Sequence[Request], known: Known, rules: Rules) -> list[Decision]:
    """One decision per request, in their order; a repeat within the batch is a duplicate too."""
    earlier = Earlier(known)
    decisions: list[Decision] = []
    for request in requests:
        duplicate = earlier.duplicate(request)
        if duplicate is not None:
            decisions.append(duplicate)
            continue
        decision = _decide(request, known, rules, earlier)
        again = earlier.refused_again(decision)
        if again is None:
            earlier.remember(decision)
        decisions.append(again or decision)
    return decisions


def wrong_tenant(request: Request | Change, rules: Rules) -> Rejected | None:
    """The refusal of a tenant that is not the topic's, or not served here."""
    tenant_id = request.tenant_id
    if request.message.tenant_id != tenant_id:
        code = RejectionCode.TENANT_MISMATCH
    elif rules.tenants is not None and tenant_id not in rules.tenants:
        code = RejectionCode.TENANT_UNKNOWN
    else:
        return None
    text = REJECTION_MESSAGES[code].format(tenant=tenant_id, claimed=request.message.tenant_id)
    return Rejected(request, code, text)


def _place(record: Record) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


def _settled(request: Request | Change, prior: Prior, known: Known, earlier: Earlier) -> bool:
    """Whether the identity is used up, or this very record was rejected before."""
    if prior.outcome is Outcome.PARKED:
        return (request.tenant_id, request.request_key) not in known.reopened
    if prior.outcome is not Outcome.REJECTED:
        return True
    if request.record is None or known.retries_rejections:
        return False
    here = _place(request.record)
    return here == (prior.topic, prior.partition, prior.offset) or (
        rejection_id(request.request_key, *here) in earlier.rejections
    )


def _decide(
    request: Request, known: Known, rules: Rules, earlier: Earlier
) -> Created | Rejected | Parked:
    message, tenant_id = request.message, request.tenant_id
    if (wrong := wrong_tenant(request, rules)) is not None:
        return wrong
    refused = refusal(request, known)
    if refused is not None:
        return _reject(request, refused)
    customer_id, unlisted = message.customer_id, False
    if isinstance(customer_id, int):
        found = known.customers.get((tenant_id, customer_id))
        if found is None:
            return _unknown_customer(request, known, rules)
        customer_id = found
    elif customer_id is not None:
        stranger = known.strangers.get((tenant_id, customer_id))
        if stranger is not None:
            unlisted = stranger is Stranger.MISSING
            if (
                rules.customers_required
                or stranger is Stranger.OTHER_TENANT
                or (unlisted and earlier.newcomers.setdefault(customer_id, tenant_id) != tenant_id)
            ):
                return _unknown_customer(request, known, rules)
    number = _free_number(request, earlier.taken_numbers)
    policy = known.policies.get(tenant_id)
    if policy is None:
        return Created(request, customer_id, number, unlisted)
    tier = None if customer_id is None else known.tiers.get((tenant_id, customer_id))
    rule = routed(request, policy, tier)
    version = None if rule is None else known.versions[tenant_id]
    selected = policy.sla.select(**sla_facts(request, rule, tier))
    return Created(request, customer_id, number, unlisted, rule, version, selected)


def routed(request: Request, policy: CompiledPolicy, customer_tier: str | None) -> Routed | None:
    """What the tenant's rules give a request, unless it names a team itself."""
    message = request.message
    if message.assigned_team is not None:
        return None
    return policy.route(
        ticket_id=request.ticket_id,
        ticket_type=message.ticket_type,
        priority=message.priority,
        customer_tier=customer_tier,
        service_address=message.service_address,
        serials=message.device_serial_numbers,
        title=message.title,
        description=message.description,
    )


class SlaFacts(TypedDict):
    """What SLA policies ask about a ticket."""

    ticket_type: TicketType | None
    priority: Priority
    customer_tier: str | None
    team: str | None


def sla_facts(request: Request, rule: Routed | None, customer_tier: str | None) -> SlaFacts:
    """Of the ticket that a request opens: it has the priority and the team of its rule."""
    message = request.message
    return {
        "ticket_type": message.ticket_type,
        "priority": message.priority if rule is None else rule.priority,
        "customer_tier": customer_tier,
        "team": message.assigned_team if rule is None else rule.team,
    }


def _free_number(request: Request, taken: set[tuple[str, str]]) -> str:
    """The first derivation of the ticket's number that its tenant has not given out."""
    attempt, number = 0, ticket_number(request.ticket_id)
    while (request.tenant_id, number) in taken:
        attempt += 1
        number = ticket_number(request.ticket_id, attempt)
    taken.add((request.tenant_id, number))
    return number


def _unknown_customer(request: Request, known: Known, rules: Rules) -> Parked | Rejected:
    waits_no_longer = (request.tenant_id, request.request_key) in known.expired
    if waits_no_longer or rules.last_chance or rules.grace_seconds <= 0:
        return _reject(request, RejectionCode.CUSTOMER_NOT_FOUND)
    return Parked(request, str(request.message.customer_id))


def _reject(request: Request, code: RejectionCode) -> Rejected:
    message = request.message
    text = REJECTION_MESSAGES[code].format(
        v=message.customer_id,
        Origin=message.origin_type.value.title(),
        target=message.target_type.value,
    )
    return Rejected(request, code, text)


def _remember(decision: Settled) -> Prior:
    request = decision.request
    record = request.record
    outcome = outcome_of(decision)
    if record is None:
        return Prior(outcome, request.content_hash, None, None, None, request.ticket_id)
    return Prior(
        outcome,
        request.content_hash,
        record.topic,
        record.partition,
        record.offset,
        request.ticket_id,
    )
