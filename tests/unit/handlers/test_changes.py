"""What becomes of a change, kind by kind."""

from datetime import timedelta
from typing import Any

import pytest

from handlers.changes import PLANS, effective_at
from handlers.life import TAKEN_WHEN_CLOSED
from schemas.ticket_change_requested import CHANGES
from schemas.vocabulary import ActorType, ChangeKind, Priority, RejectionCode, TicketStatus
from tests.unit.handlers.changing import (
    AGENTS,
    CREATED,
    NOW,
    TICKET,
    a_change,
    a_ticket,
    changed,
    data,
    refusal,
    types,
    unchanged,
)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CLOSED = (RejectionCode.TICKET_CLOSED, "The ticket is closed; please open a new ticket.")


def test_every_kind_of_change_has_a_plan() -> None:
    assert PLANS.keys() == set(CHANGES.values())


@pytest.mark.parametrize("kind", ChangeKind)
def test_a_ticket_that_is_not_there_is_told_by_the_name_that_was_given(kind: str) -> None:
    assert refusal(a_change(kind), None) == (
        RejectionCode.TICKET_NOT_FOUND,
        f"Ticket {TICKET} not found",
    )
    by_number = a_change(kind, ticket_id=..., ticket_number="tck-0123456789ab")
    assert refusal(by_number, None)[1] == "Ticket TCK-0123456789AB not found"


@pytest.mark.parametrize("status", TicketStatus)
@pytest.mark.parametrize("actor", AGENTS)
def test_the_same_status_again_changes_nothing(actor: ActorType, status: str) -> None:
    assert unchanged(a_change("set_status", actor, status=status), a_ticket(status))


def test_a_customer_who_asks_for_an_open_ticket_has_it() -> None:
    assert unchanged(a_change("set_status", ActorType.CUSTOMER, status="open"), a_ticket())


def test_resolving_and_closing_leave_their_stamps() -> None:
    resolved = changed(a_change("set_status", status="resolved"), a_ticket())
    assert types(resolved) == ["ticket.status_changed"]
    assert data(resolved)[0]["changes"] == {
        "status": {"from": "open", "to": "resolved"},
        "resolved_at": {"from": None, "to": "2026-03-01T13:30:00.000000+00:00"},
        "resolution_time_minutes": {"from": None, "to": 90},
    }
    closed = changed(a_change("set_status", status="closed"), resolved.ticket, now=NOW + DAY)
    assert data(closed)[0]["changes"].keys() == {"status", "closed_at"}
    at_once = changed(a_change("set_status", status="closed"), a_ticket()).ticket
    assert (at_once.resolved_at, at_once.closed_at) == (NOW, NOW)
    assert at_once.resolution_time_minutes == 90


@pytest.mark.parametrize("kind", ChangeKind)
def test_a_closed_ticket_is_only_corrected_noted_and_rated(kind: ChangeKind) -> None:
    actor = ActorType.CUSTOMER if kind is ChangeKind.RATE else ActorType.TENANT
    fields = {"is_internal": True} if kind is ChangeKind.ADD_MESSAGE else {}
    change = a_change(kind, actor, **fields)
    if kind is ChangeKind.SET_STATUS:
        assert refusal(change, a_ticket("closed"))[0] == RejectionCode.TRANSITION_NOT_ALLOWED
    elif kind in TAKEN_WHEN_CLOSED:
        changed(change, a_ticket("closed"))
    else:
        assert refusal(change, a_ticket("closed")) == CLOSED


@pytest.mark.parametrize(
    ("sent", "after"),
    [
        ({"assigned_team": "noc"}, ("noc", "u-1")),
        ({"assigned_team": None}, (None, "u-1")),
        ({"assigned_team": ..., "assigned_to_user_id": "u-2"}, ("field", "u-2")),
        ({"assigned_team": ..., "assigned_to_user_id": None}, ("field", None)),
        ({"assigned_team": "noc", "assigned_to_user_id": None}, ("noc", None)),
    ],
)
def test_null_clears_an_assignment_and_absent_leaves_it(
    sent: dict[str, Any], after: tuple[str | None, str | None]
) -> None:
    ticket = a_ticket(assigned_team="field", assigned_to_user_id="u-1")
    decision = changed(a_change("assign", **sent), ticket)
    assert types(decision) == ["ticket.assigned"]
    assert (decision.ticket.assigned_team, decision.ticket.assigned_to_user_id) == after
    assert unchanged(a_change("assign", **sent), decision.ticket)


def test_clearing_what_is_clear_changes_nothing() -> None:
    assert unchanged(a_change("assign", assigned_team=None), a_ticket())


@pytest.mark.parametrize(
    ("priority", "response", "resolution"),
    [(Priority.URGENT, 1, 8), (Priority.HIGH, 4, 24), (Priority.LOW, 48, 168)],
)
def test_a_priority_has_its_targets_from_the_creation_on(
    priority: Priority, response: int, resolution: int
) -> None:
    change = a_change("set_priority", priority=priority.upper())
    decision = changed(change, a_ticket())
    assert types(decision) == ["ticket.priority_changed"]
    after = decision.ticket
    assert after.priority is priority
    assert after.first_response_due_at == CREATED + timedelta(hours=response)
    assert after.sla_due_date == CREATED + timedelta(hours=resolution)
    assert data(decision)[0]["changes"].keys() == {
        "priority",
        "sla_due_date",
        "first_response_due_at",
    }


def test_an_answered_ticket_keeps_what_its_answer_was_due() -> None:
    ticket = a_ticket(first_response_at=NOW)
    after = changed(a_change("set_priority"), ticket).ticket
    assert after.first_response_due_at == ticket.first_response_due_at
    assert after.sla_due_date == CREATED + timedelta(hours=8)


@pytest.mark.parametrize("word", ["normal", "Medium", "NORMAL"])
def test_the_same_priority_again_changes_nothing(word: str) -> None:
    """Not even dates that were not the default ones."""
    assert unchanged(a_change("set_priority", priority=word), a_ticket(sla_due_date=NOW))


def test_fields_are_set_as_wholes() -> None:
    ticket = a_ticket(
        service_address="1 Old Road",
        affected_services=["internet", "voip"],
        context={"line": 4, "routing": {"team": "noc"}},
    )
    fields = {
        "ticket_type": "Speed_Issue",
        "service_address": None,
        "affected_services": ["voip"],
        "context": {"modem": "M-1"},
    }
    decision = changed(a_change("set_fields", fields=fields), ticket)
    assert types(decision) == ["ticket.fields_changed"]
    assert data(decision)[0]["changes"] == {
        "ticket_type": {"from": None, "to": "speed_issue"},
        "service_address": {"from": "1 Old Road", "to": None},
        "affected_services": {"from": ["internet", "voip"], "to": ["voip"]},
        "context": {
            "from": {"line": 4, "routing": {"team": "noc"}},
            "to": {"modem": "M-1"},
        },
    }
    assert unchanged(a_change("set_fields", fields=fields), decision.ticket)


def test_only_the_fields_that_differ_are_told() -> None:
    ticket = a_ticket(service_address="12 Harbour Road")
    fields = {"service_address": "12 Harbour Road", "device_serial_numbers": ["SN-1"]}
    decision = changed(a_change("set_fields", fields=fields), ticket)
    assert data(decision)[0]["changes"].keys() == {"device_serial_numbers"}


@pytest.mark.parametrize("status", ["open", "in_progress", "waiting"])
def test_a_ticket_is_rated_once_it_is_resolved(status: str) -> None:
    assert refusal(a_change("rate", ActorType.CUSTOMER), a_ticket(status)) == (
        RejectionCode.NOT_RESOLVED,
        "A ticket can be rated once it is resolved.",
    )


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_the_last_rating_counts(status: str) -> None:
    first = changed(
        a_change("rate", ActorType.CUSTOMER, rating=2, comment="Slow."), a_ticket(status)
    )
    assert types(first) == ["ticket.rated"]
    assert data(first)[0]["changes"] == {
        "rating": {"from": None, "to": 2},
        "rating_comment": {"from": None, "to": "Slow."},
    }
    last = changed(a_change("rate", ActorType.CUSTOMER, rating=5, comment=""), first.ticket)
    assert (last.ticket.rating, last.ticket.rating_comment) == (5, None)
    assert unchanged(a_change("rate", ActorType.CUSTOMER, rating=5), last.ticket)


@pytest.mark.parametrize("kind", ChangeKind)
@pytest.mark.parametrize(("expected", "is_stale"), [(0, True), (3, True), (4, False), (9, False)])
def test_an_old_picture_is_stale(kind: str, expected: int, *, is_stale: bool) -> None:
    actor = ActorType.CUSTOMER if kind == "rate" else ActorType.TENANT
    ticket = a_ticket("resolved" if kind == "rate" else "open", sequence=6, last_change_sequence=4)
    change = a_change(kind, actor, expected_sequence=expected)
    if is_stale:
        assert refusal(change, ticket) == (
            RejectionCode.STALE,
            f"The ticket has changed since sequence {expected}.",
        )
    else:
        changed(change, ticket)


def test_a_stranger_is_not_told_that_its_picture_is_old() -> None:
    change = a_change("assign", ActorType.CUSTOMER, expected_sequence=0)
    assert refusal(change, a_ticket())[0] == RejectionCode.ACCESS_DENIED


@pytest.mark.parametrize(
    ("occurred", "effective"),
    [(None, 90), (-60, 10), (10, 10), (45, 45), (90, 90), (91, 90), (10**6, 90)],
)
def test_a_change_takes_effect_between_the_last_one_and_now(
    occurred: int | None, effective: int
) -> None:
    """Minutes since the creation; the last change by an actor took effect after ten."""
    at = None if occurred is None else CREATED + occurred * MINUTE
    ticket = a_ticket(updated_at=NOW, last_change_at=CREATED + 10 * MINUTE)
    assert effective_at(at, ticket, NOW) == CREATED + effective * MINUTE


def test_where_the_last_effect_was_not_kept_the_last_update_bounds_it() -> None:
    assert effective_at(CREATED, a_ticket(updated_at=NOW - MINUTE), NOW) == NOW - MINUTE


def test_changes_that_arrive_late_count_from_when_they_happened() -> None:
    """Two changes that waited for hours, read in one batch: the second keeps its time too."""
    late = NOW + DAY
    answer = a_change("add_message", occurred_at=(CREATED + 5 * MINUTE).isoformat())
    answered = changed(answer, a_ticket(), now=late)
    solution = a_change("set_status", status="closed", occurred_at=NOW.isoformat())
    solved = changed(solution, answered.ticket, now=late)
    ticket = solved.ticket
    assert ticket.first_response_at == CREATED + 5 * MINUTE
    assert (ticket.resolved_at, ticket.resolution_time_minutes) == (NOW, 90)
    assert (ticket.closed_at, ticket.last_response_at, ticket.updated_at) == (late, late, late)
    assert data(solved)[0]["occurred_at"] == "2026-03-01T13:30:00.000000+00:00"
    assert data(solved)[0]["updated_at"] == "2026-03-02T13:30:00.000000+00:00"
