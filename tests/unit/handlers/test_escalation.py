"""Handing tickets on and back: levels, parties, partners, and what is told of it."""

from datetime import timedelta
from typing import Any

import pytest

from handlers.changes import ChangeRules
from handlers.escalation import HANDED_TO
from handlers.outcomes import Party
from schemas.vocabulary import ActorType, RejectionCode
from tests.unit.handlers.changing import (
    AGENTS,
    NOW,
    OTHER_PARTNER,
    PARTNER,
    a_change,
    a_ticket,
    changed,
    data,
    refusal,
    types,
    unchanged,
)

PARTNER_PLACE: dict[str, Any] = {"target_type": ActorType.PARTNER, "partner_id": PARTNER}
PLATFORM_PLACE: dict[str, Any] = {"target_type": ActorType.PLATFORM, "partner_id": PARTNER}


def test_a_tenant_escalates_to_a_partner_and_the_partner_to_the_platform() -> None:
    ticket = a_ticket(partner_id=None, assigned_team="support")
    to = {"target_type": "partner", "partner_id": PARTNER, "level": 1, "team": "field"}
    first = changed(a_change("escalate", to=to, reason=" The line is theirs. "), ticket)
    assert types(first) == ["ticket.escalated"]
    (fact,) = data(first)
    assert fact["from"] == {
        "level": 0,
        "target_type": "tenant",
        "partner_id": None,
        "team": "support",
        "user_id": None,
    }
    assert fact["to"] == {
        "level": 1,
        "target_type": "partner",
        "partner_id": PARTNER,
        "team": "field",
        "user_id": None,
    }
    assert fact["reason"] == "The line is theirs."
    assert fact["changes"] == {
        "target_type": {"from": "tenant", "to": "partner"},
        "partner_id": {"from": None, "to": PARTNER},
        "assigned_team": {"from": "support", "to": "field"},
        "escalation_level": {"from": 0, "to": 1},
        "escalated_at": {"from": None, "to": fact["updated_at"]},
    }
    assert first.ticket.escalated_at == NOW

    on = a_change(
        "escalate", ActorType.PARTNER, to={"target_type": "platform", "user_id": "chief-1"}
    )
    second = changed(on, first.ticket, now=NOW + timedelta(hours=1)).ticket
    assert second.target_type is ActorType.PLATFORM
    assert (second.partner_id, second.escalated_to_user_id) == (PARTNER, "chief-1")
    assert (second.escalation_level, second.assigned_team) == (1, "field")
    assert second.escalated_at == NOW + timedelta(hours=1)
    assert second.sequence == 3


@pytest.mark.parametrize("actor", AGENTS)
@pytest.mark.parametrize("level", range(10))
def test_a_ticket_goes_to_any_level_that_there_is(actor: ActorType, level: int) -> None:
    change = a_change("escalate", actor, to={"level": level})
    if level == 3:
        assert unchanged(change, a_ticket(escalation_level=3))
    else:
        assert changed(change, a_ticket(escalation_level=3)).ticket.escalation_level == level


@pytest.mark.parametrize("level", [-1, -(10**18), 10, 32_768, 10**18])
def test_a_level_that_does_not_exist_is_refused(level: int) -> None:
    assert refusal(a_change("escalate", to={"level": level}), a_ticket()) == (
        RejectionCode.LEVEL_INVALID,
        f"Escalation level {level} does not exist.",
    )


def test_a_tenant_may_have_fewer_levels() -> None:
    rules = ChangeRules(highest_level=2)
    changed(a_change("escalate", to={"level": 2}), a_ticket(), rules=rules)
    assert refusal(a_change("escalate", to={"level": 3}), a_ticket(), rules=rules)[0] == (
        RejectionCode.LEVEL_INVALID
    )


@pytest.mark.parametrize(
    ("place", "to", "is_down"),
    [
        ({"escalation_level": 2}, {"level": 1}, True),
        ({"escalation_level": 2}, {"level": 1, "user_id": "u-9"}, True),
        (PARTNER_PLACE, {"target_type": "tenant"}, True),
        (PLATFORM_PLACE, {"target_type": "partner", "partner_id": PARTNER}, True),
        (PLATFORM_PLACE, {"target_type": "tenant", "level": 3}, True),
        (PARTNER_PLACE | {"escalation_level": 2}, {"target_type": "platform", "level": 0}, False),
        ({"escalation_level": 2}, {"user_id": "u-9"}, False),
        ({}, {"team": "noc"}, False),
    ],
)
def test_a_step_down_is_a_fact_but_no_escalation(
    place: dict[str, Any], to: dict[str, Any], *, is_down: bool
) -> None:
    earlier = NOW - timedelta(days=1)
    ticket = a_ticket(escalated_at=earlier, **place)
    decision = changed(a_change("escalate", ActorType.PLATFORM, to=to), ticket)
    assert types(decision) == ["ticket.escalated"]
    assert decision.ticket.escalated_at == (earlier if is_down else NOW)


@pytest.mark.parametrize(
    ("place", "to"),
    [
        ({"escalation_level": 1}, {"level": 1}),
        ({}, {"target_type": "tenant"}),
        (PARTNER_PLACE, {"target_type": "partner", "partner_id": PARTNER}),
        (PARTNER_PLACE, {"partner_id": PARTNER, "level": 0}),
        ({"assigned_team": "noc", "escalated_to_user_id": "u-1"}, {"team": "noc"}),
        ({"assigned_team": "noc", "escalated_to_user_id": "u-1"}, {"user_id": "u-1", "level": 0}),
    ],
)
def test_where_it_already_is_nothing_changes(place: dict[str, Any], to: dict[str, Any]) -> None:
    assert unchanged(a_change("escalate", to=to, reason="again"), a_ticket(**place))


PLACES: dict[ActorType, dict[str, Any]] = {
    ActorType.TENANT: {"target_type": ActorType.TENANT},
    ActorType.PARTNER: PARTNER_PLACE,
    ActorType.PLATFORM: PLATFORM_PLACE,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target", ActorType)
@pytest.mark.parametrize("actor", AGENTS)
def test_a_ticket_is_handed_to_whom_the_actor_may_choose(
    actor: ActorType, target: ActorType, place: ActorType
) -> None:
    to = {"target_type": target} | ({"partner_id": PARTNER} if target == "partner" else {})
    change, ticket = a_change("escalate", actor, to=to), a_ticket(**PLACES[place])
    if target is place:
        assert unchanged(change, ticket)
    elif target in HANDED_TO[actor]:
        assert changed(change, ticket).ticket.target_type is target
    else:
        assert refusal(change, ticket) == (
            RejectionCode.ROUTE_NOT_ALLOWED,
            f"{actor.title()} actors cannot open tickets targeting {target}.",
        )


def test_customers_are_neither_asked_nor_handed_tickets() -> None:
    assert not HANDED_TO[ActorType.CUSTOMER]
    assert all(ActorType.CUSTOMER not in targets for targets in HANDED_TO.values())


@pytest.mark.parametrize("target", [None, "partner", "platform", "tenant"])
def test_a_partner_gives_a_ticket_to_no_other_partner(target: str | None) -> None:
    to = {"target_type": target, "partner_id": OTHER_PARTNER}
    assert refusal(a_change("escalate", ActorType.PARTNER, to=to), a_ticket(**PARTNER_PLACE)) == (
        RejectionCode.ROUTE_NOT_ALLOWED,
        "Partner actors cannot open tickets targeting partner.",
    )


def test_naming_a_partner_targets_it() -> None:
    ticket = changed(a_change("escalate", to={"partner_id": OTHER_PARTNER}), a_ticket()).ticket
    assert (ticket.target_type, ticket.partner_id) == (ActorType.PARTNER, OTHER_PARTNER)


@pytest.mark.parametrize("to", [{"target_type": "partner", "level": 1}, {"target_type": "partner"}])
def test_a_partner_must_be_named_even_if_one_knows_the_ticket(to: dict[str, Any]) -> None:
    assert refusal(a_change("escalate", to=to), a_ticket()) == (
        RejectionCode.PARTNER_REQUIRED,
        "partner_id is required when targeting a partner.",
    )


REFUSED_PARTNERS = {
    "unknown": (None, "partner_not_found", "Partner not found or inactive."),
    "deleted": (Party("north", "deleted"), "partner_not_found", "Partner not found or inactive."),
    "of another tenant": (
        Party("south", "active"),
        "partner_other_tenant",
        "Partner does not belong to the specified tenant context.",
    ),
    "suspended": (
        Party("north", "suspended"),
        "partner_inactive",
        "Partner must be active to receive tickets.",
    ),
}


@pytest.mark.parametrize("target", ["partner", "platform", None])
@pytest.mark.parametrize("name", REFUSED_PARTNERS)
def test_a_partner_is_on_record_active_and_the_tenants(name: str, target: str | None) -> None:
    party, code, message = REFUSED_PARTNERS[name]
    partners = {} if party is None else {OTHER_PARTNER: party}
    to = {"target_type": target, "partner_id": OTHER_PARTNER}
    assert refusal(a_change("escalate", to=to), a_ticket(), partners=partners) == (code, message)


def test_between_levels_the_partner_is_not_judged_again() -> None:
    """It may have become inactive: its tickets must still be movable."""
    change = a_change("escalate", to={"level": 1, "partner_id": PARTNER})
    assert changed(change, a_ticket(**PARTNER_PLACE), partners={}).ticket.escalation_level == 1


@pytest.mark.parametrize(
    ("origin", "partner_id"), [(ActorType.CUSTOMER, None), (ActorType.PARTNER, PARTNER)]
)
@pytest.mark.parametrize("actor", AGENTS)
def test_a_ticket_that_comes_back_leaves_the_partner_unless_it_is_its_own(
    actor: ActorType, origin: ActorType, partner_id: str | None
) -> None:
    ticket = a_ticket(origin_type=origin, **PARTNER_PLACE)
    back = changed(a_change("escalate", actor, to={"target_type": "tenant"}), ticket).ticket
    assert (back.target_type, back.partner_id) == (ActorType.TENANT, partner_id)


def test_a_closed_ticket_is_not_escalated() -> None:
    said = refusal(a_change("escalate"), a_ticket("closed"))
    assert said == (RejectionCode.TICKET_CLOSED, "The ticket is closed; please open a new ticket.")
