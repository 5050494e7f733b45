from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from schemas.ticket_change_requested import (
    CHANGES,
    AddMessage,
    Assign,
    Escalate,
    Rate,
    SetFields,
    SetPriority,
    SetStatus,
    TicketChangeRequested,
)
from schemas.vocabulary import ActorType, ChangeKind, Priority, TicketStatus, TicketType
from tests.unit.schemas.documents import PARTNER, TICKET, accepted, attachment, change, refused

NEEDED: dict[str, dict[str, Any]] = {
    "add_message": {"body": "Any news?"},
    "set_status": {"status": "waiting"},
    "assign": {"assigned_team": "noc"},
    "set_priority": {"priority": "high"},
    "set_fields": {"fields": {"service_address": "12 Harbour Road"}},
    "escalate": {"to": {"level": 2}},
    "rate": {"rating": 5},
}


def accept(kind: str, **fields: object) -> Any:  # noqa: ANN401  one of the changes
    message = accepted(change(kind, **(NEEDED[kind] | fields)), TicketChangeRequested)
    assert type(message) is CHANGES[ChangeKind(kind)]
    return message


def said_of(kind: str, **fields: object) -> str:
    return refused(change(kind, **(NEEDED[kind] | fields)), TicketChangeRequested).message


def test_every_kind_of_change_has_its_model() -> None:
    assert CHANGES.keys() == set(ChangeKind)
    assert set(get_args(get_args(TicketChangeRequested.wire_form())[0])) == set(CHANGES.values())


@pytest.mark.parametrize("kind", ChangeKind)
def test_a_change_says_which_ticket_and_who_asks(kind: ChangeKind) -> None:
    message = accept(
        kind,
        request_id="r-1",
        occurred_at="2026-11-24T09:30:00+01:00",
        expected_sequence=7,
    )
    assert (message.change, message.tenant_id, message.ticket_id) == (kind, "north", TICKET)
    assert message.actor.known() == {"type": ActorType.TENANT, "id": "agent-7"}
    assert message.occurred_at == datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
    assert (message.request_id, message.expected_sequence) == ("r-1", 7)


@pytest.mark.parametrize("kind", ["", "open", "Add_Message", 5, True])
def test_another_change_is_refused_with_the_kinds_that_there_are(kind: Any) -> None:  # noqa: ANN401
    problem = refused(change(kind), TicketChangeRequested)
    assert (problem.path, problem.error_class) == ("change", "WrongValue")
    assert problem.accepted_form == f"one of {', '.join(ChangeKind)}"


@pytest.mark.parametrize("kind", [None, ...])
def test_a_change_must_say_what_it_is(kind: Any) -> None:  # noqa: ANN401  any value
    said = refused(change(kind), TicketChangeRequested).message
    assert said.startswith("change: is missing; expected one of add_message, ")


def test_a_ticket_may_be_named_by_its_number() -> None:
    message = accept("rate", ticket_id=None, ticket_number="tck-0123456789ab")
    assert (message.ticket_id, message.ticket_number) == (None, "TCK-0123456789AB")


@pytest.mark.parametrize("missing", [None, ...])
def test_a_ticket_must_be_named(missing: object) -> None:
    assert said_of("rate", ticket_id=missing) == (
        "ticket_id: is missing, and so is ticket_number; expected a UUID"
    )


def test_a_ticket_must_be_named_once() -> None:
    assert said_of("rate", ticket_number="TCK-0123456789AB").startswith(
        "ticket_number: is given beside ticket_id, but only one may be; "
    )


def test_a_change_without_an_actor_is_for_a_rule_to_refuse() -> None:
    """It is well-formed: its sender gets a rejection (access_denied), not a dead letter."""
    assert accept("rate", actor=...).actor is None
    assert accept("rate", actor={"id": "x"}).actor.known() == {"type": None, "id": "x"}
    assert accept("rate", actor={"type": "customer"}).actor.id is None


@pytest.mark.parametrize("word", ["system", "admin", "", "Tenant admin", "x" * 255])
def test_an_actor_of_an_unknown_type_is_for_a_rule_to_refuse(word: str) -> None:
    found = accept("escalate", actor={"type": f" {word} "}).actor.type
    assert found == word
    assert not isinstance(found, ActorType)


@pytest.mark.parametrize("actor_type", ActorType)
def test_a_known_actor_is_found_in_any_case(actor_type: ActorType) -> None:
    found = accept("rate", actor={"type": f" {actor_type.title()}", "id": "a"}).actor
    assert found.type is actor_type


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"tenant_id": ...}, "tenant_id"),
        ({"tenant_id": "a b"}, "tenant_id"),
        ({"ticket_id": "TCK-0123456789AB"}, "ticket_id"),
        ({"ticket_id": ..., "ticket_number": TICKET}, "ticket_number"),
        ({"actor": {"type": "x" * 256}}, "actor.type"),
        ({"actor": {"type": 5}}, "actor.type"),
        ({"actor": {"type": "tenant", "id": ""}}, "actor.id"),
        ({"actor": "agent-7"}, "actor"),
        ({"request_id": ""}, "request_id"),
        ({"occurred_at": "2026-11-24T09:30:00"}, "occurred_at"),
        ({"occurred_at": 1764000000}, "occurred_at"),
        ({"expected_sequence": -1}, "expected_sequence"),
        ({"expected_sequence": "7"}, "expected_sequence"),
    ],
)
@pytest.mark.parametrize("kind", ["add_message", "escalate"])
def test_what_all_changes_share_is_checked(kind: str, fields: dict[str, Any], path: str) -> None:
    assert said_of(kind, **fields).startswith(f"{path}: ")


def test_a_message_has_a_sender_a_status_and_attachments_if_it_says_so() -> None:
    plain = accept("add_message", is_internal=None, attachments=None)
    assert isinstance(plain, AddMessage)
    assert (plain.sender_type, plain.sender_id, plain.new_status) == (None, None, None)
    assert (plain.is_internal, plain.attachments) == (False, ())
    full = accept(
        "add_message",
        body=" " + "x" * 65_536 + " ",
        sender_type="Customer",
        sender_id="c-1",
        is_internal=True,
        attachments=[attachment()],
        new_status="In_Progress",
    )
    assert len(full.body) == 65_536
    assert (full.sender_type, full.sender_id) == (ActorType.CUSTOMER, "c-1")
    assert (full.is_internal, full.new_status) == (True, TicketStatus.IN_PROGRESS)


@pytest.mark.parametrize(
    ("kind", "fields", "path"),
    [
        ("add_message", {"body": ...}, "body"),
        ("add_message", {"body": " "}, "body"),
        ("add_message", {"body": "x" * 65_537}, "body"),
        ("add_message", {"sender_type": "system"}, "sender_type"),
        ("add_message", {"sender_id": 5}, "sender_id"),
        ("add_message", {"is_internal": "false"}, "is_internal"),
        ("add_message", {"attachments": [attachment(url="x")]}, "attachments[0].url"),
        ("add_message", {"new_status": "done"}, "new_status"),
        ("set_status", {"status": ...}, "status"),
        ("set_status", {"status": None}, "status"),
        ("set_status", {"status": "reopened"}, "status"),
        ("assign", {"assigned_team": "x" * 101}, "assigned_team"),
        ("assign", {"assigned_team": ""}, "assigned_team"),
        ("assign", {"assigned_to_user_id": "x" * 256}, "assigned_to_user_id"),
        ("set_priority", {"priority": None}, "priority"),
        ("set_priority", {"priority": "p1"}, "priority"),
        ("set_fields", {"fields": ...}, "fields"),
        ("set_fields", {"fields": []}, "fields"),
        ("set_fields", {"fields": {"ticket_type": "fault"}}, "fields.ticket_type"),
        ("set_fields", {"fields": {"service_address": "x" * 501}}, "fields.service_address"),
        ("set_fields", {"fields": {"affected_services": [""]}}, "fields.affected_services[0]"),
        (
            "set_fields",
            {"fields": {"device_serial_numbers": ["a"] * 101}},
            "fields.device_serial_numbers",
        ),
        ("set_fields", {"fields": {"context": 5}}, "fields.context"),
        ("escalate", {"to": ...}, "to"),
        ("escalate", {"to": "partner"}, "to"),
        ("escalate", {"to": {"level": "2"}}, "to.level"),
        ("escalate", {"to": {"target_type": "system"}}, "to.target_type"),
        ("escalate", {"to": {"partner_id": "p"}}, "to.partner_id"),
        ("escalate", {"to": {"team": ""}}, "to.team"),
        ("escalate", {"to": {"user_id": 7}}, "to.user_id"),
        ("escalate", {"reason": "x" * 4_001}, "reason"),
        ("rate", {"rating": ...}, "rating"),
        ("rate", {"rating": 0}, "rating"),
        ("rate", {"rating": 6}, "rating"),
        ("rate", {"rating": 4.5}, "rating"),
        ("rate", {"rating": "5"}, "rating"),
        ("rate", {"comment": "x" * 4_001}, "comment"),
    ],
)
def test_what_only_one_kind_has_is_checked(kind: str, fields: dict[str, Any], path: str) -> None:
    assert said_of(kind, **fields).startswith(f"{path}: ")


def test_a_status_and_a_priority_are_set_in_any_case() -> None:
    status, priority = (
        accept("set_status", status="Closed"),
        accept("set_priority", priority="URGENT"),
    )
    assert isinstance(status, SetStatus)
    assert isinstance(priority, SetPriority)
    assert (status.status, priority.priority) == (TicketStatus.CLOSED, Priority.URGENT)


@pytest.mark.parametrize(
    ("fields", "assignments"),
    [
        ({"assigned_team": "noc"}, {"assigned_team": "noc"}),
        ({"assigned_team": None}, {"assigned_team": None}),
        (
            {"assigned_team": "noc", "assigned_to_user_id": None},
            {"assigned_team": "noc", "assigned_to_user_id": None},
        ),
        ({"assigned_team": ..., "assigned_to_user_id": "u-1"}, {"assigned_to_user_id": "u-1"}),
    ],
)
def test_null_clears_an_assignment_and_absent_leaves_it(
    fields: dict[str, Any], assignments: dict[str, Any]
) -> None:
    message = accept("assign", **fields)
    assert isinstance(message, Assign)
    assert message.assignments == assignments


def test_an_assignment_assigns_something() -> None:
    assert said_of("assign", assigned_team=...) == (
        "assigned_team: is missing, and so is assigned_to_user_id; "
        "expected text of 1 to 100 characters"
    )


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({"ticket_type": "Speed_Issue"}, {"ticket_type": TicketType.SPEED_ISSUE}),
        ({"ticket_type": None, "context": None}, {"ticket_type": None}),
        ({"service_address": None}, {"service_address": None}),
        ({"affected_services": []}, {"affected_services": ()}),
        (
            {"device_serial_numbers": ["SN-1"], "affected_services": None, "colour": "red"},
            {"device_serial_numbers": ("SN-1",)},
        ),
        ({"context": {"a": 1}}, {"context": {"a": 1}}),
    ],
)
def test_fields_are_set_or_cleared(fields: dict[str, Any], values: dict[str, Any]) -> None:
    message = accept("set_fields", fields=fields)
    assert isinstance(message, SetFields)
    assert message.fields.values == values


@pytest.mark.parametrize("fields", [{}, {"colour": "red"}, {"context": None}])
def test_fields_name_something_to_set(fields: dict[str, Any]) -> None:
    assert said_of("set_fields", fields=fields).startswith(
        "fields: names no field that can be set; expected an object with any of ticket_type, "
    )


@pytest.mark.parametrize(
    "to",
    [
        {"level": -3},
        {"level": 10**12},
        {"target_type": "Partner", "partner_id": PARTNER},
        {"team": "noc"},
        {"user_id": "u-1"},
    ],
)
def test_an_escalation_leads_somewhere(to: dict[str, Any]) -> None:
    """A level that does not exist is for a rule to refuse (level_invalid)."""
    assert isinstance(accept("escalate", to=to, reason="x" * 4_000), Escalate)


@pytest.mark.parametrize("to", [{}, {"level": None}, {"colour": "red"}])
def test_an_escalation_to_nowhere_is_refused(to: dict[str, Any]) -> None:
    assert said_of("escalate", to=to).startswith("to: names no level and no party; expected ")


@pytest.mark.parametrize("rating", [1, 5])
def test_a_rating_is_1_to_5(rating: int) -> None:
    message = accept("rate", rating=rating, comment="")
    assert isinstance(message, Rate)
    assert (message.rating, message.comment) == (rating, "")
