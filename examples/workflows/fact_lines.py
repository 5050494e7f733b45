"""A fact in a few readable lines. Everything shown is in the record that a subscriber reads."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from examples.demo.screen import harmless
from examples.workflows.service_desk import Fact

SHOWN_OF_A_NEW_TICKET: Final = ("ticket_number", "status", "priority", "target_type")
ABSENT: Final = "-"


def lines_of(fact: Fact) -> list[str]:
    """Number and type of the fact, and what it tells of."""
    number = "refused" if fact.sequence is None else f"#{fact.sequence}"
    return [f"{number:<8}{fact.ce_type}", *(f"        {line}" for line in _details(fact))]


def _details(fact: Fact) -> Iterator[str]:
    data = fact.data
    if fact.is_refusal:
        yield f"{data['code']}: {harmless(data['message'])}"
        return
    if fact.ce_type == "ticket.created":
        yield ", ".join(f"{name} {data[name]}" for name in SHOWN_OF_A_NEW_TICKET)
        yield f"answer due {data['first_response_due_at']}, solution due {data['sla_due_date']}"
        return
    if (message := data["message"]) is not None:
        yield _said(message)
    if (reason := data.get("reason")) is not None:
        yield f"because: {harmless(reason)}"
    for name, change in data["changes"].items():
        yield f"{name}: {_value(change['from'])} -> {_value(change['to'])}"


def _said(message: Mapping[str, Any]) -> str:
    """What is internal is told of, and never published."""
    if message["is_internal"]:
        return f"{message['sender_type']} wrote an internal note; its text is not published"
    return f"{message['sender_type']}: {harmless(message['body'])}"


def _value(value: object) -> str:
    return ABSENT if value is None else harmless(str(value))
