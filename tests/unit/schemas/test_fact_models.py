"""Each fact's model takes what DESIGN says, all of it, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.fact import Fact
from schemas.sla_breach_annulled import SlaBreachAnnulled
from schemas.sla_breached import SlaBreached
from schemas.sla_warning import SlaWarning
from schemas.ticket_created import TicketCreated
from schemas.ticket_escalated import TicketEscalated
from schemas.ticket_rejected import TicketRejected
from schemas.ticket_updated import TicketUpdated
from tests.unit.schemas import facts
from tests.unit.schemas.documents import TICKET, encoded

Make = Callable[..., dict[str, Any]]

ANNULLED = {
    "annulled_ce_id": TICKET,
    "annulled_at": facts.AT,
    "reason": "The answer came before it was due.",
}
FACTS: list[tuple[type[Fact], Make]] = [
    (TicketCreated, facts.created),
    (TicketUpdated, facts.updated),
    (TicketEscalated, facts.escalated),
    (TicketRejected, facts.rejected),
    (SlaBreached, facts.clock),
    (SlaWarning, lambda **fields: facts.clock(**({"threshold_percent": 75} | fields))),
    (SlaBreachAnnulled, lambda **fields: facts.clock(**(ANNULLED | fields))),
]
IDS = [model.__name__ for model, _ in FACTS]


def is_valid(model: type[Fact], data: object) -> bool:
    try:
        model.model_validate_json(encoded(data))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("model", "make"), FACTS, ids=IDS)
def test_a_fact_has_all_its_fields_and_no_other(model: type[Fact], make: Make) -> None:
    assert is_valid(model, make())
    assert not is_valid(model, make(colour="red"))
    for name in make():
        optional = name == "message" and model is not TicketRejected
        assert is_valid(model, make(**{name: ...})) is optional, name


@pytest.mark.parametrize(("model", "make"), FACTS, ids=IDS)
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ticket_id", ["", TICKET.upper(), TICKET.replace("-", ""), 5]),
        ("ticket_number", ["TCK-1", "tck-0123456789ab", "TCK-0123456789ABC", 5]),
        ("tenant_id", [None, 5]),
        ("sequence", [0, "1", 1.5, None]),
        ("actor", [None, {"type": "robot", "id": "x"}, {"type": "tenant"}]),
        ("occurred_at", ["2026-11-24T08:30:00Z", "2026-11-24T08:30:00", 5]),
        ("created_at", ["2026-11-24T09:30:00+01:00", "2026-11-24T08:30:00.123+00:00"]),
        ("priority", ["High", "medium", None]),
        ("status", ["waiting", "Open"]),
        ("code", ["unknown"]),
        ("kind", ["Request", "party"]),
        ("metric", ["next_response"]),
        ("detection_lag_ms", [-1, 0.5]),
        ("threshold_percent", [0, 101]),
        ("annulled_ce_id", [None, "x"]),
        ("from", [None, {}]),
    ],
)
def test_a_value_of_another_form_is_no_fact(
    model: type[Fact], make: Make, name: str, values: list[object]
) -> None:
    if name == "actor" and model is TicketRejected:
        values = [value for value in values if value is not None]
    if name in make():
        assert not any(is_valid(model, make(**{name: value})) for value in values)
    else:
        assert not is_valid(model, make(**{name: values[0]}))


def test_a_rejection_has_no_actor_where_nobody_known_asked() -> None:
    assert is_valid(TicketRejected, facts.rejected(kind="change", change="rate", actor=None))


def test_the_system_may_have_caused_a_fact() -> None:
    assert is_valid(TicketUpdated, facts.updated(actor={"type": "system", "id": None}))


@pytest.mark.parametrize(
    ("body", "is_internal", "is_published"),
    [("Hello", False, True), (None, True, True), ("Hello", True, False), (None, False, False)],
)
def test_an_internal_message_has_no_body_and_any_other_has_one(
    body: str | None,
    *,
    is_internal: bool,
    is_published: bool,
) -> None:
    message = {
        "message_id": TICKET,
        "body": body,
        "sender_type": "tenant",
        "is_internal": is_internal,
    }
    assert is_valid(TicketUpdated, facts.updated(message=message)) is is_published


def test_a_breach_is_noticed_by_a_timer_or_on_completion() -> None:
    assert is_valid(SlaBreached, facts.clock(reason="completion"))
    assert not is_valid(SlaBreached, facts.clock(reason="backfill"))
