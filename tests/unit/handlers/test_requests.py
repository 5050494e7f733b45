"""What becomes of a request: every outcome and every rejection that opening a ticket can have."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.identity import rejection_id, ticket_number
from handlers.outcomes import (
    Created,
    Decision,
    Duplicate,
    Known,
    Parked,
    Party,
    Prior,
    Question,
    Rejected,
    Request,
    Rules,
    Stranger,
    outcome_of,
)
from handlers.requests import decide, question
from handlers.routes import ALLOWED
from handlers.routing import compile_policy
from handlers.sla.terms import DEFAULT_LEVELS
from schemas.vocabulary import ActorType, Outcome, Priority, RejectionCode
from tests.records import asked, known, some_id
from tests.scenarios.messages import ANNA, NORTH, party_id

RULES = Rules()
PARTNER = party_id("Cable & Co")
ACTIVE = {PARTNER: Party(NORTH, "active")}


def decided(request: Request, facts: Known | None = None, rules: Rules = RULES) -> Decision:
    (decision,) = decide([request], facts or known(), rules)
    return decision


def refusal(request: Request, facts: Known | None = None, rules: Rules = RULES) -> tuple[str, str]:
    decision = decided(request, facts, rules)
    assert isinstance(decision, Rejected), decision
    return decision.code, decision.message


def prior(request: Request, outcome: Outcome, **place: int) -> Known:
    """The identity was decided before. place: where the record stood, if not where this does."""
    record = request.record
    assert record is not None
    at = {"partition": record.partition, "offset": record.offset} | place
    found = Prior(
        outcome,
        request.content_hash,
        record.topic,
        at["partition"],
        at["offset"],
        request.ticket_id,
    )
    return known(decided={(request.tenant_id, request.request_key): found})


def outcomes(decisions: Sequence[Decision]) -> list[Outcome]:
    return [outcome_of(decision) for decision in decisions]


def test_a_good_request_is_created_under_its_derived_number() -> None:
    request = asked()
    assert decided(request) == Created(request, ANNA, ticket_number(request.ticket_id), False)  # noqa: FBT003


@pytest.mark.parametrize("outcome", [Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED])
def test_an_identity_that_was_accepted_is_a_duplicate(outcome: Outcome) -> None:
    request = asked(offset=9)
    assert decided(request, prior(request, outcome, offset=3)) == Duplicate(request, differs=False)


def test_a_duplicate_of_other_content_says_so() -> None:
    first, second = asked(title="First"), asked(offset=1, title="Second")
    assert decided(second, prior(first, Outcome.CREATED)) == Duplicate(second, differs=True)
    assert decide([first, second, first], known(), RULES)[1:] == [
        Duplicate(second, differs=True),
        Duplicate(first, differs=False),
    ]


def test_a_parked_identity_is_a_duplicate_meanwhile() -> None:
    request = asked(offset=9)
    facts = prior(request, Outcome.PARKED, offset=3)
    assert isinstance(decided(request, facts), Duplicate)


def test_a_parked_identity_is_decided_by_who_holds_its_row() -> None:
    request = asked()
    facts = prior(request, Outcome.PARKED)
    facts.reopened = {(NORTH, request.request_key)}
    assert isinstance(decided(request, facts), Created)


def test_a_rejected_identity_is_decided_anew_for_a_new_record() -> None:
    request = asked(offset=9)
    assert isinstance(decided(request, prior(request, Outcome.REJECTED, offset=3)), Created)
    assert isinstance(decided(request, prior(request, Outcome.REJECTED, partition=1)), Created)


def test_the_record_that_was_rejected_stays_a_duplicate() -> None:
    request = asked(offset=9)
    assert isinstance(decided(request, prior(request, Outcome.REJECTED)), Duplicate)


def test_a_record_that_was_rejected_before_others_stays_a_duplicate() -> None:
    request = asked(offset=3)
    facts = prior(request, Outcome.REJECTED, offset=9)
    facts.rejections = {rejection_id(request.request_key, "ticket.requested", 0, 3)}
    assert isinstance(decided(request, facts), Duplicate)


def test_rejected_and_then_accepted_within_a_batch() -> None:
    forbidden, allowed = asked(offset=0, target_type="platform"), asked(offset=1)
    later = asked(offset=2)
    decisions = decide([forbidden, allowed, later], known(), RULES)
    assert outcomes(decisions) == [Outcome.REJECTED, Outcome.CREATED, Outcome.DUPLICATE]


def test_the_same_records_rejected_again_within_a_batch_are_duplicates() -> None:
    first, second = (asked(offset=offset, target_type="platform") for offset in (0, 1))
    decisions = decide([first, second, first, second], known(), RULES)
    assert outcomes(decisions) == [Outcome.REJECTED] * 2 + [Outcome.DUPLICATE] * 2


def test_parked_within_a_batch_uses_up_the_identity() -> None:
    facts = known(strangers={(NORTH, ANNA): Stranger.MISSING})
    other = asked(offset=1, customer_id=party_id("Ben"))
    decisions = decide([asked(), other], facts, RULES)
    assert outcomes(decisions) == [Outcome.PARKED, Outcome.DUPLICATE]


def test_the_same_id_in_two_tenants_is_two_requests() -> None:
    decisions = decide([asked(), asked(offset=1, tenant_id="south")], known(), RULES)
    assert outcomes(decisions) == [Outcome.CREATED] * 2


def test_a_mismatch_is_rejected_under_the_bound_tenant_and_touches_no_other() -> None:
    request = asked(bound="south")
    assert refusal(request) == (
        RejectionCode.TENANT_MISMATCH,
        "The topic is bound to tenant south, not north.",
    )
    assert request.tenant_id == "south"
    assert request.request_key != asked().request_key
    assert question([request]).customers == [("south", ANNA)]


def test_a_bound_tenant_that_is_named_rightly_is_accepted() -> None:
    assert isinstance(decided(asked(bound=NORTH)), Created)
    assert asked(bound=NORTH).request_key == asked().request_key


def test_only_listed_tenants_are_served() -> None:
    rules = Rules(tenants=frozenset({"south"}))
    assert refusal(asked(), rules=rules) == (
        RejectionCode.TENANT_UNKNOWN,
        "Tenant north is not served here.",
    )
    assert isinstance(decided(asked(tenant_id="south"), rules=rules), Created)
    assert refusal(asked(bound="west"), rules=rules)[0] == RejectionCode.TENANT_MISMATCH


@pytest.mark.parametrize("origin", ActorType)
@pytest.mark.parametrize("target", ActorType)
def test_every_route_is_allowed_or_refused(origin: ActorType, target: ActorType) -> None:
    request = asked(
        origin_type=origin,
        target_type=target,
        customer_id=ANNA,
        partner_id=PARTNER if ActorType.PARTNER in {origin, target} else None,
    )
    if target in ALLOWED[origin]:
        assert isinstance(decided(request, known(partners=ACTIVE)), Created)
    else:
        assert refusal(request, known(partners=ACTIVE)) == (
            RejectionCode.ROUTE_NOT_ALLOWED,
            f"{origin.value.title()} actors cannot open tickets targeting {target.value}.",
        )


PARTNER_REFUSALS: dict[str, tuple[str | None, dict[str, Party], RejectionCode, str]] = {
    "none is named": (
        None,
        {},
        RejectionCode.PARTNER_REQUIRED,
        "partner_id is required when targeting a partner.",
    ),
    "it is unknown": (
        PARTNER,
        {},
        RejectionCode.PARTNER_NOT_FOUND,
        "Partner not found or inactive.",
    ),
    "it was deleted": (
        PARTNER,
        {PARTNER: Party(NORTH, "deleted")},
        RejectionCode.PARTNER_NOT_FOUND,
        "Partner not found or inactive.",
    ),
    "it is suspended": (
        PARTNER,
        {PARTNER: Party(NORTH, "suspended")},
        RejectionCode.PARTNER_INACTIVE,
        "Partner must be active to receive tickets.",
    ),
    "it works for another": (
        PARTNER,
        {PARTNER: Party("south", "active")},
        RejectionCode.PARTNER_OTHER_TENANT,
        "Partner does not belong to the specified tenant context.",
    ),
}


@pytest.mark.parametrize("reason", PARTNER_REFUSALS)
def test_a_partner_that_cannot_take_the_ticket(reason: str) -> None:
    partner_id, partners, code, message = PARTNER_REFUSALS[reason]
    request = asked(origin_type="tenant", target_type="partner", partner_id=partner_id)
    assert refusal(request, known(partners=partners)) == (code, message)


def test_a_partner_that_opens_a_ticket_must_be_one() -> None:
    request = asked(origin_type="partner", target_type="platform", partner_id=PARTNER)
    assert refusal(request)[0] == RejectionCode.PARTNER_NOT_FOUND
    assert isinstance(decided(request, known(partners=ACTIVE)), Created)


def test_a_ticket_without_customer_needs_none() -> None:
    request = asked(origin_type="tenant", target_type="platform", customer_id=None)
    assert decided(request) == Created(request, None, ticket_number(request.ticket_id), False)  # noqa: FBT003


@pytest.mark.parametrize("stranger", Stranger)
def test_an_unknown_customer_is_waited_for(stranger: Stranger) -> None:
    request = asked()
    facts = known(strangers={(NORTH, ANNA): stranger})
    assert decided(request, facts) == Parked(request, ANNA)


@pytest.mark.parametrize("stranger", Stranger)
@pytest.mark.parametrize("rules", [Rules(grace_seconds=0), Rules(last_chance=True)])
def test_an_unknown_customer_is_refused_where_nobody_waits(
    stranger: Stranger, rules: Rules
) -> None:
    facts = known(strangers={(NORTH, ANNA): stranger})
    assert refusal(asked(), facts, rules) == (
        RejectionCode.CUSTOMER_NOT_FOUND,
        f"Invalid customer_id: {ANNA} (customer lookup failed)",
    )


def test_an_unknown_customer_is_refused_when_its_time_is_up() -> None:
    request = asked()
    facts = prior(request, Outcome.PARKED)
    facts.strangers = {(NORTH, ANNA): Stranger.MISSING}
    facts.reopened = {(NORTH, request.request_key)}
    assert isinstance(decided(request, facts), Parked)
    facts.expired = facts.reopened
    assert refusal(request, facts)[0] == RejectionCode.CUSTOMER_NOT_FOUND


def test_a_number_is_resolved_to_our_id() -> None:
    request = asked(customer_id=42)
    found = decided(request, known(customers={(NORTH, 42): ANNA}))
    assert isinstance(found, Created)
    assert found.customer_id == ANNA


@pytest.mark.parametrize("rules", [RULES, Rules(customers_required=False)])
def test_a_number_that_nobody_has_is_waited_for(rules: Rules) -> None:
    request = asked(customer_id=42)
    elsewhere = known(customers={("south", 42): ANNA})
    assert decided(request, elsewhere, rules) == Parked(request, "42")
    assert refusal(request, None, Rules(last_chance=True))[1] == (
        "Invalid customer_id: 42 (customer lookup failed)"
    )


OFF = Rules(customers_required=False)


def test_without_the_check_a_missing_customer_is_listed_with_the_ticket() -> None:
    facts = known(strangers={(NORTH, ANNA): Stranger.MISSING})
    found = decided(asked(), facts, OFF)
    assert isinstance(found, Created)
    assert found.customer_is_unlisted


def test_without_the_check_a_deleted_customer_will_do() -> None:
    facts = known(strangers={(NORTH, ANNA): Stranger.DELETED})
    found = decided(asked(), facts, OFF)
    assert isinstance(found, Created)
    assert not found.customer_is_unlisted


def test_another_tenants_customer_is_never_taken() -> None:
    facts = known(strangers={(NORTH, ANNA): Stranger.OTHER_TENANT})
    assert isinstance(decided(asked(), facts, OFF), Parked)


def test_of_two_tenants_that_claim_a_missing_customer_the_first_has_it() -> None:
    facts = known(strangers={(NORTH, ANNA): Stranger.MISSING, ("south", ANNA): Stranger.MISSING})
    requests = [asked(), asked(offset=1, tenant_id="south"), asked(2, offset=2)]
    decisions = decide(requests, facts, OFF)
    assert outcomes(decisions) == [Outcome.CREATED, Outcome.PARKED, Outcome.CREATED]


def test_a_number_that_is_given_out_derives_the_next() -> None:
    request = asked()
    first, second, third = (ticket_number(request.ticket_id, attempt) for attempt in range(3))
    found = decided(request, known(taken_numbers={(NORTH, first), (NORTH, second)}))
    assert isinstance(found, Created)
    assert found.ticket_number == third
    elsewhere = decided(request, known(taken_numbers={("south", first)}))
    assert isinstance(elsewhere, Created)
    assert elsewhere.ticket_number == first


def test_two_tickets_of_a_batch_never_get_one_number() -> None:
    request = asked()
    twin = request._replace(request_key=some_id("twin"))
    alien = twin._replace(tenant_id="south", message=asked(tenant_id="south").message)
    decisions = decide([request, twin, alien], known(), RULES)
    numbers = [each.ticket_number for each in decisions if isinstance(each, Created)]
    assert numbers == [ticket_number(request.ticket_id, attempt) for attempt in (0, 1, 0)]


def test_the_question_asks_for_each_thing_once() -> None:
    requests = [
        asked(1),
        asked(2),
        asked(3, customer_id=42),
        asked(4, customer_id=42),
        asked(5, origin_type="partner", target_type="platform", partner_id=PARTNER),
        asked(6, origin_type="platform", target_type="tenant", customer_id=None),
    ]
    assert question(requests) == Question(
        keys=[(NORTH, each.request_key) for each in requests],
        customers=[(NORTH, ANNA)],
        external_ids=[(NORTH, 42)],
        partners=[PARTNER],
    )


VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"title": "Another title"},
    {"target_type": "platform"},
    {"customer_id": party_id("Nobody")},
)


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(VARIANTS)), max_size=12))
def test_of_each_identity_at_most_one_record_is_accepted(
    stream: list[tuple[int, dict[str, Any]]],
) -> None:
    """And only duplicates follow it; deciding the records one by one decides the same."""
    facts = known(strangers={(NORTH, party_id("Nobody")): Stranger.MISSING})
    requests = [asked(number, offset, **fields) for offset, (number, fields) in enumerate(stream)]
    decisions = decide(requests, facts, RULES)
    ended: set[str] = set()
    remembered = known(strangers=facts.strangers)
    for request, decision in zip(requests, decisions, strict=True):
        assert decision.request == request
        assert isinstance(decision, Duplicate) == (request.request_key in ended)
        if isinstance(decision, Created | Parked):
            ended.add(request.request_key)
        assert decided(request, remembered) == decision
        if not isinstance(decision, Duplicate):
            remembered.decided |= prior(request, outcome_of(decision)).decided


SLA_POLICY = {
    "teams": {"noc": []},
    "routing": [
        {
            "name": "outages",
            "when": {"ticket_type": ["outage_report"]},
            "then": {"team": "noc", "priority": "urgent"},
        }
    ],
    "sla": [
        {"name": "noc", "when": {"team": ["noc"]}, "targets": {"resolution": {"urgent": "2h"}}},
        {"name": "gold", "when": {"customer_tier": ["gold"]}, "targets": {"first_response": "5m"}},
    ],
}


def policies_of(request: Request) -> tuple[str | None, ...]:
    """The SLA policies that its ticket's clocks are judged by, version 4 of them."""
    facts = known(
        versions={NORTH: 4},
        policies={NORTH: compile_policy(SLA_POLICY, 4)},
        tiers={(NORTH, ANNA): "Gold"},
    )
    decision = decided(request, facts)
    assert isinstance(decision, Created)
    for terms in decision.levels:
        assert terms is not None
        assert terms.policy_version == (None if terms.policy is None else 4)
    return tuple(None if terms is None else terms.policy for terms in decision.levels)


def test_clocks_are_judged_by_what_the_ticket_has_once_it_is_routed() -> None:
    assert policies_of(asked(ticket_type="outage_report")) == ("gold", "noc")
    assert policies_of(asked(ticket_type="speed_issue", priority="urgent")) == ("gold", None)


def test_clocks_are_judged_by_the_team_that_a_request_names() -> None:
    named = asked(
        priority="urgent",
        assigned_team="noc",
        customer_id=None,
        origin_type="tenant",
        target_type="platform",
    )
    assert policies_of(named) == (None, "noc")


@pytest.mark.parametrize("priority", Priority)
def test_without_a_policy_clocks_are_judged_by_the_default_of_their_priority(
    priority: Priority,
) -> None:
    decision = decided(asked(priority=priority.value))
    assert isinstance(decision, Created)
    assert decision.levels is DEFAULT_LEVELS[priority]
