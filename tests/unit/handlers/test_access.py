"""Who may do what: the table, and that nobody is taken for somebody."""

from typing import Any

import pytest

from handlers.access import RIGHTS, Act, acts_of, kind_of
from handlers.outcomes import Rejected
from schemas.vocabulary import ActorType, ChangeKind, RejectionCode, TicketStatus
from tests.unit.handlers.changing import (
    CUSTOMER,
    OTHER_PARTNER,
    PARTNER,
    a_change,
    a_ticket,
    changed,
    decided,
    refusal,
)

METADATA = "Customers cannot update ticket metadata."
INTERNAL = "Customers cannot write internal messages."
RATING = "Only the customer can rate a ticket."


def service(field: str) -> dict[str, str]:
    return {"partner": f"Only tenant and platform actors can update {field}."}


EXAMPLES: dict[Act, tuple[str, dict[str, Any], dict[str, str]]] = {
    Act.REPLY: ("add_message", {}, {}),
    Act.REOPEN: ("set_status", {"status": "open"}, {}),
    Act.RATE: ("rate", {}, dict.fromkeys(("tenant", "partner", "platform"), RATING)),
    Act.NOTE: ("add_message", {"is_internal": True}, {"customer": INTERNAL}),
    Act.SET_STATUS: ("set_status", {"status": "closed"}, {"customer": METADATA}),
    Act.SET_PRIORITY: ("set_priority", {}, {"customer": METADATA}),
    Act.ASSIGN: ("assign", {}, {"customer": METADATA}),
    Act.ESCALATE: ("escalate", {}, {"customer": METADATA}),
    Act.SET_CONTEXT: ("set_fields", {}, {"customer": METADATA}),
    Act.SET_TICKET_TYPE: (
        "set_fields",
        {"fields": {"ticket_type": "speed_issue"}},
        {"customer": METADATA} | service("ticket type"),
    ),
    Act.SET_SERVICE_ADDRESS: (
        "set_fields",
        {"fields": {"service_address": "12 Harbour Road"}},
        {"customer": METADATA} | service("service address"),
    ),
    Act.SET_AFFECTED_SERVICES: (
        "set_fields",
        {"fields": {"affected_services": ["voip"]}},
        {"customer": METADATA} | service("affected services"),
    ),
    Act.SET_DEVICE_SERIAL_NUMBERS: (
        "set_fields",
        {"fields": {"device_serial_numbers": ["SN-1"]}},
        {"customer": METADATA} | service("device serial numbers"),
    ),
}
"""A change that is this act and no other, and what each actor that may not is told."""


def test_every_act_and_every_actor_is_in_the_tables() -> None:
    assert EXAMPLES.keys() == set(Act)
    assert RIGHTS.keys() == set(ActorType)


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("actor", ActorType)
def test_an_actor_may_do_what_its_rights_say(actor: ActorType, act: Act) -> None:
    kind, fields, refusals = EXAMPLES[act]
    change = a_change(kind, actor, **fields)
    assert list(acts_of(change.message)) == [act]
    assert (act in RIGHTS[actor].acts) is (actor not in refusals)
    if actor in refusals:
        words = (RejectionCode.ACCESS_DENIED, refusals[actor])
        assert refusal(change, a_ticket("resolved")) == words
    else:
        changed(change, a_ticket("resolved"))


@pytest.mark.parametrize("kind", ChangeKind)
def test_every_change_is_some_act(kind: ChangeKind) -> None:
    message = a_change(kind).message
    assert kind_of(message) is kind
    assert list(acts_of(message))


def test_a_status_beside_a_message_is_an_act_of_its_own() -> None:
    acts = {
        status: list(acts_of(a_change("add_message", new_status=status).message))
        for status in TicketStatus
    }
    assert acts.pop(TicketStatus.OPEN) == [Act.REPLY, Act.REOPEN]
    assert all(found == [Act.REPLY, Act.SET_STATUS] for found in acts.values())


@pytest.mark.parametrize("kind", ChangeKind)
@pytest.mark.parametrize(
    "actor",
    [
        *(None, {}, {"id": CUSTOMER}, {"type": None, "id": CUSTOMER}, {"type": ""}),
        *({"type": "system", "id": "system@workflow"}, {"type": "admin", "id": "agent-7"}),
        *({"type": "tenants"}, {"type": "*"}, {"type": "ten ant"}),
    ],
    ids=str,
)
def test_whoever_is_not_known_may_do_nothing(kind: str, actor: dict[str, Any] | None) -> None:
    expected = (
        RejectionCode.ACCESS_DENIED,
        "Only customer, tenant, partner and platform actors can change a ticket.",
    )
    assert refusal(a_change(kind, actor), a_ticket()) == expected
    assert refusal(a_change(kind, actor), None) == expected, "whether it exists is not told"


@pytest.mark.parametrize("kind", ChangeKind)
@pytest.mark.parametrize("actor_id", [None, "43", "042", OTHER_PARTNER, "agent-7", "none"])
def test_a_customer_reaches_only_its_own_tickets(kind: str, actor_id: str | None) -> None:
    change = a_change(kind, {"type": "customer", "id": actor_id})
    assert refusal(change, a_ticket()) == (
        RejectionCode.ACCESS_DENIED,
        "Customer does not have access to this ticket.",
    )


@pytest.mark.parametrize("actor_id", [None, "none", CUSTOMER])
def test_a_ticket_without_a_customer_is_no_customers(actor_id: str | None) -> None:
    ticket = a_ticket(customer_id=None, customer_external_id=None)
    change = a_change("add_message", {"type": "customer", "id": actor_id})
    assert refusal(change, ticket)[1] == "Customer does not have access to this ticket."


@pytest.mark.parametrize("actor_id", [CUSTOMER, CUSTOMER.upper(), "42"])
def test_a_customer_is_known_by_either_of_its_ids(actor_id: str) -> None:
    changed(a_change("add_message", {"type": "Customer", "id": actor_id}), a_ticket())


@pytest.mark.parametrize("kind", ChangeKind)
@pytest.mark.parametrize("actor_id", [None, OTHER_PARTNER, CUSTOMER, "none"])
def test_a_partner_reaches_only_what_is_routed_to_it(kind: str, actor_id: str | None) -> None:
    change = a_change(kind, {"type": "partner", "id": actor_id})
    words = (RejectionCode.ACCESS_DENIED, "Partner does not have access to this ticket.")
    assert refusal(change, a_ticket()) == words
    assert refusal(change, a_ticket(partner_id=None)) == words


def test_a_partner_is_known_by_its_id_in_any_case() -> None:
    changed(a_change("add_message", {"type": "partner", "id": PARTNER.upper()}), a_ticket())


@pytest.mark.parametrize("kind", ChangeKind)
@pytest.mark.parametrize("actor", ActorType)
def test_nobody_leaves_the_tenant(actor: ActorType, kind: str) -> None:
    assert refusal(a_change(kind, actor), a_ticket(tenant_id="south")) == (
        RejectionCode.ACCESS_DENIED,
        "Ticket belongs to a different tenant.",
    )


@pytest.mark.parametrize("status", ["in_progress", "waiting", "resolved", "closed"])
def test_a_customer_names_no_status_but_open(status: str) -> None:
    for before in TicketStatus:
        said = refusal(
            a_change("add_message", ActorType.CUSTOMER, new_status=status), a_ticket(before)
        )
        assert said == (RejectionCode.ACCESS_DENIED, METADATA)


def test_several_fields_are_refused_by_the_first_that_may_not_be_set() -> None:
    fields: dict[str, Any] = {"context": {}, "affected_services": [], "service_address": None}
    said = refusal(a_change("set_fields", ActorType.PARTNER, fields=fields), a_ticket())
    assert said[1] == "Only tenant and platform actors can update service address."


SPEAKS_AS = {
    "customer": {"customer"},
    "partner": {"partner"},
    "tenant": {"tenant", "partner", "customer"},
    "platform": {"tenant", "partner", "customer", "platform"},
}


@pytest.mark.parametrize("sender", ActorType)
@pytest.mark.parametrize("actor", ActorType)
def test_an_actor_writes_for_whom_it_may(actor: ActorType, sender: ActorType) -> None:
    change = a_change("add_message", actor, sender_type=sender)
    if sender in SPEAKS_AS[actor]:
        message = changed(change, a_ticket()).message
        assert message is not None
        assert message.sender_type == sender
    else:
        assert refusal(change, a_ticket()) == (
            RejectionCode.ACCESS_DENIED,
            f"{actor.title()} actors cannot write messages as {sender}.",
        )


@pytest.mark.parametrize(
    ("actor", "sender_id", "is_written"),
    [
        (ActorType.CUSTOMER, CUSTOMER, True),
        (ActorType.CUSTOMER, "42", True),
        (ActorType.CUSTOMER, "43", False),
        (ActorType.CUSTOMER, "agent-7", False),
        (ActorType.TENANT, "agent-8", True),
        (ActorType.PARTNER, "their technician", True),
    ],
)
def test_a_customer_is_nobody_but_itself(
    actor: ActorType, sender_id: str, *, is_written: bool
) -> None:
    decision = decided(a_change("add_message", actor, sender_id=sender_id), a_ticket())
    assert isinstance(decision, Rejected) is not is_written
    if isinstance(decision, Rejected):
        assert decision.message == "Customers cannot write messages for others."


@pytest.mark.parametrize(
    ("actor", "sender", "sender_id"),
    [
        (ActorType.TENANT, "tenant", "agent-7"),
        (ActorType.TENANT, None, "agent-7"),
        (ActorType.TENANT, "customer", CUSTOMER),
        (ActorType.TENANT, "partner", PARTNER),
        (ActorType.PLATFORM, "tenant", None),
        (ActorType.CUSTOMER, None, CUSTOMER),
    ],
)
def test_the_sender_is_the_actor_unless_another_is_named(
    actor: ActorType, sender: str | None, sender_id: str | None
) -> None:
    message = changed(a_change("add_message", actor, sender_type=sender), a_ticket()).message
    assert message is not None
    assert (message.sender_type, message.sender_id) == (sender or actor, sender_id)
