"""A batch of requests and what is known about them: the decisions. Pure, and the heart of it."""

from collections.abc import Iterable, Sequence

from handlers.identity import rejection_id, ticket_number
from handlers.outcomes import (
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
    outcome_of,
)
from handlers.routes import refusal
from schemas.vocabulary import REJECTION_MESSAGES, Outcome, RejectionCode


def question(requests: Iterable[Request]) -> Question:
    """What the database must be asked to decide these requests: each thing once."""
    keys, customers, external_ids, partners = [], set(), set(), set()
    for request in requests:
        keys.append((request.tenant_id, request.request_key))
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


def decide(requests: Sequence[Request], known: Known, rules: Rules) -> list[Decision]:
    """One decision per request, in their order; a repeat within the batch is a duplicate too."""
    fresh: dict[tuple[str, str], Created | Rejected | Parked] = {}
    taken = set(known.taken_numbers)
    decisions: list[Decision] = []
    for request in requests:
        identity = (request.tenant_id, request.request_key)
        earlier = fresh.get(identity)
        prior = known.decided.get(identity) if earlier is None else _remember(earlier)
        if prior is not None and _settled(request, prior, known):
            decisions.append(Duplicate(request, prior.content_hash != request.content_hash))
            continue
        decision = _decide(request, known, rules, taken)
        decisions.append(decision)
        fresh[identity] = decision
    return decisions


def _settled(request: Request, prior: Prior, known: Known) -> bool:
    """Whether the identity is used up, or this very record was rejected before."""
    if prior.outcome is Outcome.PARKED:
        return (request.tenant_id, request.request_key) not in known.reopened
    if prior.outcome is not Outcome.REJECTED:
        return True
    record = request.record
    if record is None:
        return False
    here = (record.topic, record.partition, record.offset)
    return here == (prior.topic, prior.partition, prior.offset) or (
        rejection_id(request.request_key, *here) in known.rejections
    )


def _decide(
    request: Request, known: Known, rules: Rules, taken: set[tuple[str, str]]
) -> Created | Rejected | Parked:
    message, tenant_id = request.message, request.tenant_id
    if message.tenant_id != tenant_id:
        return _reject(request, RejectionCode.TENANT_MISMATCH)
    if rules.tenants is not None and tenant_id not in rules.tenants:
        return _reject(request, RejectionCode.TENANT_UNKNOWN)
    refused = refusal(request, known)
    if refused is not None:
        return _reject(request, refused)
    customer_id, unlisted = message.customer_id, False
    if isinstance(customer_id, int):
        found = known.customers.get((tenant_id, customer_id))
        if found is None:
            return _unknown_customer(request, rules)
        customer_id = found
    elif customer_id is not None:
        stranger = known.strangers.get((tenant_id, customer_id))
        if stranger is not None:
            if rules.customers_required or stranger is Stranger.OTHER_TENANT:
                return _unknown_customer(request, rules)
            unlisted = stranger is Stranger.MISSING
    return Created(request, customer_id, _free_number(request, taken), unlisted)


def _free_number(request: Request, taken: set[tuple[str, str]]) -> str:
    """The first derivation of the ticket's number that its tenant has not given out."""
    attempt, number = 0, ticket_number(request.ticket_id)
    while (request.tenant_id, number) in taken:
        attempt += 1
        number = ticket_number(request.ticket_id, attempt)
    taken.add((request.tenant_id, number))
    return number


def _unknown_customer(request: Request, rules: Rules) -> Parked | Rejected:
    if rules.last_chance or rules.grace_seconds <= 0:
        return _reject(request, RejectionCode.CUSTOMER_NOT_FOUND)
    return Parked(request, str(request.message.customer_id))


def _reject(request: Request, code: RejectionCode) -> Rejected:
    message = request.message
    text = REJECTION_MESSAGES[code].format(
        v=message.customer_id,
        Origin=message.origin_type.value.title(),
        target=message.target_type.value,
        tenant=request.tenant_id,
        claimed=message.tenant_id,
    )
    return Rejected(request, code, text)


def _remember(decision: Created | Rejected | Parked) -> Prior:
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
