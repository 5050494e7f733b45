"""What subscribers read is exactly what the contract's models say, whatever a request holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.facts import actor_of, compact_json, context_of, ticket_created, ticket_rejected
from handlers.outcomes import Created, Rejected, Request, Rules
from handlers.requests import decide
from handlers.sla.beginnings import Beginnings
from schemas.ticket_created import TicketCreated
from schemas.ticket_rejected import TicketRejected
from schemas.vocabulary import Priority, TicketType
from tests.records import NOON, asked, known, some_id
from tests.scenarios.messages import ANNA, NORTH, party_id

NOW = "2026-03-01T12:00:00.000000+00:00"
PARTNER = party_id("Cable & Co")
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(-1e300, 1e300) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def created(request: Request, customer_id: str | None = ANNA) -> Created:
    return Created(request, customer_id, "TCK-0123456789AB", customer_is_unlisted=False)


def fact_of(request: Request, customer_id: str | None = ANNA) -> dict[str, Any]:
    """The data of `ticket.created`, held against the contract."""
    decision = created(request, customer_id)
    due = Beginnings(NOON).of(decision.levels).due
    data = ticket_created(decision, context_of(decision), due, NOW)
    TicketCreated.model_validate_json(data)
    found: dict[str, Any] = json.loads(data)
    return found


def rejected(request: Request) -> dict[str, Any]:
    (decision,) = decide([request], known(), Rules(tenants=frozenset()))
    assert isinstance(decision, Rejected)
    data = ticket_rejected(decision, NOW)
    TicketRejected.model_validate_json(data)
    found: dict[str, Any] = json.loads(data)
    return found


def test_a_ticket_with_everything() -> None:
    request = asked(
        priority="Critical",
        ticket_type="outage_report",
        assigned_team="noc",
        service_address="Main St 1",
        affected_services=["fiber", "tv"],
        device_serial_numbers=["SN-1"],
        origin_type="customer",
        target_type="tenant",
        context={"region": "east", "routing": {"via": "portal"}},
    )
    assert fact_of(request) == {
        "ticket_id": request.ticket_id,
        "ticket_number": "TCK-0123456789AB",
        "title": "No connection 1",
        "description": "The modem shows a red light.",
        "customer_id": ANNA,
        "origin_type": "customer",
        "target_type": "tenant",
        "partner_id": None,
        "priority": "urgent",
        "ticket_type": "outage_report",
        "status": "open",
        "assigned_team": "noc",
        "service_address": "Main St 1",
        "affected_services": ["fiber", "tv"],
        "device_serial_numbers": ["SN-1"],
        "sla_due_date": "2026-03-01T20:00:00.000000+00:00",
        "first_response_due_at": "2026-03-01T13:00:00.000000+00:00",
        "escalation_level": 0,
        "context": {
            "region": "east",
            "routing": {"via": "portal", "team": "noc"},
            "assigned_team": "noc",
        },
        "created_at": NOW,
        "tenant_id": NORTH,
        "request_id": "request-1",
        "sequence": 1,
    }


def test_a_ticket_with_the_least() -> None:
    request = asked(request_id=..., customer_id=..., origin_type="platform", target_type="tenant")
    fact = fact_of(request, None)
    assert (fact["request_id"], fact["customer_id"], fact["context"]) == (None, None, {})
    assert (fact["affected_services"], fact["device_serial_numbers"]) == ([], [])


@pytest.mark.parametrize("ticket_type", TicketType)
@pytest.mark.parametrize("priority", Priority)
def test_every_type_and_priority_keeps_the_contract(
    ticket_type: TicketType, priority: Priority
) -> None:
    fact = fact_of(asked(ticket_type=ticket_type, priority=priority))
    assert (fact["ticket_type"], fact["priority"]) == (ticket_type, priority)


@given(st.dictionaries(WORDS, JSON, max_size=4), st.none() | st.just("noc"))
def test_any_context_is_published_as_it_was_sent(context: dict[str, Any], team: str | None) -> None:
    fact = fact_of(asked(context=context, assigned_team=team))
    if team is not None:
        routing = context.get("routing")
        kept = routing if isinstance(routing, dict) else {}
        context = context | {"assigned_team": team, "routing": kept | {"team": team}}
    assert fact["context"] == context


@given(WORDS.filter(lambda text: 3 <= len(text.strip()) <= 255))
def test_any_text_keeps_the_contract(text: str) -> None:
    fact = fact_of(asked(title=text, description=text, service_address=text))
    assert fact["title"] == fact["description"] == fact["service_address"]
    assert fact["title"] in text


def test_a_rejection_with_everything() -> None:
    request = asked(5, 42, partition=3, actor={"type": "tenant", "id": "agent-7"})
    assert rejected(request) == {
        "tenant_id": NORTH,
        "request_id": "request-5",
        "kind": "request",
        "change": None,
        "ticket_id": request.ticket_id,
        "ticket_number": None,
        "code": "tenant_unknown",
        "message": "Tenant north is not served here.",
        "actor": {"type": "tenant", "id": "agent-7"},
        "topic": "ticket.requested",
        "partition": 3,
        "offset": 42,
        "rejected_at": NOW,
    }


ACTORS: dict[str, tuple[dict[str, Any], tuple[str, str | None]]] = {
    "a customer by our id": ({}, ("customer", ANNA)),
    "a customer by number": ({"customer_id": 42}, ("customer", "42")),
    "a partner": (
        {"origin_type": "partner", "target_type": "platform", "partner_id": PARTNER},
        ("partner", PARTNER),
    ),
    "the platform": ({"origin_type": "platform"}, ("platform", None)),
    "a tenant for a customer": ({"origin_type": "tenant"}, ("tenant", None)),
    "who is named": ({"actor": {"type": "tenant", "id": "a7"}}, ("tenant", "a7")),
    "who is named by type only": ({"actor": {"type": "platform"}}, ("platform", None)),
}


@pytest.mark.parametrize("team", [None, "noc"])
def test_whoever_opens_a_ticket_does_not_choose_to_whom_it_climbs(team: str | None) -> None:
    claimed = {
        "rule": "mine",
        "policy_version": 1,
        "escalation_path": [{"level": 1, "user": "me"}],
        "queue": "kept",
    }
    fact = fact_of(asked(context={"line": 4, "routing": claimed}, assigned_team=team))
    routing = {"queue": "kept"} | ({} if team is None else {"team": team})
    assert fact["context"]["routing"] == routing
    assert fact["context"]["line"] == 4


@pytest.mark.parametrize("name", ACTORS)
def test_the_actor_is_whom_the_request_names_or_its_origin(name: str) -> None:
    fields, actor = ACTORS[name]
    assert tuple(rejected(asked(**fields))["actor"].values()) == actor


def test_a_ticket_is_created_by_the_customer_it_was_resolved_to() -> None:
    customer_id = some_id("resolved")
    assert actor_of(asked(customer_id=42), customer_id) == ("customer", customer_id)


def test_integers_of_any_size_are_kept_exactly() -> None:
    assert compact_json({"n": 2**80, "text": "é"}) == '{"n":1208925819614629174706176,"text":"é"}'
