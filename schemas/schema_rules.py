"""The rules that tie a message's fields together, as JSON Schema: what model validators say."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from schemas.text_patterns import in_any_case
from schemas.ticket_change_requested import (
    Assign,
    ChangedFields,
    Escalate,
    EscalationTarget,
    SetFields,
    TicketChangeRequested,
)
from schemas.ticket_requested import TicketRequested
from schemas.ticket_updated import MessageAdded
from schemas.vocabulary import ActorType

Rule = Mapping[str, Any]

_NULL: Final[Rule] = {"type": "null"}


def rules_of(model: type[BaseModel]) -> Iterator[Rule]:
    """The rules of a model, those that it inherits first."""
    for each in reversed(model.__mro__):
        yield from RULES.get(each, ())


def _sent(name: str) -> Rule:
    """The field is there, be it null."""
    return {"required": [name]}


def _given(name: str) -> Rule:
    """The field is there, and not null."""
    return {"required": [name], "properties": {name: {"not": _NULL}}}


def _any_of(*rules: Rule) -> Rule:
    return {"anyOf": list(rules)}


def _within(name: str, rule: Rule) -> Rule:
    return {"properties": {name: rule}}


_WORD_CUSTOMER: Final[Rule] = {"type": "string", "pattern": in_any_case([ActorType.CUSTOMER])}
_WORD_PARTNER: Final[Rule] = {"type": "string", "pattern": in_any_case([ActorType.PARTNER])}
_CLEARED_BY_NULL: Final = ("ticket_type", "service_address")

RULES: Final[Mapping[type, tuple[Rule, ...]]] = {
    TicketRequested: (
        {
            "$comment": "Where the origin is a customer, as by default, customer_id is required.",
            "if": _within("origin_type", _any_of(_NULL, _WORD_CUSTOMER)),
            "then": _given("customer_id"),
        },
        {
            "$comment": "Where the origin is a partner, partner_id is required.",
            "if": {"required": ["origin_type"], **_within("origin_type", _WORD_PARTNER)},
            "then": _given("partner_id"),
        },
    ),
    TicketChangeRequested: (
        {
            "$comment": "The ticket is named once, by its id or by its number.",
            "oneOf": [_given("ticket_id"), _given("ticket_number")],
        },
    ),
    Assign: (
        {
            "$comment": "A team or a person is given, or cleared by null.",
            **_any_of(_sent("assigned_team"), _sent("assigned_to_user_id")),
        },
    ),
    SetFields: (
        {
            "$comment": "At least one field of `fields` is set.",
            **_within(
                "fields",
                _any_of(
                    *(
                        _sent(name) if name in _CLEARED_BY_NULL else _given(name)
                        for name in ChangedFields.model_fields
                    )
                ),
            ),
        },
    ),
    Escalate: (
        {
            "$comment": "At least one field of `to` is given.",
            **_within("to", _any_of(*map(_given, EscalationTarget.model_fields))),
        },
    ),
    MessageAdded: (
        {
            "$comment": "What is internal is never published, and anything else is.",
            "if": _within("is_internal", {"const": True}),
            "then": _within("body", _NULL),
            "else": _within("body", {"not": _NULL}),
        },
    ),
}
"""Of each model with a validator of its own; a test holds the two against each other."""
